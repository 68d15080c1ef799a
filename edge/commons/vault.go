package commons

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// vaultRecord is one sealed value.
type vaultRecord struct {
	Ciphertext  string         `json:"ciphertext"`
	Nonce       string         `json:"nonce"`
	SealedKey   string         `json:"sealedKey"`
	Type        wire.VaultType `json:"type"`
	MountPath   string         `json:"mountPath,omitempty"`
	Description string         `json:"description,omitempty"`
	At          int64          `json:"at"` // milliseconds
}

// vaultShelf is one member's own shelf: key → vaultRecord. Nobody else's
// requests name it.
func vaultShelf(member string) shelf {
	return shelf{name: "vault-" + member, fields: 200, bytes: 2 << 20}
}

func (s *Commons) registerVault() {
	on(s.table, s.vaultSet)
	on(s.table, s.vaultList)
	on(s.table, s.vaultGet)
	on(s.table, s.vaultDelete)
	on(s.table, s.vaultClear)
}

func (s *Commons) vaultSet(ctx context.Context, who *Caller, m *wire.VaultSet) (wire.Message, error) {
	record, err := encodeRecord(vaultRecord{
		Ciphertext: m.Ciphertext, Nonce: m.Nonce, SealedKey: m.SealedKey, Type: m.EntryType, MountPath: m.MountPath,
		Description: m.Description, At: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(vaultShelf(who.Member.Key), m.Key, record)}})
	return &wire.VaultAck{Key: m.Key, Action: wire.VaultStored, ReqID: m.ReqID}, err
}

func (s *Commons) vaultList(ctx context.Context, who *Caller, m *wire.VaultList) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, vaultShelf(who.Member.Key))
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[vaultRecord](all)
	if err != nil {
		return nil, err
	}
	reply := &wire.VaultListResult{Entries: []wire.VaultBrief{}, ReqID: m.ReqID}
	for _, key := range oldestFirst(records, func(r vaultRecord) int64 { return r.At }) {
		r := records[key]
		reply.Entries = append(reply.Entries, wire.VaultBrief{
			Key: key, EntryType: r.Type, MountPath: orNull(r.MountPath), Description: orNull(r.Description),
			UpdatedAt: moment(r.At),
		})
	}
	return reply, nil
}

func (s *Commons) vaultGet(ctx context.Context, who *Caller, m *wire.VaultGet) (wire.Message, error) {
	reply := &wire.VaultGetResult{Entries: []wire.VaultEntry{}, ReqID: m.ReqID}
	for _, key := range m.Keys {
		text, err := s.get(ctx, who.Peer.Mesh, vaultShelf(who.Member.Key), key)
		if err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		r, err := decodeRecord[vaultRecord](text)
		if err != nil {
			return nil, err
		}
		reply.Entries = append(reply.Entries, wire.VaultEntry{
			Key: key, Ciphertext: r.Ciphertext, Nonce: r.Nonce, SealedKey: r.SealedKey, EntryType: r.Type,
			MountPath: orNull(r.MountPath),
		})
	}
	return reply, nil
}

func (s *Commons) vaultDelete(ctx context.Context, who *Caller, m *wire.VaultDelete) (wire.Message, error) {
	sh := vaultShelf(who.Member.Key)
	reply := &wire.VaultAck{Key: m.Key, Action: wire.VaultNotFound, ReqID: m.ReqID}
	old, err := s.get(ctx, who.Peer.Mesh, sh, m.Key)
	if err != nil || old == "" {
		return reply, err
	}
	reply.Action = wire.VaultDeleted
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{remove(sh, m.Key)}})
	return reply, err
}

// vaultClear empties the vaults of members that were shut out, for an admin:
// nobody else could, and they count against the bounds of the mesh. What was in
// them, only those members could open.
func (s *Commons) vaultClear(ctx context.Context, who *Caller, m *wire.VaultClear) (wire.Message, error) {
	if err := s.charge(ctx, who); err != nil {
		return nil, err
	}
	if err := s.needsAdmin(ctx, who, refuse(wire.CodeForbidden, "only an admin can clear the vaults of others")); err != nil {
		return nil, err
	}
	members, err := s.registry.Members(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	out := shutOut(members)
	if m.Target != "" {
		one, err := oneOf(out, m.Target)
		if err != nil {
			return nil, err
		}
		out = []registry.Member{one}
	}
	reply := &wire.VaultAck{Key: m.Target, Action: wire.VaultNotFound, ReqID: m.ReqID}
	for _, r := range out {
		had, err := s.emptyVault(ctx, who, r.Key)
		if err != nil {
			return nil, err
		}
		if had {
			reply.Action = wire.VaultCleared
		}
	}
	return reply, nil
}

// emptyVault removes a member's entries, and reports whether there were any.
func (s *Commons) emptyVault(ctx context.Context, who *Caller, member string) (had bool, err error) {
	sh := vaultShelf(member)
	n, err := s.count(ctx, who.Peer.Mesh, sh)
	if err != nil || n == 0 {
		return false, err
	}
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, free: true, tidy: true, drop: []string{sh.name}})
	return true, err
}
