package edge

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
)

// A resumeToken names an attachment, and what an edge has to know before it
// asks Redis about it. It is no secret and proves nothing: the peer's signature
// is the proof, and the attach script compares everything with the record. The
// code in it only keeps what no edge has made away from Redis.
//
// It has no time of its own. The lease is its end, and the attach script knows
// the lease: a token must still serve when a connection of days is lost.
type resumeToken struct {
	kind       presence.Kind
	mesh       string
	member     string // key, lower case
	session    string // session key, proven or claimed; "" without one
	peer       string // id
	generation string

	// What the peer has said of its program and the record does not keep.
	pid          wire.PID
	whileWorking bool
	bound        time.Time // when the session key was bound last
}

// The layout of a token: base64 of fixed fields and their code.
//
//	version 1 | key id 4 | kind 1 | flags 1 | pid 8 | generation 8 | bound 8 | mesh 32 | member 32 | identity 32 | code 32
//
// The identity is the session key, or the raw hash that a member connection's
// id is made of, padded with zeros.
const (
	tokenVersion = 1

	tokenKeyID   = 1
	tokenKind    = tokenKeyID + keyIDSize
	tokenFlags   = tokenKind + 1
	tokenPID     = tokenFlags + 1
	tokenGen     = tokenPID + 8
	tokenBound   = tokenGen + 8
	tokenMesh    = tokenBound + 8
	tokenMember  = tokenMesh + wire.LongID
	tokenWho     = tokenMember + 32
	tokenCode    = tokenWho + 32
	tokenSize    = tokenCode + sha256.Size
	keyIDSize    = 4
	flagEager    = 1
	memberIDSize = 20 // bytes of a member connection's id
)

// tokenKinds are the kinds by the byte that stands for them.
var tokenKinds = map[byte]presence.Kind{
	's': presence.KindSession, 'c': presence.KindClaim, 'm': presence.KindMember,
}

// tokenKeys makes and checks tokens. The first key makes them, all check.
type tokenKeys []tokenKey

type tokenKey struct {
	id  [keyIDSize]byte
	mac []byte
}

// newTokenKeys derives the keys from what an operator has configured.
func newTokenKeys(secrets []string) tokenKeys {
	keys := make(tokenKeys, len(secrets))
	for i, secret := range secrets {
		keys[i].mac = code([]byte(secret), []byte("claudemesh-resume-token"))
		copy(keys[i].id[:], code([]byte(secret), []byte("claudemesh-resume-key-id")))
	}
	return keys
}

func code(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// seal makes the text of a token.
func (keys tokenKeys) seal(t *resumeToken) (string, error) {
	b := make([]byte, tokenCode, tokenSize)
	b[0] = tokenVersion
	copy(b[tokenKeyID:], keys[0].id[:])
	b[tokenKind] = t.kind[0]
	if t.whileWorking {
		b[tokenFlags] = flagEager
	}
	generation, err := strconv.ParseUint(t.generation, 10, 64)
	if err != nil {
		return "", fmt.Errorf("edge: resume token: %w", err)
	}
	binary.BigEndian.PutUint64(b[tokenPID:], uint64(t.pid))
	binary.BigEndian.PutUint64(b[tokenGen:], generation)
	binary.BigEndian.PutUint64(b[tokenBound:], uint64(t.bound.Unix()))
	copy(b[tokenMesh:tokenMember], t.mesh)
	who := t.session
	if t.kind == presence.KindMember {
		who = t.peer[1:]
	}
	_, memberErr := hex.Decode(b[tokenMember:tokenWho], []byte(t.member))
	_, whoErr := hex.Decode(b[tokenWho:tokenCode], []byte(who))
	if err := errors.Join(memberErr, whoErr); err != nil {
		return "", fmt.Errorf("edge: resume token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, code(keys[0].mac, b)...)), nil
}

// open checks a token's code and reads it. It reports false for what no key in
// use has made.
func (keys tokenKeys) open(text string) (resumeToken, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return resumeToken{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != tokenSize || b[0] != tokenVersion || !keys.made(b) {
		return resumeToken{}, false
	}
	t := resumeToken{
		kind: tokenKinds[b[tokenKind]], mesh: string(b[tokenMesh:tokenMember]),
		member:       hex.EncodeToString(b[tokenMember:tokenWho]),
		generation:   strconv.FormatUint(binary.BigEndian.Uint64(b[tokenGen:]), 10),
		pid:          wire.PID(binary.BigEndian.Uint64(b[tokenPID:])),
		whileWorking: b[tokenFlags]&flagEager != 0,
		bound:        time.Unix(int64(binary.BigEndian.Uint64(b[tokenBound:])), 0),
	}
	switch who := hex.EncodeToString(b[tokenWho:tokenCode]); t.kind {
	case presence.KindSession:
		t.session, t.peer = who, who
	case presence.KindClaim:
		t.session, t.peer = who, claimID(t.member, who)
	case presence.KindMember:
		t.peer = "m" + who[:2*memberIDSize]
	}
	return t, t.peer != "" && wire.IsMeshID(t.mesh)
}

// made reports whether the code at the end of b is that of a key in use.
func (keys tokenKeys) made(b []byte) bool {
	for _, key := range keys {
		if [keyIDSize]byte(b[tokenKeyID:]) == key.id {
			return hmac.Equal(b[tokenCode:], code(key.mac, b[:tokenCode]))
		}
	}
	return false
}

// signer is the key whose signature proves that the attachment's holder asks.
// A key that was merely claimed proves nothing.
func (t *resumeToken) signer() string {
	if t.kind == presence.KindSession {
		return t.session
	}
	return t.member
}

// resumeKeyKey holds the secret of fleets that configure none: made by the
// first edge, read by the others. Whoever reads Redis reads it, and can do no
// more with it than have Redis asked about a record.
const resumeKeyKey = "claudemesh:resumekey"

// sharedTokenKeys returns the configured keys, or else those of the fleet.
func sharedTokenKeys(ctx context.Context, configured Secret, c *redis.Client) (tokenKeys, error) {
	if secrets := splitKeys(configured); len(secrets) > 0 {
		return newTokenKeys(secrets), nil
	}
	err := c.Do(ctx, "SET", resumeKeyKey, rand.Text()+rand.Text(), "NX").Err()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return nil, fmt.Errorf("edge: share resume key: %w", err)
	}
	secret, err := c.Do(ctx, "GET", resumeKeyKey).Text()
	if err != nil {
		return nil, fmt.Errorf("edge: read resume key: %w", err)
	}
	return newTokenKeys([]string{secret}), nil
}

const (
	// minResumeKey is long enough that nobody guesses a key, and maxResumeKeys
	// more than a rotation needs.
	minResumeKey  = 32
	maxResumeKeys = 8
)

// splitKeys reads EDGE_RESUME_KEYS.
func splitKeys(configured Secret) []string {
	if strings.TrimSpace(string(configured)) == "" {
		return nil
	}
	secrets := strings.Split(string(configured), ",")
	for i := range secrets {
		secrets[i] = strings.TrimSpace(secrets[i])
	}
	return secrets
}

// goodResumeKeys reports whether the configured keys may be used.
func goodResumeKeys(configured Secret) bool {
	secrets := splitKeys(configured)
	for _, secret := range secrets {
		if len(secret) < minResumeKey {
			return false
		}
	}
	return len(secrets) <= maxResumeKeys
}
