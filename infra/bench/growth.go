package bench

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// times is how much larger everything becomes.
const times = 100

// growth measures a message's cost to Redis in a small installation and in one
// that is larger a hundred times, in one way after the other.
func (b *bench) growth(ctx context.Context) ([]row, error) {
	roles := max(pairs/pairsPerMesh, 1)
	small, err := b.newStage(ctx, roles)
	if err != nil {
		return nil, err
	}
	defer small.close()
	large, err := b.newStage(ctx, roles)
	if err != nil {
		return nil, err
	}
	defer large.close()
	var rows []row
	for _, way := range []struct {
		what string
		grow func(*stage, context.Context, int) error
	}{
		{"members of the mesh", (*stage).moreMembers},
		{"other meshes", (*stage).moreMeshes},
		{"messages waiting in the inbox", (*stage).moreWaiting},
	} {
		unit := max(1, min(10, b.Peers/times))
		if err := way.grow(small, ctx, unit); err != nil {
			return rows, err
		}
		if err := way.grow(large, ctx, unit*times); err != nil {
			return rows, err
		}
		var few, many series
		err := b.rounds(
			func(int) (err error) { few, err = small.cost(ctx, few, b.Round/4, small.verbs); return err },
			func(int) (err error) { many, err = large.cost(ctx, many, b.Round/4, large.verbs); return err },
		)
		rows = append(rows, row{
			fmt.Sprintf("Redis's processor, a message, as %s grow to %d", way.what, unit*times), "µs", many,
			fmt.Sprintf("with %d", unit), few,
			[]goal{atMost(ratio, 1.1)},
		})
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// moreMembers gives each mesh n members who are present, as far as sends look.
func (s *stage) moreMembers(ctx context.Context, n int) error {
	for mesh := range s.meshes() {
		pipe := s.client.Raw().Pipeline()
		for range n {
			key, session := wire.PublicKey(newKey()), wire.PublicKey(newKey())
			pipe.HSet(ctx, s.registry.MembersKey(mesh), key, `{"name":"somebody"}`)
			pipe.HSet(ctx, s.registry.SessionsKey(mesh), session, key+" 1")
			pipe.HSet(ctx, "reader:"+s.client.Tag(mesh)+":"+mesh, session, "1/"+session+"/1/"+nobody+"/"+key)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	return nil
}

func (s *stage) meshes() map[string]bool {
	out := map[string]bool{}
	for _, r := range s.roles {
		out[r.direct.Mesh] = true
	}
	return out
}

// moreMeshes makes n meshes.
func (s *stage) moreMeshes(ctx context.Context, n int) error {
	return each(ctx, n, func(ctx context.Context, _ int) error {
		_, err := s.newMesh(ctx)
		return err
	})
}

// moreWaiting has n messages wait in each inbox.
func (s *stage) moreWaiting(ctx context.Context, n int) error { return s.fill(ctx, n) }
