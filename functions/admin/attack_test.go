package admin_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
)

func TestAttackUnsignedRequest(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{Creation: admin.CreationOpen})
	for _, target := range []string{"/v1/meshes", p.path("/invites"), p.path("/bans/" + wire.PublicKey(p.Creator))} {
		expect(t, target, p.serve(t, functionstest.Request("POST", target, []byte("{}"))), 401, wire.CodeMalformed)
	}
}

func TestAttackReplayedRequest(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	r := signed(t, "POST", p.path("/bans/"+wire.PublicKey(p.Creator)), "", p.Owner)
	replay := r.Clone(t.Context())
	replay.Body = http.NoBody
	expect(t, "first", p.serve(t, r), 204, "")
	expect(t, "lift", p.serve(t, signed(t, "DELETE", p.path("/bans/"+wire.PublicKey(p.Creator)), "", p.Owner)), 204, "")
	expect(t, "replay", p.serve(t, replay), 401, "replayed")
	if _, _, err := p.Store.Admission(t.Context(), p.ID, wire.PublicKey(p.Creator)); err != nil {
		t.Errorf("the replay banned again: %v", err)
	}
}

// TestAttackFillingRedisWithNonces asks what any key may ask, each time with a
// new key. Every request that passes leaves a nonce for minutes.
func TestAttackFillingRedisWithNonces(t *testing.T) {
	t.Parallel()
	const most = 3
	p := newPlace(t, admin.Config{RequestLimit: registry.Limit{Name: "request", Burst: most, PerMinute: 1}})
	for n := range 4 * most {
		w := p.serve(t, signed(t, "GET", "/v1/meshes", "", functionstest.Key()))
		if n < most {
			expect(t, "within the limit", w, 200, "")
			continue
		}
		expect(t, "beyond it", w, 429, wire.CodeRateLimited)
		if w.Header().Get("Retry-After") == "" {
			t.Error("not told when to come back")
		}
	}
	if left := p.client.Raw().Keys(t.Context(), "nonce:*").Val(); len(left) != most {
		t.Errorf("%d nonces are left of %d requests that passed", len(left), most)
	}
}

// TestAttackShuttingOutOthersOfAnAddress: a company goes out by one address, and
// so does everybody who comes by an edge without a token.
func TestAttackShuttingOutOthersOfAnAddress(t *testing.T) {
	t.Parallel()
	const most = 3
	p := newPlace(t, admin.Config{RequestLimit: registry.Limit{Name: "request", Burst: most, PerMinute: 1}})
	for range most {
		expect(t, "a stranger", p.serve(t, signed(t, "GET", "/v1/meshes", "", functionstest.Key())), 200, "")
	}
	expect(t, "another", p.serve(t, signed(t, "GET", "/v1/meshes", "", functionstest.Key())), 429, wire.CodeRateLimited)
	for range most {
		expect(t, "the owner", p.serve(t, signed(t, "GET", p.path("/members"), "", p.Owner)), 200, "")
	}
	expect(t, "the owner once too often", p.serve(t, signed(t, "GET", p.path("/members"), "", p.Owner)), 429, wire.CodeRateLimited)
	expect(t, "a member", p.serve(t, signed(t, "GET", p.path("/members"), "", p.Creator)), 200, "")
}

func TestAttackSkewedRequest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := newPlace(t, admin.Config{Now: func() time.Time { return now }})
	for by, status := range map[time.Duration]int{
		-wire.ClockSkew: 200, wire.ClockSkew: 200, -wire.ClockSkew - time.Millisecond: 401, wire.ClockSkew + time.Millisecond: 401,
	} {
		r := functionstest.Request("GET", p.path("/members"), nil)
		wire.SignRequest(r, nil, p.Owner, now.Add(by))
		w := p.serve(t, r)
		if w.Code != status {
			t.Errorf("%v off: got %d %s, want %d", by, w.Code, w.Body, status)
		}
	}
}

func TestAttackWrongKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	other := functionstest.NewMesh(t, p.Store)
	r := signed(t, "POST", p.path("/invites"), newInvite("t"), functionstest.Key())
	r.Header.Set(wire.HeaderKey, wire.PublicKey(p.Owner))
	expect(t, "the owner's name on another signature", p.serve(t, r), 401, wire.CodeBadSignature)
	expect(t, "another mesh's owner", p.serve(t, signed(t, "POST", p.path("/invites"), newInvite("t"), other.Owner)), 403, wire.CodeForbidden)
	expect(t, "an admin", p.serve(t, signed(t, "POST", p.path("/invites"), newInvite("t"), p.Creator)), 403, wire.CodeForbidden)
}

func TestAttackSwappedPath(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	member := enrolled(t, p, wire.RoleMember)
	from := signed(t, "POST", p.path("/bans/"+member), "", p.Owner)
	for name, to := range map[string]*http.Request{
		"another member":   functionstest.Request("POST", p.path("/bans/"+wire.PublicKey(p.Creator)), nil),
		"another verb":     functionstest.Request("DELETE", p.path("/bans/"+member), nil),
		"a query":          functionstest.Request("POST", p.path("/bans/"+member+"?x=1"), nil),
		"another spelling": functionstest.Request("POST", p.path("/bans/"+strings.ToUpper(member)), nil),
		"escaped":          functionstest.Request("POST", p.path("/b%61ns/"+member), nil),
	} {
		to.Header = from.Header.Clone()
		expect(t, name, p.serve(t, to), 401, wire.CodeBadSignature)
	}
}

func TestAttackAlteredBody(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	r := signed(t, "POST", p.path("/invites"), newInvite("t"), p.Owner)
	altered := newInvite("t")
	altered.Role = wire.RoleAdmin
	text, err := json.Marshal(altered)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(text)))
	expect(t, "altered", p.serve(t, r), 401, wire.CodeBadSignature)
}

// TestS1_NothingSecretIsStored makes a mesh and joins it in both forms, then
// looks through all that Redis holds.
func TestS1_NothingSecretIsStored(t *testing.T) {
	t.Parallel()
	const operator = "operator's token"
	c := tokenConfig(operator)
	p := newPlace(t, c)
	owner := functionstest.Key()
	r := signed(t, "POST", "/v1/meshes", newMesh(owner), owner)
	r.Header.Set(wire.HeaderOperatorToken, operator)
	expect(t, "create", p.serve(t, r), 201, "")

	i, token := p.Sign(t, wire.RoleMember, time.Now().Add(time.Hour))
	expect(t, "invite", p.serve(t, signed(t, "POST", p.path("/invites"), newInvite(token), p.Owner)), 201, "")
	join := invite.NewHandler(p.Store, invite.Config{})
	payload, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []any{
		wire.JoinRequest{InviteToken: token, InvitePayload: payload, PeerPubkey: wire.PublicKey(functionstest.Key()), DisplayName: "a"},
		wire.NewJoinRequest(&i, token, "b", functionstest.Key(), time.Now()),
	} {
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		join.ServeHTTP(w, functionstest.Request("POST", "/join", body))
		expect(t, "join", w, 200, "")
	}

	held := dump(t, p.client)
	if !strings.Contains(held, wire.PublicKey(p.Owner)) || !strings.Contains(held, wire.TokenHash(token)) {
		t.Fatal("the search does not see what is stored")
	}
	for name, secret := range map[string]string{
		"invite token": token, "signature in it": i.Signature, "proof of it": wire.InviteProof(token),
		"root key": p.RootKey, "owner's secret": hex.EncodeToString(p.Owner.Seed()),
		"new owner's secret": hex.EncodeToString(owner.Seed()), "operator's token": operator,
		"its hash": c.OperatorTokenHash,
	} {
		if strings.Contains(strings.ToLower(held), strings.ToLower(secret)) {
			t.Errorf("the %s is stored", name)
		}
	}
}

// dump is every key and value of a server in one text.
func dump(t *testing.T, c *redis.Client) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	keys := c.Raw().Scan(ctx, 0, "", 1000).Iterator()
	for keys.Next(ctx) {
		b.WriteString(keys.Val() + "\n" + strings.Join(values(ctx, c, keys.Val()), "\n") + "\n")
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func values(ctx context.Context, c *redis.Client, key string) []string {
	switch c.Raw().Type(ctx, key).Val() {
	case "hash":
		var out []string
		for field, value := range c.Raw().HGetAll(ctx, key).Val() {
			out = append(out, field, value)
		}
		return out
	case "zset":
		return c.Raw().ZRange(ctx, key, 0, -1).Val()
	case "stream":
		var out []string
		for _, m := range c.Raw().XRange(ctx, key, "-", "+").Val() {
			for field, value := range m.Values {
				out = append(out, field, value.(string))
			}
		}
		return out
	case "string":
		return []string{c.Raw().Get(ctx, key).Val()}
	}
	panic("a key of an unexpected type: " + key)
}

// FuzzSigned signs whatever comes and sends it to every route: each must have
// an answer, none of them 500.
func FuzzSigned(f *testing.F) {
	p := newPlace(f, admin.Config{
		Creation:    admin.CreationOpen,
		CreateLimit: registry.Limit{Name: "create", Burst: 1 << 30, PerMinute: 1 << 30},
	})
	targets := []struct{ method, target string }{
		{"POST", "/v1/meshes"},
		{"POST", p.path("/invites")},
		{"PUT", p.path("/group-policy")},
		{"DELETE", p.path("/invites/x")},
		{"POST", p.path("/bans/x")},
		{"GET", p.path("/members")},
	}
	for n, body := range []string{
		`{"name":"x","owner_pubkey":"","member_pubkey":"","display_name":"x"}`,
		`{"token_hash":"` + wire.TokenHash("x") + `","role":"member","max_uses":1,"expires_at":99999999999}`,
		`{"mode":"plain","counter":1e99,"signedAt":"x","signature":""}`, "", "null", `[[[[`,
	} {
		f.Add(uint8(n), []byte(body))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		to := targets[int(which)%len(targets)]
		r := functionstest.Request(to.method, to.target, body)
		wire.SignRequest(r, body, p.Owner, time.Now())
		if w := p.serve(t, r); w.Code >= 500 {
			t.Errorf("%s %s: got %d %s", to.method, to.target, w.Code, w.Body)
		}
	})
}
