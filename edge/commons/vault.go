package commons

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
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
func vaultShelf(who *Caller) shelf {
	return shelf{name: "vault-" + who.Member.Key, fields: 200, bytes: 2 << 20}
}

func (s *Commons) registerVault() {
	on(s.table, s.vaultSet)
	on(s.table, s.vaultList)
	on(s.table, s.vaultGet)
	on(s.table, s.vaultDelete)
}

func (s *Commons) vaultSet(ctx context.Context, who *Caller, m *wire.VaultSet) (wire.Message, error) {
	record, err := encodeRecord(vaultRecord{
		Ciphertext: m.Ciphertext, Nonce: m.Nonce, SealedKey: m.SealedKey, Type: m.EntryType, MountPath: m.MountPath,
		Description: m.Description, At: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(vaultShelf(who), m.Key, record)}})
	return &wire.VaultAck{Key: m.Key, Action: wire.VaultStored, ReqID: m.ReqID}, err
}

func (s *Commons) vaultList(ctx context.Context, who *Caller, m *wire.VaultList) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, vaultShelf(who))
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
		text, err := s.get(ctx, who.Peer.Mesh, vaultShelf(who), key)
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
	sh := vaultShelf(who)
	reply := &wire.VaultAck{Key: m.Key, Action: wire.VaultNotFound, ReqID: m.ReqID}
	old, err := s.get(ctx, who.Peer.Mesh, sh, m.Key)
	if err != nil || old == "" {
		return reply, err
	}
	reply.Action = wire.VaultDeleted
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{remove(sh, m.Key)}})
	return reply, err
}
