package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

func newFile(a *app) *cobra.Command {
	return family("file", "Read files that peers share",
		"Read files that peers share: those who listen with --share DIRECTORY. They pass through the broker in clear, so\n"+
			"whoever runs it can read them.",
		newFileGet(a), newFileList(a))
}

type fileOptions struct {
	sharing
	output, pattern string
}

func newFileGet(a *app) *cobra.Command {
	o := &fileOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "get PEER PATH", short: "Fetch a file of a peer",
		long: "Fetch a file of a peer, of at most 750 KiB, and write it to stdout. PATH is relative to the directory that the\n" +
			"peer shares.",
		example: "claudemesh file get ben docs/plan.md -o plan.md", args: exactly("PEER", "PATH"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			if o.output == "-" {
				o.output = "" // stdout
			}
			return o.get(ctx, m, args[0], args[1])
		},
	})
	c.Flags().StringVarP(&o.output, "output", "o", "", "write it to this `FILE`, which must not be there yet")
	return c
}

// askedPeer finds whose files are meant.
func (o *sharing) askedPeer(ctx context.Context, m *share.Mesh, typed string) (recipient, error) {
	to, err := resolve(ctx, askedDirectory{m}, wire.PublicKey(m.Member), typed)
	if err == nil && wire.ClassifyTarget(to.key).Class != wire.ClassDirect {
		return to, ui.Usagef("%q is not one peer", typed).Hinted("claudemesh peers shows who is here")
	}
	return to, err
}

// askedDirectory looks names up through whoever asks.
type askedDirectory struct{ share.Asker }

// ListPeers implements directory.
func (d askedDirectory) ListPeers(ctx context.Context) ([]wire.PeerInfo, error) {
	answer, err := share.Ask[*wire.PeersList](ctx, d, &wire.ListPeers{})
	if err != nil {
		return nil, err
	}
	return answer.Peers, nil
}

// ListMembers implements directory.
func (d askedDirectory) ListMembers(ctx context.Context) ([]wire.MemberInfo, error) {
	answer, err := share.Ask[*wire.MembersList](ctx, d, &wire.ListMembers{})
	if err != nil {
		return nil, err
	}
	return answer.Members, nil
}

// errPeerSays is what the other peer answered instead of a file. Its words are
// its own.
var errPeerSays = errors.New("the peer says")

// fetchFile asks a peer for a file.
func fetchFile(ctx context.Context, m *share.Mesh, key, name string) ([]byte, error) {
	answer, err := share.Ask[*wire.PeerFileResponseForward](ctx, m, &wire.PeerFileRequest{TargetPubkey: key, FilePath: name})
	switch {
	case err != nil:
		return nil, err
	case answer.Error != "":
		return nil, peerSays(answer.Error)
	}
	data, err := base64.StdEncoding.DecodeString(answer.Content)
	if err != nil {
		return nil, peerSays("something that is no file")
	}
	return data, nil
}

func peerSays(words string) error {
	return &ui.Failure{
		Message: "the peer says: " + ui.Cut(ui.CleanLine(words), 300), Hint: "claudemesh file list PEER shows what it shares", Code: ui.ExitFailed,
		Cause: errPeerSays,
	}
}

// fetchList asks a peer what is in a directory of its.
func fetchList(ctx context.Context, m *share.Mesh, key, dir, pattern string) ([]string, error) {
	answer, err := share.Ask[*wire.PeerDirResponseForward](ctx, m, &wire.PeerDirRequest{TargetPubkey: key, DirPath: dir, Pattern: pattern})
	switch {
	case err != nil:
		return nil, err
	case answer.Error != "":
		return nil, peerSays(answer.Error)
	}
	return entryNames(answer.Entries), nil
}

// entryNames reads the entries of a directory. Clients differ in whether these
// are texts or objects.
func entryNames(raw json.RawMessage) []string {
	var entries []json.RawMessage
	_ = json.Unmarshal(raw, &entries) // what is none has none
	names := []string{}
	for _, e := range entries {
		var name string
		var object struct{ Path, Name string }
		if json.Unmarshal(e, &name) != nil && json.Unmarshal(e, &object) == nil {
			name = object.Path
			if name == "" {
				name = object.Name
			}
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

type fileAnswer struct {
	Peer    string `json:"peer"`
	Path    string `json:"path"`
	Size    int    `json:"size"`
	Output  string `json:"output,omitempty"`
	Content string `json:"content,omitempty"` // base64
}

func (o *fileOptions) get(ctx context.Context, m *share.Mesh, typed, name string) error {
	if o.output != "" {
		if _, err := os.Lstat(o.path()); err == nil {
			return ui.Usagef("%s is there already", o.output).Hinted("choose another name: -o FILE")
		}
	}
	to, err := o.askedPeer(ctx, m, typed)
	if err != nil {
		return err
	}
	data, err := fetchFile(ctx, m, to.key, name)
	if err != nil {
		return err
	}
	answer := fileAnswer{Peer: to.key, Path: name, Size: len(data), Output: o.output}
	if o.output != "" {
		if err := renameio.WriteFile(o.path(), data, 0o644); err != nil {
			return ui.Failf("cannot write %s: %v", o.output, plainErrno(err)).Hinted("choose another place: -o FILE")
		}
	} else {
		answer.Content = base64.StdEncoding.EncodeToString(data)
	}
	switch {
	case o.out.JSON:
		return o.out.Answer(answer)
	case o.output != "":
		o.out.Say("wrote %d bytes to %s", len(data), o.output)
		return nil
	case o.out.Terminal():
		return o.out.Text(strings.TrimRight(ui.Clean(string(data)), "\n") + "\n")
	}
	return o.out.Text(string(data))
}

func (o *fileOptions) path() string {
	if filepath.IsAbs(o.output) {
		return o.output
	}
	return filepath.Join(o.env.Dir, o.output)
}

func newFileList(a *app) *cobra.Command {
	o := &fileOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "list PEER [DIRECTORY]", short: "Show what files a peer shares",
		long:    "Show what files a peer shares, two levels deep and at most 500. Directories end with a slash.",
		example: "claudemesh file list ben docs --pattern '*.md'",
		args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return exactly("PEER")(c, args)
		},
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			return o.list(ctx, m, args[0], path.Join(args[1:]...))
		},
	})
	c.Flags().StringVar(&o.pattern, "pattern", "", "only files whose names match this `PATTERN`")
	return c
}

func (o *fileOptions) list(ctx context.Context, m *share.Mesh, typed, dir string) error {
	to, err := o.askedPeer(ctx, m, typed)
	if err != nil {
		return err
	}
	names, err := fetchList(ctx, m, to.key, dir, o.pattern)
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(struct {
			Peer    string   `json:"peer"`
			Entries []string `json:"entries"`
		}{to.key, names})
	}
	if len(names) == 0 {
		o.out.Say("it shares nothing there")
	}
	for _, name := range names {
		if err := o.out.Line(ui.CleanLine(name)); err != nil {
			return err
		}
	}
	return nil
}
