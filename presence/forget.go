package presence

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// forgottenFor is how long it is remembered of whom it was said that Redis has
// lost them. All edges of a fleet find out within a renewal interval or two.
const forgottenFor = time.Hour

// ErrHold says that what is missing in Redis is not believed to be gone, for
// now.
var ErrHold = errors.New("presence: on hold")

// ErrBehind says that the journal holds more than the caller has heard: it may
// say of those who are missing that they have left.
var ErrBehind = errors.New("presence: the journal has to be read first")

// maxAhead bounds the entries behind the caller's place that are looked through
// for those who have left. Each announcement is one, so no more than that can be
// made in a row.
const maxAhead = 64

// Known is a peer as others were told of it.
type Known struct {
	Peer
	Member   string // the member's key
	Key      string // the key shown to others
	Name     string
	Everyone bool // events also go to connections of the same member
}

// Forget announces as left those of whom Redis has lost lease and record, and
// says nothing of all others: whoever comes back, or is written back by its
// edge, must have had the time for it. Any number of processes may say so; the
// mesh hears it once. Heard is the place up to which the caller has followed the
// journal: those who have left behind it are not announced again. Forget returns
// [ErrHold] when Redis is not to be believed just now, and [ErrBehind] when that
// place is too far back, or is in no journal, or when the caller has to hear of
// the first of them before the others can be announced.
func (w *Watcher) Forget(ctx context.Context, mesh string, heard Cursor, ps []Known) error {
	held, ok := w.warrant(ctx, w.store.rdb.Partition(mesh))
	if !ok {
		return ErrHold
	}
	var errs []error
	if len(ps) > maxAhead {
		ps, errs = ps[:maxAhead], append(errs, ErrBehind)
	}
	calls := make([]redis.Call, len(ps))
	for i, p := range ps {
		calls[i] = w.store.forgetting(p, heard, held)
	}
	for i, cmd := range w.store.rdb.RunAll(ctx, calls) {
		answer, err := cmd.StringSlice()
		switch {
		case err != nil:
			errs = append(errs, failed("forget", err))
		case len(answer) == 1:
			errs = append(errs, ErrBehind)
		case len(answer) == 3:
			seq, _ := parseCount(answer[2])
			w.owe(Left{
				Peer: ps[i].Peer, Generation: answer[1], Member: ps[i].Member, Key: ps[i].Key, Announced: true, Seq: seq,
			})
		}
	}
	return errors.Join(errs...)
}

func (s *Store) forgetting(p Known, heard Cursor, held warrant) redis.Call {
	data, err := json.Marshal(struct {
		Name   string `json:"name"`
		Pubkey string `json:"pubkey"`
	}{p.Name, p.Key})
	if err != nil {
		data = []byte("{}") // strings can always be encoded
	}
	keys, args := s.subject(p.Peer, newEpoch(), held.runID, held.latest,
		p.Member, p.Key, joinFlags(Presence{Announced: true, Everyone: p.Everyone}), data, millis(forgottenFor), heard.String(), maxAhead)
	return redis.Call{
		Script: s.scripts.forget, Keys: append(keys, forgottenKey(s.rdb.Tag(p.Mesh), p.Mesh)), Args: args,
	}
}

// EventID is the id under which an attachment's joining or leaving is
// announced, however often that is: lua/record.lua makes the same.
func EventID(p Peer, generation, event string) string {
	sum := sha1.Sum([]byte(strings.Join([]string{p.Mesh, p.ID, generation, event, ""}, "|"))) // a name, not a secret
	h := hex.EncodeToString(sum[:])
	return fmt.Sprintf("%s-%s-5%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}
