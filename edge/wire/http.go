package wire

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// HTTPError is the body of a refusal under /v1.
type HTTPError struct {
	Error HTTPErrorDetail `json:"error"`
}

// HTTPErrorDetail says what is wrong, for programs and for people.
type HTTPErrorDetail struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// NewHTTPError returns the body of a refusal.
func NewHTTPError(code Code, message string) HTTPError {
	return HTTPError{Error: HTTPErrorDetail{Code: code, Message: message}}
}

// CreateMeshRequest is the body of POST /v1/meshes, signed by the owner key.
type CreateMeshRequest struct {
	Name         string `json:"name"`
	Slug         string `json:"slug,omitempty"`
	OwnerPubkey  string `json:"owner_pubkey"`
	MemberPubkey string `json:"member_pubkey"` // the owner's own first member
	DisplayName  string `json:"display_name"`
}

// Check says what is wrong with the request, nil if nothing is.
func (r *CreateMeshRequest) Check() error {
	switch {
	case r.Name == "":
		return errors.New("name required")
	case !IsLowerKey(r.OwnerPubkey) || !IsLowerKey(r.MemberPubkey):
		return errors.New("owner_pubkey and member_pubkey must be 64 lowercase hex chars")
	case r.OwnerPubkey == r.MemberPubkey:
		// A member key lives on a machine that talks all day, the owner's does not.
		return errors.New("owner_pubkey and member_pubkey must differ")
	case r.DisplayName == "":
		return errors.New("display_name required")
	case r.Slug != "" && (r.Slug != Slug(r.Slug) || len(r.Slug) > MaxSlug):
		return fmt.Errorf("slug must be up to %d of a-z, 0-9 and -", MaxSlug)
	}
	return cmp.Or(checkLabel("name", r.Name, MaxMeshName), CheckDisplayName(r.DisplayName))
}

// Slug returns name in lower case, with a single - for each run of other
// characters than letters and digits. It may be empty.
func Slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	slug := strings.Join(words, "-")
	return strings.Trim(slug[:min(len(slug), MaxSlug)], "-")
}

// CreateMeshResponse answers CreateMeshRequest.
type CreateMeshResponse struct {
	MeshID    string `json:"meshId"`
	Slug      string `json:"slug"`
	Name      string `json:"name"`
	MemberID  string `json:"memberId"`
	BrokerURL string `json:"brokerUrl,omitempty"`
}

// Preset is what an invite gives its newcomers, where it is set.
type Preset struct {
	DisplayName string  `json:"displayName,omitempty"`
	RoleTag     string  `json:"roleTag,omitempty"`
	Groups      []Group `json:"groups,omitempty"`
	MessageMode string  `json:"messageMode,omitempty"`
}

// Check says what is wrong with the preset, nil if nothing is.
func (p *Preset) Check() error {
	if p == nil {
		return nil
	}
	if p.MessageMode != "" && !ValidMessageMode(p.MessageMode) {
		return errors.New("messageMode must be push, inbox or off")
	}
	return cmp.Or(
		CheckDisplayName(p.DisplayName),
		checkLabel("roleTag", p.RoleTag, MaxLabel),
		CheckGroups(p.Groups),
	)
}

// Message modes: what a member's client does with a message. Edges do not act
// on them.
const (
	ModePush  = "push"
	ModeInbox = "inbox"
	ModeOff   = "off"
)

// ValidMessageMode reports whether mode is one of the three.
func ValidMessageMode(mode string) bool {
	return mode == ModePush || mode == ModeInbox || mode == ModeOff
}

// CreateInviteRequest is the body of POST /v1/meshes/{mesh}/invites, signed by
// the owner key. The token itself stays with the owner.
type CreateInviteRequest struct {
	TokenHash string  `json:"token_hash"` // TokenHash of the token
	Role      string  `json:"role"`
	MaxUses   int     `json:"max_uses"`
	ExpiresAt int64   `json:"expires_at"` // whole seconds
	Preset    *Preset `json:"preset,omitempty"`

	// What makes the invite one with a short link; all or none of the first
	// three.
	InviteID     string `json:"invite_id,omitempty"`     // chosen by the owner, who signs it
	CodeHash     string `json:"code_hash,omitempty"`     // CodeHash of the code
	SealedInvite string `json:"sealed_invite,omitempty"` // see EncodeSealedInvite
	SignatureV2  string `json:"signature_v2,omitempty"`  // of the InviteV2; optional
	InvitedBy    string `json:"invited_by,omitempty"`    // a name for people; optional
}

// Check says what is wrong with the request, nil if nothing is.
func (r *CreateInviteRequest) Check(now time.Time) error {
	switch {
	case !IsTokenHash(r.TokenHash):
		return errors.New("token_hash must be 64 lowercase hex chars")
	case !ValidRole(r.Role):
		return errors.New("role must be admin or member")
	case r.MaxUses < 1 || r.MaxUses > MaxInviteUses:
		return fmt.Errorf("max_uses must be 1 to %d", MaxInviteUses)
	case r.ExpiresAt <= now.Unix():
		return errors.New("expires_at is over")
	}
	return cmp.Or(r.Preset.Check(), r.checkLink(), checkLabel("invited_by", r.InvitedBy, MaxDisplayName))
}

func (r *CreateInviteRequest) checkLink() error {
	if r.InviteID == "" && r.CodeHash == "" && r.SealedInvite == "" && r.SignatureV2 == "" {
		return nil
	}
	_, _, err := DecodeSealedInvite(r.SealedInvite)
	switch {
	case !IsMeshID(r.InviteID):
		return errors.New("invite_id must be 32 of 0-9A-Za-z")
	case !IsTokenHash(r.CodeHash):
		return errors.New("code_hash must be 64 lowercase hex chars")
	case err != nil:
		return errors.New("sealed_invite is not a sealed invite")
	case r.SignatureV2 != "" && !isSignature(r.SignatureV2):
		return errors.New("signature_v2 must be 128 hex chars")
	}
	return nil
}

// V2 is what the owner signs about an invite with a short link.
func (r *CreateInviteRequest) V2(meshID, ownerPubkey string) InviteV2 {
	return InviteV2{MeshID: meshID, InviteID: r.InviteID, ExpiresAt: r.ExpiresAt, Role: r.Role, OwnerPubkey: ownerPubkey}
}

// CreateInviteResponse answers CreateInviteRequest.
type CreateInviteResponse struct {
	InviteID  string `json:"inviteId"`
	ExpiresAt int64  `json:"expiresAt"` // whole seconds
}

// SetGroupPolicyRequest is the body of PUT /v1/meshes/{mesh}/group-policy,
// signed by the owner key twice: the request for the edge, the statement for
// the members. It is answered by the [GroupPolicy].
type SetGroupPolicyRequest struct {
	Mode      GroupMode `json:"mode"`
	Counter   int64     `json:"counter"`
	SignedAt  Millis    `json:"signedAt"`
	Signature string    `json:"signature"`
}

// Policy is the statement that the request carries, by that owner.
func (r *SetGroupPolicyRequest) Policy(ownerPubkey string) GroupPolicy {
	return GroupPolicy{
		Mode: r.Mode, Counter: r.Counter, SignedAt: r.SignedAt,
		Signature: r.Signature, OwnerPubkey: ownerPubkey,
	}
}

// HookStatusRequest is the body of POST /hook/set-status.
type HookStatusRequest struct {
	Cwd    string `json:"cwd"`
	PID    PID    `json:"pid"`
	Status Status `json:"status"`
}

// HookStatusResponse answers HookStatusRequest.
type HookStatusResponse struct {
	OK         bool   `json:"ok"`
	PresenceID string `json:"presence_id,omitempty"`
	Pending    bool   `json:"pending,omitempty"` // nobody there yet; kept for HookPending
	Error      string `json:"error,omitempty"`
}

// Sentences that POST /hook/set-status answers with, under "error".
const (
	HookFieldsMissing = "cwd and status required" // 200
	HookRateLimited   = "rate limited"            // 429
	HookTooLarge      = "payload too large"       // 413
)

// Health is the body of GET /health, which is 200 for as long as the process
// can answer.
type Health struct {
	Status  string `json:"status"` // ok
	DB      string `json:"db"`     // up or down
	Version string `json:"version"`
	GitSha  string `json:"gitSha"`
	Uptime  int64  `json:"uptime"` // seconds
}

// Ready is the body of GET /health/ready: 200 ready, 503 not_ready.
type Ready struct {
	Status  string `json:"status"`           // ready or not_ready
	Reason  string `json:"reason,omitempty"` // db_down or draining
	Version string `json:"version,omitempty"`
	GitSha  string `json:"gitSha,omitempty"`
	Uptime  int64  `json:"uptime,omitempty"` // seconds
}
