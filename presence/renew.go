package presence

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// Renewal asks for one lease to be extended.
type Renewal struct {
	Held

	// Cursor is the place in the journal that the connection has confirmed. It
	// starts as [Attached.Start]. Its epoch tells a peer that was announced as
	// left from one whose data Redis lost, so better never leave it empty.
	Cursor string

	// Snapshot gives the peer's record as the edge knows it, in case Redis has
	// lost it. It is called only when the lease could not simply be renewed.
	Snapshot func() Presence
}

// RenewOutcome tells what became of a [Renewal].
type RenewOutcome string

// The outcomes of [Store.Renew].
const (
	Unanswered RenewOutcome = ""           // Redis did not say: ask again
	Renewed    RenewOutcome = "renewed"    // as always
	Restored   RenewOutcome = "restored"   // the lease had run out, or Redis lost data; written back, nobody was told
	Superseded RenewOutcome = "superseded" // a newer attachment holds the peer: close as replaced
	Gone       RenewOutcome = "gone"       // announced as left: close as restarting, so that the client joins anew
)

// Renew extends leases and stores their cursors. The outcomes are in the order
// of rs; err is not nil when some are [Unanswered].
func (s *Store) Renew(ctx context.Context, rs []Renewal) ([]RenewOutcome, error) {
	out := make([]RenewOutcome, len(rs))
	var others []int
	var errs error
	batches := s.byPartition(rs)
	calls := make([]redis.Call, len(batches))
	for i, batch := range batches {
		calls[i] = s.renewal(rs, batch)
	}
	for i, cmd := range s.rdb.RunAll(ctx, calls) {
		positions, err := cmd.Int64Slice()
		if err != nil {
			errs = failed("renew", err) // one of them says enough: they fail alike
			continue
		}
		for _, n := range batches[i] {
			out[n] = Renewed
		}
		for _, at := range positions {
			others = append(others, batches[i][at-1])
		}
	}
	return out, errors.Join(errs, s.restore(ctx, rs, others, out))
}

// byPartition splits rs into batches that one script may handle, as indexes.
func (s *Store) byPartition(rs []Renewal) (batches [][]int) {
	open := make(map[int]int) // partition → its batch that is not full
	for i, r := range rs {
		partition := s.rdb.Partition(r.Mesh)
		n, ok := open[partition]
		if !ok || len(batches[n]) == MaxPerScript {
			n = len(batches)
			open[partition] = n
			batches = append(batches, nil)
		}
		batches[n] = append(batches[n], i)
	}
	return batches
}

func (s *Store) renewal(rs []Renewal, batch []int) redis.Call {
	keys := make([]string, 0, 3*len(batch))
	args := make([]any, 1, 1+3*len(batch))
	args[0] = millis(s.lifetime())
	for _, i := range batch {
		r := &rs[i]
		tag := s.rdb.Tag(r.Mesh)
		keys = append(keys, leaseKey(tag, r.Peer), rosterKey(tag, r.Mesh), cursorKey(tag, r.Mesh))
		args = append(args, r.ID, r.Value(), goodCursor(r.Cursor))
	}
	return redis.Call{Script: s.scripts.renew, Keys: keys, Args: args}
}

// restore decides about those of rs that were not renewed, and writes them
// back if nobody was told that they had left.
func (s *Store) restore(ctx context.Context, rs []Renewal, others []int, out []RenewOutcome) error {
	calls := make([]redis.Call, len(others))
	for i, n := range others {
		r := rs[n]
		keys, args := s.subject(r.Peer, noCursor,
			r.Value(), r.Generation, millis(s.lifetime()), goodCursor(r.Cursor), r.record())
		calls[i] = redis.Call{Script: s.scripts.restore, Keys: keys, Args: args}
	}
	var errs error
	for i, cmd := range s.rdb.RunAll(ctx, calls) {
		word, err := cmd.Text()
		switch out[others[i]] = RenewOutcome(word); {
		case err != nil:
			out[others[i]], errs = Unanswered, failed("restore", err)
		case word == "missing":
			out[others[i]], errs = Unanswered, errors.New("presence: restore: the record is lost and there is no snapshot")
		}
	}
	return errs
}

// record is the snapshot as the roster holds it, or "" without one.
func (r Renewal) record() string {
	if r.Snapshot == nil {
		return ""
	}
	p := r.Snapshot()
	p.Generation = r.Generation
	if p.Status.Value == "" {
		p.Status = Status{Value: StatusIdle, Source: SourceJSONL, At: time.Now()}
	}
	if p.ConnectedAt.IsZero() {
		p.ConnectedAt = time.Now()
	}
	return formatRecord(p)
}
