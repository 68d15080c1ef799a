package commons_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// newKey has a peer make an API key.
func newKey(p *edgetest.Peer, capabilities []wire.KeyCapability, topics ...string) *wire.APIKeyCreated {
	return ask[*wire.APIKeyCreated](p, &wire.APIKeyCreate{
		Label: "it's a \"test\"", Capabilities: capabilities, TopicScopes: topics, ReqID: reqID(),
	})
}

var both = []wire.KeyCapability{wire.KeySend, wire.KeyRead}

func TestAnAPIKeyIsShownOnceAndListedToItsOwnerAndAdmins(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, admin := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "founder")
	soon := wire.Expiry{Time: wire.At(time.Now().Add(time.Hour))}
	key := ask[*wire.APIKeyCreated](ana, &wire.APIKeyCreate{
		Label: "l", Capabilities: []wire.KeyCapability{"send", "read", "send"}, TopicScopes: []string{"t"}, ExpiresAt: &soon, ReqID: reqID(),
	})
	if !wire.IsAPIKey(key.Secret) || key.Prefix != key.Secret[:11] || len(key.Capabilities) != 2 {
		t.Errorf("key: %+v", key)
	}
	call(t, one, key.Secret, "GET", "/api/v1/topics", "")
	for _, p := range []*edgetest.Peer{ana, admin} {
		list := ask[*wire.APIKeyListResponse](p, &wire.APIKeyList{ReqID: reqID()}).Keys
		if len(list) != 1 || list[0].ID != key.ID || list[0].Owner != "ana" || list[0].RevokedAt != nil ||
			list[0].ExpiresAt == nil || list[0].LastUsedAt == nil || list[0].TopicScopes[0] != "t" {
			t.Errorf("%s: %+v", p.Member.Name, list)
		}
	}
	if list := ask[*wire.APIKeyListResponse](bob, &wire.APIKeyList{ReqID: reqID()}).Keys; len(list) != 0 {
		t.Errorf("bob: %+v", list)
	}
	if holdsText(t, one, key.Secret) {
		t.Error("the secret is kept")
	}
}

// holdsText reports whether Redis has a text in a key or in a hash.
func holdsText(t *testing.T, e *edgetest.Edge, text string) bool {
	t.Helper()
	raw := e.Client.Raw()
	keys, err := raw.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(keys, "\n")
	for _, k := range keys {
		if raw.Type(t.Context(), k).Val() == "hash" {
			for field, value := range raw.HGetAll(t.Context(), k).Val() {
				all += field + value
			}
			continue
		}
		all += raw.Get(t.Context(), k).Val()
	}
	return strings.Contains(all, text)
}

func TestNobodyGivesAwayWhatItMayNotDo(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, admin := m.Session(e, "ana"), m.Session(e, "founder")
	all := []wire.KeyCapability{wire.KeyAdmin, wire.KeyStateWrite}
	refusal(t, ana, &wire.APIKeyCreate{Label: "l", Capabilities: all, ReqID: reqID()}, wire.CodeForbidden)
	newKey(admin, all)
	past := wire.Expiry{Time: wire.At(time.Now().Add(-time.Hour))}
	for _, bad := range []*wire.APIKeyCreate{
		{Label: "l", Capabilities: both, ExpiresAt: &past},
		{Label: "l"},
		{Label: "a\nb", Capabilities: both},
		{Label: "l", Capabilities: []wire.KeyCapability{"root"}},
	} {
		bad.ReqID = reqID()
		if got := refusal(t, ana, bad, wire.CodeInvalidArgs); got.ID != string(bad.ReqID) {
			t.Errorf("request id in id: %q", got.ID)
		}
	}
}

func TestAnAPIKeyIsRevokedByItsOwnerByTheBeginningOfItsID(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	key := newKey(ana, both)
	revoke := func(p *edgetest.Peer, id string) *wire.APIKeyRevokeResponse {
		return ask[*wire.APIKeyRevokeResponse](p, &wire.APIKeyRevoke{ID: id, ReqID: reqID()})
	}
	if got := revoke(bob, key.ID); got.Status != wire.KeyNotFound {
		t.Errorf("by bob: %+v", got)
	}
	ids := map[byte]int{key.ID[0]: 1}
	for len(ids) > 0 { // until two ids begin alike
		id := newKey(ana, both).ID
		if ids[id[0]]++; ids[id[0]] == 2 {
			if got := revoke(ana, id[:1]); got.Status != wire.KeyNotUnique || got.Matches != 2 || got.ID != "" {
				t.Errorf("beginning: %+v", got)
			}
			break
		}
	}
	status, _ := call(t, other, key.Secret, "GET", "/api/v1/topics", "")
	got := revoke(ana, key.ID[:12])
	after, body := call(t, other, key.Secret, "GET", "/api/v1/topics", "")
	if status != http.StatusOK || got.Status != wire.KeyRevoked || got.ID != key.ID || after != http.StatusUnauthorized {
		t.Errorf("%d, %+v, then %d %s", status, got, after, body)
	}
	if again := revoke(ana, key.ID); again.Status != wire.KeyRevoked {
		t.Errorf("again: %+v", again)
	}
}

func TestS2_ABanEndsTheAPIKeysOfTheMember(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	key := newKey(m.Session(one, "ana"), both)
	if err := m.Registry.Ban(t.Context(), m.ID, m.Member("ana").Pub()); err != nil {
		t.Fatal(err)
	}
	status, body := call(t, other, key.Secret, "GET", "/api/v1/members", "")
	if status != http.StatusBadRequest || !strings.Contains(body, `"api_key_has_no_issuer"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestAMemberHasSoManyAPIKeysAndThoseThatEndedMakeRoom(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	first := newKey(ana, both)
	if code := fill(ana, func(_ int, id wire.ReqID) wire.Request {
		return &wire.APIKeyCreate{Label: "l", Capabilities: both, ReqID: id}
	}); code != wire.CodeFull {
		t.Fatalf("ended with %q", code)
	}
	newKey(bob, both)
	ask[*wire.APIKeyRevokeResponse](ana, &wire.APIKeyRevoke{ID: first.ID, ReqID: reqID()})
	newKey(ana, both)
	if n := len(ask[*wire.APIKeyListResponse](ana, &wire.APIKeyList{ReqID: reqID()}).Keys); n != 100 {
		t.Errorf("%d keys", n)
	}
}
