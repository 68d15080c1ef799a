package edge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// record is what the roster keeps of a peer: what others see, and what the
// edge needs when the peer comes back.
type record struct {
	wire.PeerInfo
	MemberID string            `json:"memberId"`
	Since    map[string]uint64 `json:"since,omitempty"` // group → SEQ of the journal when it was joined
	Epoch    string            `json:"epoch,omitempty"` // of the journal that Since is about

	// Before holds the statistics of the member's earlier connections, which
	// are remembered beyond each of them.
	Before *wire.RestoredStats `json:"before,omitempty"`

	// Earlier is the same for the summary, until this connection has its own.
	Earlier *string `json:"earlier,omitempty"`
}

// lastSummary is the last one of the member, "" if there was none.
func (r *record) lastSummary() string {
	if last := cmp.Or(r.Summary, r.Earlier); last != nil {
		return *last
	}
	return ""
}

// totals adds the statistics of this connection to those before it. It is nil
// when there are none.
func (r *record) totals() *wire.RestoredStats {
	if r.Stats == nil {
		return r.Before
	}
	sum := wire.RestoredStats{
		MessagesIn: number(r.Stats.MessagesIn), MessagesOut: number(r.Stats.MessagesOut),
		ToolCalls: number(r.Stats.ToolCalls), Errors: number(r.Stats.Errors),
	}
	if b := r.Before; b != nil {
		sum.MessagesIn += b.MessagesIn
		sum.MessagesOut += b.MessagesOut
		sum.ToolCalls += b.ToolCalls
		sum.Errors += b.Errors
	}
	return &sum
}

func number(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}

func encodeRecord(r *record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("edge: encode record: %w", err)
	}
	return b, nil
}

func decodeRecord(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("edge: decode record: %w", err)
	}
	return r, nil
}

// freshRecord is the record of a peer that was away.
func freshRecord(c *conn, a *admission) record {
	visible := true
	r := record{MemberID: a.member.ID, PeerInfo: wire.PeerInfo{
		Pubkey: c.key, MemberPubkey: a.member.Key, DisplayName: a.about.DisplayName,
		Status: wire.StatusIdle, Groups: effectiveGroups(a), SessionID: a.about.SessionID,
		ConnectedAt: wire.At(time.Now()), Cwd: a.about.Cwd, PeerRole: wire.PeerRoleControlPlane,
		Hostname: a.about.Hostname, PeerType: a.about.PeerType, Channel: a.about.Channel, Model: a.about.Model,
		Visible: &visible,
	}}
	if r.DisplayName == "" {
		r.DisplayName = a.member.Name
	}
	if a.kind == presence.KindSession {
		r.PeerRole = wire.PeerRoleSession
	}
	if a.saved != nil {
		r.Before = a.saved.totals()
		r.Earlier = cmp.Or(a.saved.Summary, a.saved.Earlier)
		r.Profile = a.saved.Profile
		if a.saved.Visible != nil {
			r.Visible = a.saved.Visible
		}
	}
	return r
}

// effectiveGroups are those of the frame; else, for a hello, those that were
// saved; else the member's defaults. A session's empty list stays empty.
func effectiveGroups(a *admission) []wire.Group {
	switch session := a.kind == presence.KindSession; {
	case session && a.about.Groups != nil, len(a.about.Groups) > 0:
		return a.about.Groups
	case a.saved != nil && len(a.saved.Groups) > 0:
		return a.saved.Groups
	}
	return groupsOf(&a.member)
}

func (r *record) hidden() bool { return r.Visible != nil && !*r.Visible }

// audience derives from a record which messages reach the peer.
func (r *record) audience() audience {
	a := audience{hidden: r.hidden(), epoch: r.Epoch}
	for _, g := range r.Groups {
		a.groups = append(a.groups, memberOf{g.Name, r.Since[g.Name]})
	}
	return a
}

// info is how others see a peer: its record, and what the roster keeps beside
// it.
func info(p *presence.Presence) (wire.PeerInfo, bool) {
	r, err := decodeRecord(p.Record)
	if err != nil {
		return wire.PeerInfo{}, false
	}
	r.Status, r.ConnectedAt = wire.Status(p.Status.Value), wire.At(p.ConnectedAt)
	if r.Groups == nil {
		r.Groups = []wire.Group{}
	}
	return r.PeerInfo, true
}
