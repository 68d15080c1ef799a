package commons

import (
	"context"
	"slices"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func (s *Commons) registerInfo() { on(s.table, s.meshInfo) }

// meshInfo shows the mesh at a glance. Hidden peers are not counted.
func (s *Commons) meshInfo(ctx context.Context, who *Caller, m *wire.MeshInfo) (wire.Message, error) {
	mesh := who.Peer.Mesh
	r := &wire.MeshInfoResult{
		Mesh: mesh, Groups: []string{}, StateKeys: []string{}, Streams: []string{}, Tables: []string{}, Collections: []string{},
		YourName: who.Name, YourGroups: who.Groups, ReqID: m.ReqID,
	}
	if r.YourGroups == nil {
		r.YourGroups = []wire.Group{}
	}
	for _, fill := range []func(context.Context, string, *wire.MeshInfoResult) error{
		s.infoPeers, s.infoState, s.infoTasks, s.infoStreams, s.infoMemory,
	} {
		if err := fill(ctx, mesh, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (s *Commons) infoPeers(ctx context.Context, mesh string, r *wire.MeshInfoResult) error {
	peers, err := s.presence.Roster(ctx, mesh)
	if err != nil {
		return err
	}
	for _, p := range peers {
		if p.Transient || !p.Announced {
			continue
		}
		r.Peers++
		about, err := decodeRecord[wire.PeerInfo](string(p.Record))
		if err != nil {
			return err
		}
		for _, g := range about.Groups {
			r.Groups = append(r.Groups, "@"+g.Name)
		}
	}
	slices.Sort(r.Groups)
	r.Groups = slices.Compact(r.Groups)
	return nil
}

func (s *Commons) infoState(ctx context.Context, mesh string, r *wire.MeshInfoResult) (err error) {
	r.StateKeys, err = s.fields(ctx, mesh, stateShelf)
	return err
}

func (s *Commons) infoStreams(ctx context.Context, mesh string, r *wire.MeshInfoResult) (err error) {
	r.Streams, err = s.fields(ctx, mesh, streamShelf)
	return err
}

func (s *Commons) infoMemory(ctx context.Context, mesh string, r *wire.MeshInfoResult) (err error) {
	r.MemoryCount, err = s.count(ctx, mesh, memoryShelf)
	return err
}

func (s *Commons) infoTasks(ctx context.Context, mesh string, r *wire.MeshInfoResult) error {
	records, err := s.tasks(ctx, mesh)
	if err != nil {
		return err
	}
	for _, t := range records {
		switch t.Status {
		case wire.TaskOpen:
			r.Tasks.Open++
		case wire.TaskClaimed:
			r.Tasks.Claimed++
		case wire.TaskDone:
			r.Tasks.Done++
		}
	}
	return nil
}

// fields lists the fields of a shelf in order.
func (s *Commons) fields(ctx context.Context, mesh string, sh shelf) ([]string, error) {
	names, err := s.redis.Raw().HKeys(ctx, s.key(mesh, sh)).Result()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return notNil(names), nil
}
