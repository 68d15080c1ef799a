package commons_test

import (
	"fmt"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func audit(p *edgetest.Peer, q wire.AuditQuery) *wire.AuditResult {
	q.ReqID = reqID()
	return ask[*wire.AuditResult](p, &q)
}

func TestTheAuditLogIsPagedAndFilteredNewestFirst(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, ana := m.Session(one, founder), m.Session(other, "ana")
	for i := range 5 {
		setGrants(ana, fmt.Sprintf("%064d", i), []wire.Capability{wire.CapDM})
	}
	all := audit(boss, wire.AuditQuery{})
	if all.Total != len(all.Entries) || all.Total < 7 || all.Entries[0].EventType != "grants_changed" {
		t.Fatalf("total %d, entries %+v", all.Total, all.Entries)
	}
	page := audit(boss, wire.AuditQuery{Limit: 2, Offset: 3})
	if page.Total != all.Total || len(page.Entries) != 2 || page.Entries[0].ID != all.Entries[3].ID {
		t.Errorf("page: total %d, %+v", page.Total, page.Entries)
	}
	if of := audit(boss, wire.AuditQuery{EventType: "grants_changed", Limit: 2, Offset: 4}); of.Total != 5 || len(of.Entries) != 1 {
		t.Errorf("of one kind: total %d, %+v", of.Total, of.Entries)
	}
	if none := audit(boss, wire.AuditQuery{Offset: 1 << 40}); none.Total != all.Total || len(none.Entries) != 0 {
		t.Errorf("past the end: %+v", none)
	}
	refusal(t, boss, &wire.AuditQuery{Offset: -1, ReqID: reqID()}, wire.CodeAuditQueryError)
}

func TestParticularsOfTheAuditLogAreForAdminsAndForWhoDidIt(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, ana, bob := m.Session(one, founder), m.Session(other, "ana"), m.Session(other, "bob")
	setGrants(ana, bob.Member.Pub(), []wire.Capability{})
	for _, c := range []struct {
		who   *edgetest.Peer
		shown bool
	}{{boss, true}, {ana, true}, {bob, false}} {
		e := audit(c.who, wire.AuditQuery{Limit: 1}).Entries[0]
		if e.EventType != "grants_changed" || e.Actor != ana.Member.ID || e.Hash == "" || (string(e.Payload) != "{}") != c.shown {
			t.Errorf("%s sees %+v, payload %s", c.who.Member.Name, e, e.Payload)
		}
	}
}

func TestAChangedAuditLogIsFoundOutAndOneThatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, ana := m.Session(one, founder), m.Session(other, "ana")
	verify := func() *wire.AuditVerifyResult {
		return ask[*wire.AuditVerifyResult](ana, &wire.AuditVerify{ReqID: reqID()})
	}
	entries := audit(boss, wire.AuditQuery{}).Entries
	if got := verify(); !got.Valid || got.Entries != len(entries) || got.BrokenAt != "" {
		t.Errorf("verdict %+v of %d entries", *got, len(entries))
	}
	key := "audit:" + one.Client.Tag(m.ID) + ":" + m.ID
	if err := one.Client.Raw().XDel(t.Context(), key, entries[1].ID).Err(); err != nil {
		t.Fatal(err)
	}
	if got := verify(); got.Valid || got.BrokenAt != entries[0].ID {
		t.Errorf("verdict %+v, want broken at %s", *got, entries[0].ID)
	}
	if err := one.Client.Raw().Set(t.Context(), key, "no log", 0).Err(); err != nil {
		t.Fatal(err)
	}
	refusal(t, ana, &wire.AuditVerify{ReqID: reqID()}, wire.CodeAuditVerifyError)
	refusal(t, boss, &wire.AuditQuery{ReqID: reqID()}, wire.CodeAuditQueryError)
}
