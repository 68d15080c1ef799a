package commons

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// What the audit log tells is what changes who may do what. Messages, changes
// of state, comings and goings are not in it: a member may make hundreds of
// them a minute, and would push out of the log what it is kept for.

func (s *Commons) registerAudit() {
	on(s.table, s.auditQuery)
	on(s.table, s.auditVerify)
}

// auditQuery shows the log to any member. The particulars of an entry are for
// admins, and for who did it.
func (s *Commons) auditQuery(ctx context.Context, who *Caller, m *wire.AuditQuery) (wire.Message, error) {
	if m.Offset < 0 || m.Limit < 0 {
		return nil, refuse(wire.CodeAuditQueryError, "limit and offset must not be negative")
	}
	admin, err := s.isAdmin(ctx, who)
	if err != nil {
		return nil, s.auditFailed(ctx, wire.CodeAuditQueryError, err)
	}
	found, total, err := s.auditPage(ctx, who.Peer.Mesh, m)
	if err != nil {
		return nil, s.auditFailed(ctx, wire.CodeAuditQueryError, err)
	}
	reply := &wire.AuditResult{Entries: []wire.AuditEntry{}, Total: total, ReqID: m.ReqID}
	for i := range found {
		e := wire.AuditEntry{
			ID: found[i].ID, EventType: found[i].Event, Actor: found[i].Actor, Payload: json.RawMessage("{}"),
			Hash: found[i].Hash, CreatedAt: wire.At(found[i].At),
		}
		if admin || found[i].Actor == who.Member.ID {
			e.Payload = found[i].Payload
		}
		reply.Entries = append(reply.Entries, e)
	}
	return reply, nil
}

// auditPage reads the entries that a query is about, newest first, and counts
// all of its kind. The log is bounded, so that walking it is.
func (s *Commons) auditPage(ctx context.Context, mesh string, m *wire.AuditQuery) (page []registry.AuditEntry, total int, err error) {
	skip, before := m.Offset, ""
	for {
		found, all, err := s.registry.Audit(ctx, mesh, before, wire.MaxAuditPage)
		if err != nil {
			return nil, 0, err
		}
		for i := range found {
			switch {
			case m.EventType != "" && found[i].Event != m.EventType:
				continue
			case total >= skip && len(page) < m.Page():
				page = append(page, found[i])
			}
			total++
		}
		switch {
		case m.EventType == "" && len(page) == m.Page():
			return page, all, nil // it need not be counted
		case len(found) < wire.MaxAuditPage:
			return page, total, nil
		}
		before = found[len(found)-1].ID
	}
}

func (s *Commons) auditVerify(ctx context.Context, who *Caller, m *wire.AuditVerify) (wire.Message, error) {
	if err := s.charge(ctx, who); err != nil {
		return nil, err
	}
	n, brokenAt, err := s.registry.VerifyAudit(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, s.auditFailed(ctx, wire.CodeAuditVerifyError, err)
	}
	return &wire.AuditVerifyResult{
		AuditVerdict: wire.AuditVerdict{Valid: brokenAt == "", Entries: n, BrokenAt: brokenAt}, ReqID: m.ReqID,
	}, nil
}

// auditFailed refuses in the words of the family what could not be read.
func (s *Commons) auditFailed(ctx context.Context, code wire.Code, err error) error {
	s.log.WarnContext(ctx, "audit", "err", err)
	return refuse(code, "the audit log cannot be read just now, try again")
}
