package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are what scripts can say beyond the words of testscript. The
// README beside the scripts tells how to use them.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"as": scriptAs, "mesh": scriptMesh, "claudemesh": scriptClaudemesh, "exits": scriptExits, "json": scriptJSON,
	"capture": scriptCapture, "until": scriptUntil, "broker": scriptBroker,
	"listen": scriptListen, "start": scriptStart, "await": scriptAwait, "say": scriptSay, "unseen": scriptUnseen, "signal": scriptSignal, "ended": scriptEnded,
}

// scriptAs changes who types.
func scriptAs(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "as NAME")
	ts.Check(onStage(ts).settle(args[0], ts.Setenv))
	ts.Check(ts.Chdir(ts.Getenv("HOME")))
}

// scriptMesh makes a mesh of its first member, who types afterwards, and has
// the others join. What the broker calls it is in $MESH.
func scriptMesh(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 2, "mesh SLUG OWNER [MEMBER...]")
	slug, owner := args[0], args[1]
	scriptAs(ts, false, []string{owner})
	run(ts, 0, "create", slug, "--display-name", owner)
	slug, _, _ = strings.Cut(ts.ReadFile("stdout"), "\t")
	ts.Setenv("MESH", slug)
	run(ts, 0, "invite", "--mesh", slug, "--uses", strconv.Itoa(max(1, len(args)-2)))
	link := strings.TrimSpace(ts.ReadFile("stdout"))
	for _, member := range args[2:] {
		scriptAs(ts, false, []string{member})
		run(ts, 0, "join", link, "--name", member)
	}
	scriptAs(ts, false, []string{owner})
}

// scriptClaudemesh runs the program, which must be content.
func scriptClaudemesh(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg, "exits CODE claudemesh ARGUMENT...")
	run(ts, 0, args...)
}

// scriptExits runs the program, which must end with that code.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 2 && args[1] == "claudemesh", "exits CODE claudemesh ARGUMENT...")
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	run(ts, code, args[2:]...)
}

// run runs the program and holds its output to what is promised of every
// command.
func run(ts *testscript.TestScript, code int, args ...string) {
	got := exitCode(ts, ts.Exec("claudemesh", args...))
	if got != code {
		ts.Fatalf("claudemesh %s: exit code %d, want %d", strings.Join(args, " "), got, code)
	}
	heard(ts, code, ts.ReadFile("stdout"), ts.ReadFile("stderr"), slices.Contains(args, "--json"))
}

func exitCode(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("%v", err)
	return -1
}

var (
	refusal = regexp.MustCompile(`(?m)^claudemesh: .*[^.\n]$`)
	hint    = regexp.MustCompile(`(?m)^hint: .*[^.\n]$`)
	// inside are names that errors begin with, which are of no use to a person.
	inside = regexp.MustCompile(`\b(peer|identity|seal|wire|ui|claudecode|outbox|mailbox|local|receipt|queue|registry): `)
)

// noRemedy are refusals after which there is nothing to be done.
var noRemedy = regexp.MustCompile(`claudemesh: interrupted|is not called|cannot be started`)

// heard checks what every command owes: a refusal is worded and says what to do
// next, programs get JSON and nothing else, and nobody gets control characters
// in a pipe.
func heard(ts *testscript.TestScript, code int, stdout, stderr string, asJSON bool) {
	if code != 0 && !refusal.MatchString(stderr) {
		ts.Fatalf("exit code %d without a refusal on stderr: %q", code, stderr)
	}
	if code != 0 && !hint.MatchString(stderr) && !noRemedy.MatchString(stderr) {
		ts.Fatalf("a refusal that does not say what to do next: %q", stderr)
	}
	if m := inside.FindString(stderr); m != "" {
		ts.Fatalf("stderr talks of the inside of the program, %q: %q", m, stderr)
	}
	if strings.ContainsAny(stdout+stderr, "\x1b\r\a") {
		ts.Fatalf("control characters in a pipe: %q %q", stdout, stderr)
	}
	for line := range strings.Lines(stdout) {
		if asJSON && !json.Valid([]byte(line)) {
			ts.Fatalf("asked for JSON, printed %q", line)
		}
	}
}

// scriptJSON looks into what the last command printed: json .peers.0.name ana.
// Several lines are a list. A value that is written /…/ is a pattern.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, len(args) >= 1 && len(args) <= 2, "[!] json PATH [VALUE]")
	value, found, err := lookup(ts.ReadFile("stdout"), args[0])
	ts.Check(err)
	text := plainJSON(value)
	matches := found
	if len(args) == 2 && found {
		if pattern, ok := strings.CutPrefix(args[1], "/"); ok {
			matches = regexp.MustCompile(strings.TrimSuffix(pattern, "/")).MatchString(text)
		} else {
			matches = text == args[1]
		}
	}
	if matches == neg {
		ts.Fatalf("%s is %s (there: %v), and that is not what was said: json %s", args[0], text, found, strings.Join(args, " "))
	}
}

// lookup finds what a path such as .peers.0.name names. # is how many there are.
func lookup(stdout, path string) (value any, found bool, err error) {
	var lines []any
	d := json.NewDecoder(strings.NewReader(stdout))
	d.UseNumber()
	for d.More() {
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, false, fmt.Errorf("%q is not JSON: %w", stdout, err)
		}
		lines = append(lines, v)
	}
	value = any(lines)
	if len(lines) == 1 {
		value = lines[0]
	}
	for step := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		if value, found = child(value, step); !found {
			return nil, false, nil
		}
	}
	return value, true, nil
}

func child(v any, step string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if step == "#" {
			return json.Number(strconv.Itoa(len(v))), true
		}
		c, ok := v[step]
		return c, ok
	case []any:
		if step == "#" {
			return json.Number(strconv.Itoa(len(v))), true
		}
		if i, err := strconv.Atoi(step); err == nil && i < len(v) {
			return v[i], true
		}
	}
	return v, step == ""
}

func plainJSON(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// scriptCapture keeps a part of what was printed: that at a path of JSON, or
// the group of a pattern.
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "capture VARIABLE PATH|PATTERN")
	stdout := ts.ReadFile("stdout")
	if strings.HasPrefix(args[1], ".") {
		value, found, err := lookup(stdout, args[1])
		ts.Check(err)
		want(ts, found, "capture: nothing at "+args[1])
		ts.Setenv(args[0], plainJSON(value))
		return
	}
	m := regexp.MustCompile(`(?m)` + args[1]).FindStringSubmatch(stdout)
	want(ts, len(m) == 2, "capture: stdout has no "+args[1])
	ts.Setenv(args[0], m[1])
}

// scriptUntil repeats a command that others' doings change, until it prints
// what matches.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 3 && args[1] == "claudemesh", "until PATTERN claudemesh ARGUMENT...")
	pattern := regexp.MustCompile(`(?m)` + args[0])
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ends := time.Now().Add(patience); time.Now().Before(ends); <-tick.C {
		_ = ts.Exec("claudemesh", args[2:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("claudemesh %s never printed %q", strings.Join(args[2:], " "), args[0])
}

// scriptBroker changes how the broker is reached: away ends all connections and
// refuses new ones, silent takes them and says nothing, back is as before.
// called waits until somebody has called a silent one.
func scriptBroker(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "broker away|silent|back|called")
	g := onStage(ts).gate
	switch args[0] {
	case "away":
		g.set(gateShut)
	case "silent":
		g.set(gateSilent)
	case "back":
		g.set(gateOpen)
	case "called":
		select {
		case <-g.called:
		case <-time.After(patience):
			ts.Fatalf("nobody called the broker")
		}
	default:
		ts.Fatalf("broker %s?", args[0])
	}
}

// want fails the script when it says something that cannot be.
func want(ts *testscript.TestScript, ok bool, usage string) {
	if !ok {
		ts.Fatalf("usage: %s", usage)
	}
}
