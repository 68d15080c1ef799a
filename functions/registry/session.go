package registry

import (
	"context"
	_ "embed"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// sessionTouched is how exact the time of last use of a session key is. A
// reconnect within it writes nothing.
const sessionTouched = time.Hour

//go:embed lua/bind.lua
var bindSource string
var bindScript = redis.NewScript(bindSource)

// BindSession records that a session key was proven to speak for a member, so
// that messages to it may wait while it is away. The newest proof counts.
//
// A bound key is forgotten when it was not bound again for
// [Options.SessionUnused], or when the mesh has more of them than it may and
// this one was unused for longest. Calling it for a session that stays
// connected for days keeps it bound; repeats within the hour cost one read.
// It returns [ErrNotMember] or [ErrRevoked].
func (s *Store) BindSession(ctx context.Context, mesh, sessionKey, memberKey string) error {
	word, err := s.c.Run(ctx, bindScript,
		[]string{s.keys.sessions(mesh), s.keys.sessionsUsed(mesh), s.keys.members(mesh), s.keys.bans(mesh)},
		normal(sessionKey), normal(memberKey), s.o.SessionsPerMesh,
		s.o.SessionUnused.Milliseconds(), sessionTouched.Milliseconds()).Text()
	return answer(word, err, "bind session")
}
