package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/queue"
)

var (
	//go:embed lua/least_send.lua
	leastSendLua string
	//go:embed lua/least_ack.lua
	leastAckLua string
)

var (
	leastSend = redis.NewScript(leastSendLua)
	leastAck  = redis.NewScript(leastAckLua)
)

// nobody is an edge that does not exist: what rings there is heard by no one.
const nobody = "nobody000000"

// A stage is a Redis without edges, on which this process runs the scripts
// itself.
type stage struct {
	*fleet
	queue *queue.Queue
	roles []role
}

// A role is a sender and a reader that exist in Redis only.
type role struct {
	direct  queue.Direct
	reader  queue.Lease
	inboxes []string
}

// newStage makes Redis believe that n pairs are present.
func (b *bench) newStage(ctx context.Context, n int) (*stage, error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return nil, err
	}
	s := &stage{fleet: f, queue: queue.New(f.client, queue.Options{
		MembersKey: f.registry.MembersKey, BansKey: f.registry.BansKey,
		SessionsKey: f.registry.SessionsKey, GrantsKey: f.registry.GrantsKey,
		Rate: 100_000_000, Burst: 1_000_000,
	})}
	members, err := f.members(ctx, 2*n, 2*pairsPerMesh)
	for i := 0; err == nil && i < len(members); i += 2 {
		var r role
		r, err = s.cast(ctx, members[i], members[i+1])
		s.roles = append(s.roles, r)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return s, nil
}

// cast writes what an edge would when both had come.
func (s *stage) cast(ctx context.Context, from, to *member) (role, error) {
	sender, err := s.lease(ctx, from)
	if err != nil {
		return role{}, err
	}
	reader, err := s.lease(ctx, to)
	if err != nil {
		return role{}, err
	}
	key := func(l queue.Lease) string { return l.Key[strings.LastIndexByte(l.Key, ':')+1:] }
	_, err = s.queue.OpenReader(ctx, queue.Reader{
		Mesh: to.mesh.id, Lease: reader, Inbox: key(reader), Peer: key(reader), Member: wire.PublicKey(to.key),
		Generation: "1", Edge: nobody, Kind: queue.KindSession, Rank: queue.RankSession,
	})
	body := wire.PushBody{
		MeshID: from.mesh.id, SenderPubkey: key(sender), SenderMemberID: from.id, SenderName: from.name,
		TargetSpec: key(reader), Priority: wire.LaneNext,
		Nonce: strings.Repeat("n", 32), Ciphertext: strings.Repeat("c", letters), ClientMessageID: wire.NewID(wire.LongID),
	}.Encode()
	return role{
		direct: queue.Direct{
			Mesh: from.mesh.id, Lease: sender, Target: key(reader), Lane: queue.LaneNext, Body: body,
			Sender: queue.Sender{Peer: key(sender), Member: wire.PublicKey(from.key), Key: key(sender)},
		},
		reader: reader, inboxes: []string{key(reader), wire.PublicKey(to.key)},
	}, err
}

// lease has a session of a member be present.
func (s *stage) lease(ctx context.Context, m *member) (queue.Lease, error) {
	session := wire.PublicKey(newKey())
	l := queue.Lease{Key: "lease:" + s.client.Tag(m.mesh.id) + ":" + m.mesh.id + ":" + session, Value: "1/" + nobody + "/" + nobody}
	raw := s.client.Raw()
	err := errors.Join(
		raw.Set(ctx, l.Key, l.Value, inviteFor).Err(),
		raw.HSet(ctx, s.registry.SessionsKey(m.mesh.id), session, wire.PublicKey(m.key)+" 1").Err(),
	)
	if err != nil {
		return l, fmt.Errorf("bench: %w", err)
	}
	return l, nil
}

// play has callers take the roles by turns until d is over, each doing one
// thing after the other, and returns how often they did.
func (s *stage) play(ctx context.Context, callers int, d time.Duration, do func(ctx context.Context, r *role) error) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var done atomic.Int64
	var tasks sync.WaitGroup
	errs := make([]error, callers)
	until := time.Now().Add(d)
	for i := range callers {
		tasks.Go(func() {
			r := s.roles[i%len(s.roles)]
			for time.Now().Before(until) && errs[i] == nil {
				if errs[i] = do(ctx, &r); errs[i] == nil {
					done.Add(1)
				}
			}
		})
	}
	tasks.Wait()
	return int(done.Load()), errors.Join(errs...)
}

// verbs is a message's life by the scripts of package queue.
func (s *stage) verbs(ctx context.Context, r *role) error {
	d := r.direct
	d.ClientID = wire.NewID(wire.LongID)
	receipt, err := s.queue.Send(ctx, d)
	if err != nil {
		return err
	}
	if there, err := s.queue.Ack(ctx, d.Mesh, r.reader, r.inboxes, receipt.MessageID); err != nil || !there {
		return errors.Join(err, fmt.Errorf("bench: message is there: %v", there))
	}
	return nil
}

// least is the same by the least scripts.
func (s *stage) least(ctx context.Context, r *role) error {
	id, err := s.keep(ctx, r)
	if err != nil {
		return err
	}
	return s.client.Run(ctx, leastAck, []string{s.stream(r)}, id).Err()
}

// keep is the first half of it.
func (s *stage) keep(ctx context.Context, r *role) (id string, err error) {
	id, err = s.client.Run(ctx, leastSend, []string{s.stream(r)}, r.direct.Body, s.client.EdgeBell(r.direct.Mesh, nobody)).Text()
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	return id, nil
}

func (s *stage) stream(r *role) string {
	return "least:" + s.client.Tag(r.direct.Mesh) + ":" + r.direct.Target
}
