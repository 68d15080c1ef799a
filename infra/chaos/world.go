package chaos

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// A mesh is one mesh of a run with what its owner would keep.
type mesh struct {
	id     string
	owner  string
	backup []wire.BackupRecord
	peers  []*actor
}

// An actor is one peer of a run.
type actor struct {
	name, mesh, memberID string
	memberSeed, seed     string
	key                  string // of its session
	steady               bool   // stays for the whole run, to see the others come and go
	driver               *driver
}

// world is the meshes of a run.
type world struct {
	store  *registry.Store
	meshes []*mesh
	actors []*actor
}

// seedFor derives a key of a run from its seed.
func seedFor(seed uint64, name string) [ed25519.SeedSize]byte {
	return sha256.Sum256(fmt.Appendf(nil, "claudemesh-chaos|%d|%s", seed, name))
}

func publicOf(seed [ed25519.SeedSize]byte) string {
	return wire.PublicKey(ed25519.NewKeyFromSeed(seed[:]))
}

// steadyPerMesh peers of each mesh never leave by themselves.
const steadyPerMesh = 2

// makeWorld makes meshes of at most perMesh peers, each a member of its own.
func makeWorld(ctx context.Context, c *redis.Client, seed uint64, peers, perMesh int, out *history.Writer) (*world, error) {
	w := &world{store: registry.New(c, registry.Options{})}
	for i := range peers {
		if i%perMesh == 0 {
			if err := w.addMesh(ctx, seed, i/perMesh); err != nil {
				return nil, fmt.Errorf("chaos: make a mesh: %w", err)
			}
		}
		m := w.meshes[len(w.meshes)-1]
		a, err := w.addActor(ctx, seed, m, i)
		if err != nil {
			return nil, fmt.Errorf("chaos: enrol: %w", err)
		}
		out.Write(history.Record{Kind: history.Declared, Peer: a.name, Mesh: a.mesh, About: a.key})
	}
	return w, w.save(ctx)
}

func (w *world) addMesh(ctx context.Context, seed uint64, n int) error {
	owner := publicOf(seedFor(seed, fmt.Sprintf("owner %d", n)))
	name := fmt.Sprintf("chaos %d", n)
	got, _, err := w.store.CreateMesh(ctx, registry.NewMesh{
		Name: name, OwnerKey: owner, MemberKey: publicOf(seedFor(seed, name)), Member: "founder",
	})
	if err != nil {
		return err
	}
	w.meshes = append(w.meshes, &mesh{id: got.ID, owner: owner})
	_, err = w.store.AddInvite(ctx, got.ID, registry.NewInvite{
		TokenHash: tokenHash(got.ID), Role: wire.RoleMember, MaxUses: wire.MaxInviteUses, ExpiresAt: time.Now().Add(24 * time.Hour),
	})
	return err
}

func tokenHash(mesh string) string {
	sum := sha256.Sum256([]byte(mesh))
	return hex.EncodeToString(sum[:])
}

func (w *world) addActor(ctx context.Context, seed uint64, m *mesh, n int) (*actor, error) {
	name := fmt.Sprintf("p%d", n)
	member, session := seedFor(seed, name+" member"), seedFor(seed, name+" session")
	got, err := w.store.Enrol(ctx, registry.Enrolment{Mesh: m.id, TokenHash: tokenHash(m.id), Key: publicOf(member), Name: name})
	if err != nil {
		return nil, err
	}
	a := &actor{
		name: name, mesh: m.id, memberID: got.MemberID, key: publicOf(session), steady: len(m.peers) < steadyPerMesh,
		memberSeed: hex.EncodeToString(member[:]), seed: hex.EncodeToString(session[:]),
	}
	m.peers = append(m.peers, a)
	w.actors = append(w.actors, a)
	return a, nil
}

// save makes the backup that an owner of each mesh would have.
func (w *world) save(ctx context.Context) error {
	for _, m := range w.meshes {
		for after := ""; ; {
			records, next, err := w.store.Backup(ctx, m.id, after)
			if err != nil {
				return fmt.Errorf("chaos: backup: %w", err)
			}
			m.backup = append(m.backup, records...)
			if after = next; after == "" {
				break
			}
		}
	}
	return nil
}

// restore puts back what Redis has lost.
func (w *world) restore(ctx context.Context) error {
	var errs []error
	for _, m := range w.meshes {
		if err := w.store.Restore(ctx, m.id, m.owner, m.backup); err != nil {
			errs = append(errs, fmt.Errorf("chaos: restore: %w", err))
		}
	}
	return errors.Join(errs...)
}
