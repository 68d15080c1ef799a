package wire

import "slices"

// Capability is something that a member lets another one do.
type Capability string

// The capabilities. An edge enforces CapDM, CapBroadcast, and, where a list is
// given, CapFileRead.
const (
	CapRead       Capability = "read"
	CapDM         Capability = "dm"
	CapBroadcast  Capability = "broadcast"
	CapStateRead  Capability = "state-read"
	CapStateWrite Capability = "state-write"
	CapFileRead   Capability = "file-read"
)

// Grants are what a member lets others do, by the other's key. An empty list
// blocks; no entry means the default.
type Grants map[string][]Capability

// Allows reports whether the sender may. The entry of its member key decides,
// else that of its session key ("" if it has none), else the default.
func (g Grants) Allows(memberKey, sessionKey string, need Capability) bool {
	if caps, ok := g[memberKey]; ok {
		return slices.Contains(caps, need)
	}
	if caps, ok := g[sessionKey]; ok && sessionKey != "" {
		return slices.Contains(caps, need)
	}
	return need == CapRead || need == CapDM || need == CapBroadcast || need == CapStateRead
}
