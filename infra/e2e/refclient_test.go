package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"filippo.io/edwards25519"
	"github.com/lxzan/gws"
	"golang.org/x/crypto/nacl/box"
)

// A refMember is an enrolled identity of a client that knows nothing of this
// module: it follows the published protocol to the letter, with its own
// cryptography, so that a mistake in edge/wire cannot hide in both ends.
type refMember struct {
	meshID, memberID, broker string
	pub                      ed25519.PublicKey
	priv                     ed25519.PrivateKey
}

func (m *refMember) key() string { return hex.EncodeToString(m.pub) }

// refJoin enrols by link as existing clients do: it checks the token and posts
// it, with its payload, to the broker named in it.
func refJoin(tb testing.TB, link, name string) *refMember {
	tb.Helper()
	token := strings.TrimPrefix(link, "ic://join/")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		tb.Fatalf("link %q: %v", link, err)
	}
	var payload map[string]any
	if err := json.Unmarshal(raw, &payload); err != nil {
		tb.Fatal(err)
	}
	checkInvite(tb, payload)
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	m := &refMember{meshID: payload["mesh_id"].(string), broker: payload["broker_url"].(string), pub: pub, priv: priv}
	url := strings.TrimSuffix("http"+strings.TrimPrefix(m.broker, "ws"), "/ws") + "/join"
	status, answer := postJSON(tb, url, map[string]any{
		"invite_token": token, "invite_payload": payload, "peer_pubkey": m.key(), "display_name": name,
	})
	if status != http.StatusOK || answer["ok"] != true {
		tb.Fatalf("join: %d %v", status, answer)
	}
	m.memberID = answer["memberId"].(string)
	return m
}

// checkInvite verifies what an existing client verifies before it enrols.
func checkInvite(tb testing.TB, p map[string]any) {
	tb.Helper()
	text := func(k string) string {
		s, _ := p[k].(string)
		if s == "" {
			tb.Fatalf("invite without %s: %v", k, p)
		}
		return s
	}
	expires, ok := p["expires_at"].(float64)
	if p["v"] != 1.0 || !ok || int64(expires) < time.Now().Unix() {
		tb.Fatalf("invite version or expiry: %v", p)
	}
	canonical := fmt.Sprintf("1|%s|%s|%s|%d|%s|%s|%s", text("mesh_id"), text("mesh_slug"), text("broker_url"),
		int64(expires), text("mesh_root_key"), text("role"), text("owner_pubkey"))
	owner, _ := hex.DecodeString(text("owner_pubkey"))
	sig, _ := hex.DecodeString(text("signature"))
	if len(owner) != ed25519.PublicKeySize || !ed25519.Verify(owner, []byte(canonical), sig) {
		tb.Fatal("invite signature does not verify")
	}
}

func postJSON(tb testing.TB, url string, body any) (int, map[string]any) {
	tb.Helper()
	b, err := json.Marshal(body)
	if raw, ok := body.(rawJSON); ok {
		b, err = []byte(raw), nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := httpClient.Post(url, "application/json", strings.NewReader(string(b)))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		tb.Fatalf("answer %q: %v", raw, err)
	}
	return resp.StatusCode, answer
}

// refConn is one socket of such a client.
type refConn struct {
	tb     testing.TB
	ws     *gws.Conn
	frames chan map[string]any
	closed chan closing
}

type closing struct {
	code   uint16
	reason string
}

type refEvents struct {
	gws.BuiltinEventHandler
	c *refConn
}

func (e refEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	var f map[string]any
	if err := json.Unmarshal(m.Bytes(), &f); err != nil {
		e.c.tb.Errorf("frame %q: %v", m.Bytes(), err)
		return
	}
	e.c.frames <- f
}

func (e refEvents) OnPing(s *gws.Conn, payload []byte) { _ = s.WritePong(payload) }

func (e refEvents) OnClose(_ *gws.Conn, err error) {
	c := closing{code: 1006}
	var ce *gws.CloseError
	if errors.As(err, &ce) {
		c = closing{ce.Code, string(ce.Reason)}
	}
	e.c.closed <- c
}

// refDial opens a socket and sends one first frame.
func refDial(tb testing.TB, url string) *refConn {
	tb.Helper()
	c := &refConn{tb: tb, frames: make(chan map[string]any, 4096), closed: make(chan closing, 1)}
	ws, _, err := gws.NewClient(refEvents{c: c}, &gws.ClientOption{Addr: url})
	if err != nil {
		tb.Fatal(err)
	}
	c.ws = ws
	go ws.ReadLoop()
	tb.Cleanup(func() { _ = ws.NetConn().Close() })
	return c
}

func (c *refConn) send(frame map[string]any) {
	c.tb.Helper()
	b, err := json.Marshal(frame)
	if err != nil {
		c.tb.Fatal(err)
	}
	if err := c.ws.WriteMessage(gws.OpcodeText, b); err != nil {
		c.tb.Fatal(err)
	}
}

// await returns the first frame for which match holds and drops those before.
func (c *refConn) await(what string, match func(map[string]any) bool) map[string]any {
	c.tb.Helper()
	deadline := time.After(patience)
	for {
		select {
		case f := <-c.frames:
			if match(f) {
				return f
			}
		case cl := <-c.closed:
			c.closed <- cl
			c.tb.Fatalf("waiting for %s: closed %d %q", what, cl.code, cl.reason)
		case <-deadline:
			c.tb.Fatalf("waiting for %s: nothing came", what)
		}
	}
}

func (c *refConn) awaitType(kind string) map[string]any {
	c.tb.Helper()
	return c.await(kind, func(f map[string]any) bool { return f["type"] == kind })
}

// message awaits a push that is not a system event.
func (c *refConn) message() map[string]any {
	c.tb.Helper()
	return c.await("a message", func(f map[string]any) bool { return f["type"] == "push" && f["subtype"] == nil })
}

// cut drops the connection without a word, as a lost network does.
func (c *refConn) cut() {
	_ = c.ws.NetConn().Close()
	<-c.closed
}

func (c *refConn) closeClean() {
	_ = c.ws.WriteClose(1000, nil)
	<-c.closed
}

// hello opens a member connection. A throw-away session key is named when
// session is not nil.
func (m *refMember) hello(tb testing.TB, url, sessionID string, session ed25519.PublicKey) (*refConn, map[string]any) {
	tb.Helper()
	now := time.Now().UnixMilli()
	canonical := fmt.Sprintf("%s|%s|%s|%d", m.meshID, m.memberID, m.key(), now)
	frame := map[string]any{
		"type": "hello", "meshId": m.meshID, "memberId": m.memberID, "pubkey": m.key(), "sessionId": sessionID,
		"pid": 4242, "cwd": "/tmp/ref", "hostname": "ref", "peerType": "ai", "channel": "claudemesh-daemon",
		"timestamp": now, "signature": hex.EncodeToString(ed25519.Sign(m.priv, []byte(canonical))),
	}
	if session != nil {
		frame["sessionPubkey"] = hex.EncodeToString(session)
	}
	c := refDial(tb, url)
	c.send(frame)
	return c, c.awaitType("hello_ack")
}

// sessionHello opens the connection of one launched session.
func (m *refMember) sessionHello(tb testing.TB, url, name string, session ed25519.PrivateKey) (*refConn, map[string]any) {
	tb.Helper()
	now := time.Now().UnixMilli()
	expires := now + 12*3600*1000
	pub := hex.EncodeToString(session.Public().(ed25519.PublicKey))
	attest := fmt.Sprintf("claudemesh-session-attest|%s|%s|%d", m.key(), pub, expires)
	live := fmt.Sprintf("claudemesh-session-hello|%s|%s|%s|%d", m.meshID, m.key(), pub, now)
	c := refDial(tb, url)
	c.send(map[string]any{
		"type": "session_hello", "meshId": m.meshID, "parentMemberId": m.memberID, "parentMemberPubkey": m.key(),
		"sessionPubkey": pub, "displayName": name, "sessionId": "sid-" + pub[:8], "pid": 777, "cwd": "/tmp/ref",
		"parentAttestation": map[string]any{
			"sessionPubkey": pub, "parentMemberPubkey": m.key(), "expiresAt": expires,
			"signature": hex.EncodeToString(ed25519.Sign(m.priv, []byte(attest))),
		},
		"timestamp": now, "signature": hex.EncodeToString(ed25519.Sign(session, []byte(live))),
	})
	return c, c.awaitType("hello_ack")
}

func newKey(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return priv
}

func hexPub(k ed25519.PrivateKey) string { return hex.EncodeToString(k.Public().(ed25519.PublicKey)) }

// refSeal and refOpen are the direct-message encryption of existing clients.
func refSeal(tb testing.TB, text string, to string, from ed25519.PrivateKey) (nonce, ciphertext string) {
	tb.Helper()
	var n [24]byte
	if _, err := rand.Read(n[:]); err != nil {
		tb.Fatal(err)
	}
	out := box.Seal(nil, []byte(text), &n, montgomery(tb, to), curveSecret(from))
	return base64.StdEncoding.EncodeToString(n[:]), base64.StdEncoding.EncodeToString(out)
}

func refOpen(tb testing.TB, push map[string]any, to ed25519.PrivateKey) string {
	tb.Helper()
	var n [24]byte
	nonce, err := base64.StdEncoding.DecodeString(push["nonce"].(string))
	if err != nil || copy(n[:], nonce) != len(n) {
		tb.Fatalf("nonce %v: %v", push["nonce"], err)
	}
	sealed, err := base64.StdEncoding.DecodeString(push["ciphertext"].(string))
	if err != nil {
		tb.Fatal(err)
	}
	text, ok := box.Open(nil, sealed, &n, montgomery(tb, push["senderPubkey"].(string)), curveSecret(to))
	if !ok {
		tb.Fatalf("push does not open: %v", push)
	}
	return string(text)
}

func montgomery(tb testing.TB, key string) *[32]byte {
	tb.Helper()
	raw, err := hex.DecodeString(key)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := new(edwards25519.Point).SetBytes(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return (*[32]byte)(p.BytesMontgomery())
}

func curveSecret(k ed25519.PrivateKey) *[32]byte {
	h := sha512.Sum512(k.Seed())
	h[0] &= 248
	h[31] = h[31]&127 | 64
	return (*[32]byte)(h[:32])
}
