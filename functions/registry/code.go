package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// keepCode makes an invite's code stand for it, for as long as the invite is
// remembered.
func (s *Store) keepCode(ctx context.Context, mesh string, i Invite) error {
	if i.CodeHash == "" {
		return nil
	}
	ok, err := s.c.Raw().SetNX(ctx, s.keys.code(i.CodeHash), mesh+" "+i.TokenHash,
		time.Until(i.ExpiresAt)+endedInviteKept).Result()
	switch {
	case err != nil:
		return fmt.Errorf("registry: keep code: %w", err)
	case !ok:
		return ErrInviteExists
	}
	return nil
}

func (s *Store) dropCode(ctx context.Context, i Invite) error {
	if i.CodeHash == "" {
		return nil
	}
	if err := s.c.Raw().Del(ctx, s.keys.code(i.CodeHash)).Err(); err != nil {
		return fmt.Errorf("registry: drop code: %w", err)
	}
	return nil
}

// InviteByCode finds the invite that a code stands for, with its mesh. It
// returns [ErrNoInvite], [ErrNoMesh], [ErrInviteRevoked], [ErrInviteExpired] or
// [ErrInviteExhausted]; with the last three the invite is returned too.
func (s *Store) InviteByCode(ctx context.Context, code string) (Mesh, Invite, error) {
	if !wire.IsInviteCode(code) {
		return Mesh{}, Invite{}, ErrNoInvite
	}
	at, err := s.c.Raw().Get(ctx, s.keys.code(wire.CodeHash(code))).Result()
	if errors.Is(err, goredis.Nil) {
		return Mesh{}, Invite{}, ErrNoInvite
	}
	if err != nil {
		return Mesh{}, Invite{}, fmt.Errorf("registry: read code: %w", err)
	}
	mesh, hash, _ := strings.Cut(at, " ")
	invite, err := s.invite(ctx, mesh, hash)
	if err != nil {
		return Mesh{}, Invite{}, err
	}
	m, err := s.Mesh(ctx, mesh)
	if err == nil && m.Archived {
		err = ErrNoMesh
	}
	if err != nil {
		return Mesh{}, Invite{}, err
	}
	return m, invite, invite.ended()
}

// invite reads one invite whole.
func (s *Store) invite(ctx context.Context, mesh, hash string) (Invite, error) {
	fields, err := s.c.Raw().HMGet(ctx, s.keys.invites(mesh),
		hash, inviteUses+hash, inviteRevoked+hash, inviteSealed+hash).Result()
	if err != nil {
		return Invite{}, fmt.Errorf("registry: read invite: %w", err)
	}
	var texts [4]string
	for i, f := range fields {
		texts[i], _ = f.(string)
	}
	if texts[0] == "" {
		return Invite{}, ErrNoInvite
	}
	i, err := decodeInvite(hash, texts[0])
	if err != nil {
		return Invite{}, err
	}
	i.Uses, _ = strconv.Atoi(texts[1])
	if at, ok := parseMillis(texts[2]); ok {
		i.RevokedAt = &at
	}
	i.Sealed = texts[3]
	return i, nil
}

// ended says why an invite takes nobody in any more, nil if it does. The clock
// is this process's: Enrol asks Redis's.
func (i *Invite) ended() error {
	switch {
	case i.RevokedAt != nil:
		return ErrInviteRevoked
	case i.ExpiresAt.Unix() < time.Now().Unix():
		return ErrInviteExpired
	case i.Uses >= i.MaxUses:
		return ErrInviteExhausted
	}
	return nil
}
