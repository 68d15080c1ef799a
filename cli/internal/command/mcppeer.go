package command

import (
	"context"

	"github.com/claudemesh/claudemesh/cli/internal/mcp"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Later implements mcp.Session.
func (t tools) Later(ctx context.Context, l mcp.Later) (made mcp.Scheduled, err error) {
	d := laterDraft{Target: l.To, Text: l.Text, Cron: l.Cron, Clear: l.Clear}
	if l.Cron == "" {
		d.At = wire.MillisAt(l.At)
	}
	o := scheduleOptions{sharing: sharing{app: t.h.app}, self: l.To == ""}
	if err := o.check(d); err != nil {
		return made, err
	}
	err = t.do(ctx, func(ctx context.Context) error {
		a, err := t.h.courier().later(ctx, d)
		made = mcp.Scheduled{ID: a.ID, At: a.DeliverAt.Time, Sealed: a.Sealed}
		return err
	})
	return made, err
}

// files calls f with the key of a peer.
func (t tools) files(ctx context.Context, peer string, f func(m *share.Mesh, key string) error) error {
	mesh, err := t.Shared()
	if err != nil {
		return err
	}
	to, err := (&sharing{app: t.h.app}).askedPeer(ctx, mesh, peer)
	if err != nil {
		return err
	}
	return f(mesh, to.key)
}

// ListFiles implements mcp.Session.
func (t tools) ListFiles(ctx context.Context, peer, dir, pattern string) (names []string, err error) {
	err = t.files(ctx, peer, func(m *share.Mesh, key string) (err error) {
		names, err = fetchList(ctx, m, key, dir, pattern)
		return err
	})
	return names, err
}

// ReadFile implements mcp.Session.
func (t tools) ReadFile(ctx context.Context, peer, path string) (data []byte, err error) {
	err = t.files(ctx, peer, func(m *share.Mesh, key string) (err error) {
		data, err = fetchFile(ctx, m, key, path)
		return err
	})
	return data, err
}
