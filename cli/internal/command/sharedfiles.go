package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/folder"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// EnvShare names the directory whose files a session shows to other peers.
const EnvShare = "CLAUDEMESH_SHARE"

// noFiles is what a peer is told that shares nothing.
const noFiles = "this peer shares no files"

// maxAsked is how many requests of other peers wait for their turn. Further ones
// get no answer, and time out.
const maxAsked = 32

func addShareFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "share", "", "let peers read the files in this `DIRECTORY`; without it they can read none")
}

// answerer answers what other peers ask this session for: files.
type answerer struct {
	*host
	files *folder.Folder // nil: none
	asked chan wire.Message
}

// newAnswerer opens the directory that is to be shared, if there is one.
func (h *host) newAnswerer(dir string) (*answerer, error) {
	a := &answerer{host: h, asked: make(chan wire.Message, maxAsked)}
	if dir == "" {
		dir = h.env.Getenv(EnvShare)
	}
	if dir == "" {
		return a, nil
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(h.env.Dir, dir)
	}
	files, err := folder.Open(dir)
	if err != nil {
		return nil, err
	}
	a.files = files
	h.out.Say("every member of %s can read the files in %s", h.m.mesh.Slug, dir)
	return a, nil
}

func (a *answerer) close() {
	if a.files != nil {
		_ = a.files.Close() // it was only read
	}
}

// hear takes a request. It must not wait.
func (a *answerer) hear(frame wire.Message) {
	switch frame.(type) {
	case *wire.PeerFileRequestForward, *wire.PeerDirRequestForward:
		select {
		case a.asked <- frame:
		default:
		}
	}
}

// run answers, until ctx ends.
func (a *answerer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case frame := <-a.asked:
			// A lost connection loses the answer, and the asker is told.
			_ = a.client.Respond(ctx, a.answer(frame))
		}
	}
}

func (a *answerer) answer(frame wire.Message) wire.Message {
	switch r := frame.(type) {
	case *wire.PeerFileRequestForward:
		out := &wire.PeerFileResponse{RequesterPubkey: r.RequesterPubkey, FilePath: r.FilePath, ReqID: r.ReqID}
		data, err := a.read(r.FilePath)
		if err != "" {
			out.Error = err
		}
		out.Content = base64.StdEncoding.EncodeToString(data)
		return out
	case *wire.PeerDirRequestForward:
		out := &wire.PeerDirResponse{RequesterPubkey: r.RequesterPubkey, DirPath: r.DirPath, ReqID: r.ReqID}
		names, err := a.list(r.DirPath, r.Pattern)
		if err != "" {
			out.Error = err
			return out
		}
		out.Entries, _ = json.Marshal(names) // of texts
		return out
	}
	return nil
}

func (a *answerer) read(path string) (data []byte, refusal string) {
	if a.files == nil {
		return nil, noFiles
	}
	data, err := a.files.Read(path)
	return data, fileRefusal(err)
}

func (a *answerer) list(dir, pattern string) (names []string, refusal string) {
	if a.files == nil {
		return nil, noFiles
	}
	names, err := a.files.List(dir, pattern)
	return notNone(names), fileRefusal(err)
}

// fileRefusal is what the asking peer is told. It must not learn more of this
// machine than that.
func fileRefusal(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), "folder: ")
}
