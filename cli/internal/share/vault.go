package share

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Secret is an entry of our member's vault. All but the value can be read by
// the broker.
type Secret struct {
	Key         string         `json:"key"`
	Type        wire.VaultType `json:"type"`
	MountPath   string         `json:"mountPath,omitempty"`
	Description string         `json:"description,omitempty"` // of a list only
	At          *time.Time     `json:"at,omitempty"`          // when it was sealed; of a list, by the broker's word
	Value       []byte         `json:"-"`                     // not of a list
	// Proven says that our member sealed the value for this key, type and path.
	// Otherwise an existing client did, or a broker that lies.
	Proven bool `json:"-"`
}

// SetSecret seals a value to our own member key and keeps it.
func (m *Mesh) SetSecret(ctx context.Context, s Secret) error {
	s.Type = cmp.Or(s.Type, wire.VaultEnv)
	e, err := seal.Vault(m.Member, m.vaultPlace(s.Key, s.Type, s.MountPath), time.Now(), s.Value)
	if err != nil {
		return err
	}
	if len(e.Ciphertext) > wire.MaxVaultValue {
		return fmt.Errorf("%w: %d of at most %d bytes once sealed", ErrTooLarge, len(e.Ciphertext), wire.MaxVaultValue)
	}
	return Do(ctx, m, &wire.VaultSet{
		Key: s.Key, Ciphertext: e.Ciphertext, Nonce: e.Nonce, SealedKey: e.SealedKey, EntryType: s.Type,
		MountPath: s.MountPath, Description: s.Description,
	})
}

// Secret opens one entry; ok is false if there is none.
func (m *Mesh) Secret(ctx context.Context, key string) (s Secret, ok bool, err error) {
	r, err := Ask[*wire.VaultGetResult](ctx, m, &wire.VaultGet{Keys: []string{key}})
	if err != nil || len(r.Entries) == 0 {
		return Secret{}, false, err
	}
	e := r.Entries[0]
	s = Secret{Key: key, Type: e.EntryType, MountPath: orEmpty(e.MountPath)}
	value, at, err := seal.OpenVault(m.Member, m.vaultPlace(key, s.Type, s.MountPath), seal.VaultEntry{
		Box: seal.Box{Nonce: e.Nonce, Ciphertext: e.Ciphertext}, SealedKey: e.SealedKey,
	})
	if s.Value, s.Proven = value, !at.IsZero(); s.Proven {
		s.At = &at
	}
	return s, true, err
}

func (m *Mesh) vaultPlace(key string, kind wire.VaultType, mount string) seal.VaultPlace {
	return seal.VaultPlace{Mesh: m.ID, Key: key, Type: string(kind), MountPath: mount}
}

// Secrets lists our entries without their values.
func (m *Mesh) Secrets(ctx context.Context) ([]Secret, error) {
	r, err := Ask[*wire.VaultListResult](ctx, m, &wire.VaultList{})
	if err != nil {
		return nil, err
	}
	list := make([]Secret, 0, len(r.Entries))
	for _, e := range r.Entries {
		list = append(list, Secret{
			Key: e.Key, Type: e.EntryType, MountPath: orEmpty(e.MountPath), Description: orEmpty(e.Description), At: &e.UpdatedAt.Time,
		})
	}
	return list, nil
}

// ClearVaults drops the secrets of members that were shut out, for an admin: of
// one, by its name or key, or of all. It reports whether there were any.
func (m *Mesh) ClearVaults(ctx context.Context, target string) (bool, error) {
	r, err := Ask[*wire.VaultAck](ctx, m, &wire.VaultClear{Target: target})
	return err == nil && r.Action == wire.VaultCleared, err
}

// DeleteSecret drops an entry, and reports whether there was one.
func (m *Mesh) DeleteSecret(ctx context.Context, key string) (bool, error) {
	r, err := Ask[*wire.VaultAck](ctx, m, &wire.VaultDelete{Key: key})
	return err == nil && r.Action == wire.VaultDeleted, err
}
