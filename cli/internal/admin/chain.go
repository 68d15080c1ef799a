package admin

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// MaxPage bounds one answer of a list that has pages.
	MaxPage = 200

	// auditFull is how many entries a log has whose oldest were dropped: it keeps
	// 10,000, and drops some more while it is read.
	auditFull = 9_000
)

// Chain is an audit log as it was recomputed here.
type Chain struct {
	Entries  int    // that hold
	BrokenAt string // the first that does not; empty if all do
	Complete bool   // it goes back to the mesh's beginning
}

// AuditAll reads the whole log, oldest first.
func (m *Mesh) AuditAll(ctx context.Context) ([]wire.AuditEntry, error) {
	var all []wire.AuditEntry
	before := ""
	for {
		page, err := m.Audit(ctx, before, MaxPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			if before != "" && !Older(e.ID, before) {
				return nil, &StatusError{Broker: m.Broker, Status: 200} // it would never end
			}
			all, before = append(all, e), e.ID
		}
		if len(page.Entries) < MaxPage {
			slices.Reverse(all)
			return all, nil
		}
	}
}

// Recompute follows the chain of hashes from the oldest entry. The hash in
// front of that one is known only while nothing was dropped.
func Recompute(meshID string, entries []wire.AuditEntry) Chain {
	var c Chain
	prev := wire.AuditGenesis
	for i, e := range entries {
		want, err := wire.AuditHash(prev, meshID, e.EventType, e.Actor, e.Payload, e.CreatedAt.Time)
		switch {
		case err == nil && e.Hash == want:
			c.Complete = c.Complete || i == 0
		case i > 0 || err != nil || e.Hash == "" || len(entries) < auditFull:
			c.BrokenAt = e.ID
			return c
		}
		prev = e.Hash
		c.Entries++
	}
	return c
}

// Older reports whether an entry's id, "MS-N", comes before another.
func Older(a, b string) bool {
	ams, an := splitID(a)
	bms, bn := splitID(b)
	return ams < bms || ams == bms && an < bn
}

func splitID(id string) (ms, n uint64) {
	left, right, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(left, 10, 64)
	n, _ = strconv.ParseUint(right, 10, 64)
	return ms, n
}
