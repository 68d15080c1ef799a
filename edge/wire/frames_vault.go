package wire

import (
	"cmp"
	"errors"
)

// VaultType is what a vault entry becomes where it is used.
type VaultType string

// What it can become.
const (
	VaultEnv  VaultType = "env"  // a variable
	VaultFile VaultType = "file" // a file at MountPath
)

// VaultSet keeps a sealed value for the caller's member, replacing one of that
// key.
type VaultSet struct {
	Key         string    `json:"key"`
	Ciphertext  string    `json:"ciphertext"`
	Nonce       string    `json:"nonce"`
	SealedKey   string    `json:"sealed_key"`
	EntryType   VaultType `json:"entry_type"`
	MountPath   string    `json:"mount_path,omitempty"`
	Description string    `json:"description,omitempty"`
	ReqID       ReqID     `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultSet.
func (VaultSet) FrameType() Type { return TypeVaultSet }

// RequestID returns the _reqId.
func (m VaultSet) RequestID() ReqID { return m.ReqID }

func (m *VaultSet) validate() error {
	switch {
	case m.EntryType != VaultEnv && m.EntryType != VaultFile:
		return errors.New("entry_type must be env or file")
	case m.Ciphertext == "" || m.Nonce == "" || m.SealedKey == "":
		return errors.New("ciphertext, nonce and sealed_key are required")
	}
	return cmp.Or(
		checkName("key", m.Key, MaxName),
		checkLabel("ciphertext", m.Ciphertext, MaxVaultValue),
		checkLabel("nonce", m.Nonce, MaxNonce),
		checkLabel("sealed_key", m.SealedKey, MaxVaultKey),
		checkLabel("mount_path", m.MountPath, MaxCwd),
		checkText("description", m.Description, MaxDescription),
	)
}

// VaultAck says what became of an entry.
type VaultAck struct {
	Key    string      `json:"key"`
	Action VaultAction `json:"action"`
	ReqID  ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultAck.
func (VaultAck) FrameType() Type { return TypeVaultAck }

// InReplyTo returns the _reqId of what was asked.
func (m VaultAck) InReplyTo() ReqID { return m.ReqID }

// VaultAction is what became of an entry.
type VaultAction string

// What can become of an entry.
const (
	VaultStored   VaultAction = "stored"
	VaultDeleted  VaultAction = "deleted"
	VaultNotFound VaultAction = "not_found"
	VaultCleared  VaultAction = "cleared" // ours
)

// VaultList asks for the caller's entries.
type VaultList struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultList.
func (VaultList) FrameType() Type { return TypeVaultList }

// RequestID returns the _reqId.
func (m VaultList) RequestID() ReqID { return m.ReqID }

// VaultListResult has the caller's entries without their values.
type VaultListResult struct {
	Entries []VaultBrief `json:"entries"`
	ReqID   ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultListResult.
func (VaultListResult) FrameType() Type { return TypeVaultListResult }

// InReplyTo returns the _reqId of what was asked.
func (m VaultListResult) InReplyTo() ReqID { return m.ReqID }

// VaultBrief is a vault entry without its value.
type VaultBrief struct {
	Key         string    `json:"key"`
	EntryType   VaultType `json:"entry_type"`
	MountPath   *string   `json:"mount_path"`
	Description *string   `json:"description"`
	UpdatedAt   Time      `json:"updated_at"`
}

// VaultGet asks for sealed values.
type VaultGet struct {
	Keys  []string `json:"keys"`
	ReqID ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultGet.
func (VaultGet) FrameType() Type { return TypeVaultGet }

// RequestID returns the _reqId.
func (m VaultGet) RequestID() ReqID { return m.ReqID }

func (m *VaultGet) validate() error { return checkNames("keys", m.Keys, MaxVaultKeys, MaxName) }

// VaultGetResult has those of the values that exist.
type VaultGetResult struct {
	Entries []VaultEntry `json:"entries"`
	ReqID   ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultGetResult.
func (VaultGetResult) FrameType() Type { return TypeVaultGetResult }

// InReplyTo returns the _reqId of what was asked.
func (m VaultGetResult) InReplyTo() ReqID { return m.ReqID }

// VaultEntry is a value that only its member can open.
type VaultEntry struct {
	Key        string    `json:"key"`
	Ciphertext string    `json:"ciphertext"`
	Nonce      string    `json:"nonce"`
	SealedKey  string    `json:"sealed_key"`
	EntryType  VaultType `json:"entry_type"`
	MountPath  *string   `json:"mount_path"`
}

// VaultDelete drops an entry.
type VaultDelete struct {
	Key   string `json:"key"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultDelete.
func (VaultDelete) FrameType() Type { return TypeVaultDelete }

// RequestID returns the _reqId.
func (m VaultDelete) RequestID() ReqID { return m.ReqID }

func (m *VaultDelete) validate() error { return checkName("key", m.Key, MaxName) }

// VaultClear drops the vaults of members that were shut out: of one, or of all.
// It is ours, and for admins.
type VaultClear struct {
	Target string `json:"target,omitempty"` // name or key, as in Unban; empty for all of them
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeVaultClear.
func (VaultClear) FrameType() Type { return TypeVaultClear }

// RequestID returns the _reqId.
func (m VaultClear) RequestID() ReqID { return m.ReqID }

func (m *VaultClear) validate() error { return checkLabel("target", m.Target, MaxDisplayName) }
