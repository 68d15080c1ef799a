package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"golang.org/x/term"
)

// interactive reports whether there is a person to ask.
func (a *app) interactive() bool {
	f, ok := a.env.Stdin.(*os.File)
	return ok && ui.IsTerminal(f) && a.out.TalkTerminal()
}

// askLine reads a line from the person at the terminal.
func (a *app) askLine(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.out.Talk(), question)
	line, err := answered(ctx, func() (string, error) { return bufio.NewReader(a.env.Stdin).ReadString('\n') })
	return strings.TrimSpace(line), err
}

// askSecret is askLine without an echo.
func (a *app) askSecret(ctx context.Context, question string) (string, error) {
	f, ok := a.env.Stdin.(*os.File)
	if !ok {
		return "", errInterrupted
	}
	fd := int(f.Fd())
	if echoing, err := term.GetState(fd); err == nil {
		defer func() { _ = term.Restore(fd, echoing) }() // an interrupt must not leave the terminal mute
	}
	fmt.Fprint(a.out.Talk(), question)
	defer fmt.Fprintln(a.out.Talk())
	return answered(ctx, func() (string, error) {
		secret, err := term.ReadPassword(fd)
		return string(secret), err
	})
}

// answered waits for an answer or an interrupt. Reading from a terminal cannot
// be cancelled; what still reads then ends with the process.
func answered(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errInterrupted
	case a := <-answers:
		if a.err != nil {
			return "", errInterrupted
		}
		return a.text, nil
	}
}

// maxPassphrase bounds a file that is taken for one.
const maxPassphrase = 4 << 10

// passphrase comes from a file or from the person, who types it again when
// again is set. It never comes from the command line: others could read it there.
func (a *app) passphrase(ctx context.Context, file string, again bool) (string, error) {
	switch {
	case file != "":
		return readPassphrase(file)
	case !a.interactive():
		return "", ui.Usagef("a passphrase is needed, and nobody is here to be asked").Hinted("--passphrase-file PATH")
	}
	first, err := a.askSecret(ctx, "passphrase, at least 12 characters: ")
	if err != nil || !again {
		return first, err
	}
	if utf8.RuneCountInString(first) < seal.MinPassphrase {
		return "", seal.ErrPassphrase
	}
	second, err := a.askSecret(ctx, "the same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", ui.Failf("the two differ; nothing was written").Hinted("try again: claudemesh backup")
	}
	return first, nil
}

func readPassphrase(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fileFailure(err).Hinted("--passphrase-file names a file with the passphrase in it")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassphrase))
	if err != nil {
		return "", fileFailure(err).Hinted("--passphrase-file names a file with the passphrase in it")
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// fileFailure words an error about a file that the person has named.
func fileFailure(err error) *ui.Failure {
	var at *os.PathError
	if errors.As(err, &at) {
		return ui.Failf("%s: %v", at.Path, at.Err)
	}
	return ui.Failf("%v", err)
}
