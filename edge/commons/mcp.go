package commons

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// serverShelf holds the MCP servers that peers host: name → serverRecord. All
// of them fit into one list.
var serverShelf = shelf{name: "mcp", fields: 500, bytes: 2 << 20}

const (
	// maxServers bounds the servers of one member.
	maxServers = 50

	// offlineFor is how long a persistent server is listed whose host is gone.
	offlineFor = 30 * 24 * time.Hour
)

// serverRecord is an MCP server that a peer hosts.
type serverRecord struct {
	Description string              `json:"description"`
	Tools       []wire.MCPToolBrief `json:"tools"` // nobody asks a broker for their schemas
	Persistent  bool                `json:"persistent,omitempty"`
	At          int64               `json:"at"` // milliseconds

	// The host, and its name.
	Peer       string `json:"peer"`
	Generation string `json:"generation"`
	Member     string `json:"member"`
	HostedBy   string `json:"hostedBy"`

	// Offline is since when the host is gone, in milliseconds; 0 while it is
	// here or in its grace.
	Offline int64 `json:"offline,omitempty"`
}

func (s *Commons) registerServers() {
	on(s.table, s.mcpRegister)
	on(s.table, s.mcpUnregister)
	on(s.table, s.mcpList)
	on(s.table, s.mcpCall)
	on(s.table, s.mcpCallResponse)
	s.left = append(s.left, s.leftServers)
	s.jobs[serverShelf.name] = job{do: s.forgetServer}
}

func (s *Commons) server(ctx context.Context, mesh, name string) (text string, r serverRecord, err error) {
	text, err = s.get(ctx, mesh, serverShelf, name)
	if err == nil && text != "" {
		r, err = decodeRecord[serverRecord](text)
	}
	return text, r, err
}

func (s *Commons) servers(ctx context.Context, mesh string) (texts map[string]string, records map[string]serverRecord, err error) {
	if texts, err = s.all(ctx, mesh, serverShelf); err != nil {
		return nil, nil, err
	}
	records, err = decodeAll[serverRecord](texts)
	return texts, records, err
}

// mcpRegister takes a name that is free or the same member's. One that is
// another's stays so, also while its host is away: who calls it should get what
// it knows by that name.
func (s *Commons) mcpRegister(ctx context.Context, who *Caller, m *wire.MCPRegister) (wire.Message, error) {
	r := serverRecord{
		Description: m.Description, Tools: make([]wire.MCPToolBrief, len(m.Tools)), Persistent: m.Persistent,
		At: time.Now().UnixMilli(), Member: who.Member.Key,
	}
	told := wire.MCPEvent{ServerName: m.ServerName, Description: m.Description, Tools: make([]string, len(m.Tools)), HostedBy: who.Name}
	for i, t := range m.Tools {
		r.Tools[i] = wire.MCPToolBrief{Name: t.Name, Description: t.Description}
		told.Tools[i] = t.Name
	}
	e, err := eventEntry(who, wire.EventMCPRegistered, told)
	if err != nil {
		return nil, err
	}
	err = retry(ctx, func() error {
		old, before, err := s.server(ctx, who.Peer.Mesh, m.ServerName)
		if err != nil {
			return err
		}
		if old != "" && before.Member != who.Member.Key {
			return refuse(wire.CodeForbidden, "MCP server %q is hosted by %s: choose another name", m.ServerName, before.HostedBy)
		}
		if old == "" {
			if err := s.roomForServer(ctx, who); err != nil {
				return err
			}
		}
		return s.host(ctx, who, m.ServerName, old, r, e)
	})
	return &wire.MCPRegisterAck{ServerName: m.ServerName, ToolCount: len(m.Tools), ReqID: m.ReqID}, err
}

// host binds a server to the caller.
func (s *Commons) host(ctx context.Context, who *Caller, name, old string, r serverRecord, told entry) error {
	r.Peer, r.Generation, r.HostedBy, r.Offline = who.Peer.ID, who.Generation, who.Name, 0
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	_, _, err = s.apply(ctx, act{
		mesh: who.Peer.Mesh, by: who, entries: []entry{told},
		changes: []change{set(serverShelf, name, record).was(old).done(), owning(who)},
	})
	return err
}

func (s *Commons) roomForServer(ctx context.Context, who *Caller) error {
	_, records, err := s.servers(ctx, who.Peer.Mesh)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range records {
		if r.Member == who.Member.Key {
			n++
		}
	}
	if n >= maxServers {
		return refuse(wire.CodeFull, "a member may host %d MCP servers: unregister one first", maxServers)
	}
	return nil
}

func (s *Commons) mcpUnregister(ctx context.Context, who *Caller, m *wire.MCPUnregister) (wire.Message, error) {
	return nil, retry(ctx, func() error {
		old, r, err := s.server(ctx, who.Peer.Mesh, m.ServerName)
		if err != nil || old == "" {
			return err
		}
		refusal := refuse(wire.CodeForbidden, "MCP server %q is hosted by %s: only they or an admin may remove it", m.ServerName, r.HostedBy)
		if err := s.mayChange(ctx, who, r.Member, refusal); err != nil {
			return err
		}
		told, err := eventEntry(who, wire.EventMCPUnregistered, wire.MCPEvent{ServerName: m.ServerName, HostedBy: r.HostedBy})
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{
			mesh: who.Peer.Mesh, by: who, entries: []entry{told},
			changes: []change{remove(serverShelf, m.ServerName).was(old).done()},
		})
		return err
	})
}

func (s *Commons) mcpList(ctx context.Context, who *Caller, m *wire.MCPList) (wire.Message, error) {
	_, records, err := s.servers(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	reply := &wire.MCPListResult{Servers: []wire.MCPServer{}, ReqID: m.ReqID}
	for _, name := range oldestFirst(records, func(r serverRecord) int64 { return r.At }) {
		r := records[name]
		one := wire.MCPServer{
			Name: name, Description: r.Description, HostedBy: r.HostedBy, Tools: r.Tools, Online: r.Offline == 0,
		}
		if r.Offline > 0 {
			at := moment(r.Offline)
			one.OfflineSince = &at
		}
		reply.Servers = append(reply.Servers, one)
	}
	return reply, nil
}

func (s *Commons) mcpCall(ctx context.Context, who *Caller, m *wire.MCPCall) (wire.Message, error) {
	text, r, err := s.server(ctx, who.Peer.Mesh, m.ServerName)
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return &wire.MCPCallResult{Error: wire.MCPUnknown(m.ServerName), ReqID: m.ReqID}, nil
	case r.Offline > 0:
		away := time.Since(time.UnixMilli(r.Offline))
		return &wire.MCPCallResult{Error: wire.MCPOffline(m.ServerName, r.HostedBy, away), ReqID: m.ReqID}, nil
	}
	args := m.Args
	if args == nil {
		args = []byte("{}")
	}
	return nil, s.call(ctx, who, callRecord{
		Asks: wire.TypeMCPCall, Req: m.ReqID, About: m.ServerName, Within: wire.MCPCallTimeout.Milliseconds(),
		Host: r.Peer, HostGeneration: r.Generation,
	}, func(id string) wire.Message {
		return &wire.MCPCallForward{
			CallID: id, ServerName: m.ServerName, ToolName: m.ToolName, Args: args, CallerName: who.Name,
		}
	})
}

func (s *Commons) mcpCallResponse(ctx context.Context, who *Caller, m *wire.MCPCallResponse) (wire.Message, error) {
	return nil, s.answerCall(ctx, who, m.CallID, wire.TypeMCPCall, func(r *callRecord) wire.Message {
		return &wire.MCPCallResult{Result: m.Result, Error: m.Error, ReqID: r.Req}
	})
}

// leftServers ends what a leaver hosted. What is persistent stays listed.
func (s *Commons) leftServers(ctx context.Context, l presence.Left) error {
	_, records, err := s.servers(ctx, l.Mesh)
	if err != nil {
		return err
	}
	var errs []error
	for name, r := range records {
		if owned(r.Peer, r.Generation, l) && r.Offline == 0 {
			errs = append(errs, s.unhost(ctx, l, name))
		}
	}
	return errors.Join(errs...)
}

func (s *Commons) unhost(ctx context.Context, l presence.Left, name string) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	return retry(ctx, func() error {
		old, r, err := s.server(ctx, l.Mesh, name)
		if err != nil || old == "" || !owned(r.Peer, r.Generation, l) || r.Offline > 0 {
			return err
		}
		c := remove(serverShelf, name).done()
		if r.Persistent {
			r.Offline = now
			record, err := encodeRecord(r)
			if err != nil {
				return err
			}
			c = set(serverShelf, name, record).dueAt(now + offlineFor.Milliseconds())
		}
		_, _, err = s.apply(ctx, act{mesh: l.Mesh, tidy: true, changes: []change{c.was(old)}})
		return err
	})
}

// restoreServers brings back what the caller's member hosted, now hosted by the
// caller.
func (s *Commons) restoreServers(ctx context.Context, who *Caller) error {
	texts, records, err := s.servers(ctx, who.Peer.Mesh)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range oldestFirst(records, func(r serverRecord) int64 { return r.At }) {
		r := records[name]
		if r.Member != who.Member.Key || r.Offline == 0 {
			continue
		}
		told, err := eventEntry(nil, wire.EventMCPRestored, wire.MCPEvent{ServerName: name, HostedBy: who.Name})
		if err == nil {
			err = s.host(ctx, who, name, texts[name], r, told)
		}
		if !errors.Is(err, errConflict) { // registered anew meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// forgetServer is the job of a server whose host has not come back.
func (s *Commons) forgetServer(ctx context.Context, mesh, name string) error {
	old, r, err := s.server(ctx, mesh, name)
	if err != nil {
		return err
	}
	c := change{shelf: serverShelf, field: name}
	if r.Offline > 0 {
		c = remove(serverShelf, name)
	}
	return unlessDone(s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{c.was(old).done()}}))
}
