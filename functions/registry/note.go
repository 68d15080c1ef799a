package registry

import (
	"context"
	_ "embed"

	"github.com/claudemesh/claudemesh/infra/redis"
)

//go:embed lua/note.lua
var noteSource string

var noteScript = redis.NewScript(noteSource, auditSource)

// NoteRequeued tells in the audit log that a dead letter was put back.
func (s *Store) NoteRequeued(ctx context.Context, mesh, messageID string) error {
	return s.note(ctx, mesh, auditRequeued, payload{"messageId": messageID})
}

// NoteDropped tells in the audit log that a dead letter was thrown away.
func (s *Store) NoteDropped(ctx context.Context, mesh, messageID string) error {
	return s.note(ctx, mesh, auditDropped, payload{"messageId": messageID})
}

// note tells what another room has done: nothing here changes by it.
func (s *Store) note(ctx context.Context, mesh, event string, told payload) error {
	got, err := s.change(ctx, mesh, noteScript, []string{s.keys.audit(mesh)}, entry(ctx, event, told)...).Text()
	return answer(got, err, event)
}
