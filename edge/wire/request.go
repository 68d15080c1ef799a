package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"
)

const requestDomain = "claudemesh-request"

// Headers of a signed request. Not Authorization: proxies and redirects treat
// that one as they see fit.
const (
	HeaderKey       = "Claudemesh-Key"
	HeaderTime      = "Claudemesh-Time"
	HeaderNonce     = "Claudemesh-Nonce"
	HeaderSignature = "Claudemesh-Signature"
)

// Bounds of a nonce. 22 characters of base62 are 130 bits.
const (
	MinNonce = 22
	MaxNonce = 64
)

// Reasons why a signed request is not believed.
var (
	ErrRequestUnsigned  = errors.New("wire: request is not signed")
	ErrRequestSkew      = errors.New("wire: request time too far off")
	ErrRequestSignature = errors.New("wire: request signature wrong")
)

// SignedRequest is an HTTP request as far as its signature covers it.
type SignedRequest struct {
	Method    string
	Target    string // path and query as on the request line
	Body      []byte
	Key       string
	Time      Millis
	Nonce     string
	Signature string
}

// Canonical is the text that the key signs.
func (r *SignedRequest) Canonical() []byte {
	body := sha256.Sum256(r.Body)
	return canonical(requestDomain, r.Method, r.Target, hex.EncodeToString(body[:]), r.Time.String(), r.Nonce)
}

// SignRequest signs r, whose body is given, and sets its headers.
func SignRequest(r *http.Request, body []byte, key ed25519.PrivateKey, now time.Time) {
	s := SignedRequest{
		Method: r.Method,
		Target: r.URL.RequestURI(),
		Body:   body,
		Key:    PublicKey(key),
		Time:   MillisAt(now),
		Nonce:  NewID(MinNonce),
	}
	r.Header.Set(HeaderKey, s.Key)
	r.Header.Set(HeaderTime, s.Time.String())
	r.Header.Set(HeaderNonce, s.Nonce)
	r.Header.Set(HeaderSignature, sign(key, s.Canonical()))
}

// VerifyRequest checks r's signature over its body, which the caller has read.
// The key in the result is in lowercase. The caller must still see to it that
// the nonce is used once, for [NonceKept], and that the key may do this.
func VerifyRequest(r *http.Request, body []byte, now time.Time) (SignedRequest, error) {
	target := r.RequestURI // as sent; empty on requests that no server has read
	if target == "" {
		target = r.URL.RequestURI()
	}
	ms, err := strconv.ParseInt(r.Header.Get(HeaderTime), 10, 64)
	s := SignedRequest{
		Method:    r.Method,
		Target:    target,
		Body:      body,
		Key:       r.Header.Get(HeaderKey),
		Time:      Millis(ms),
		Nonce:     r.Header.Get(HeaderNonce),
		Signature: r.Header.Get(HeaderSignature),
	}
	if err != nil {
		s.Time = notANumber()
	}
	return s, s.check(now)
}

func (r *SignedRequest) check(now time.Time) error {
	switch {
	case !IsLowerKey(r.Key) || !isSignature(r.Signature) || !r.Time.IsNumber():
		return ErrRequestUnsigned
	case len(r.Nonce) < MinNonce || len(r.Nonce) > MaxNonce || !isBase62(r.Nonce):
		return ErrRequestUnsigned
	case !r.Time.Within(ClockSkew, now):
		return ErrRequestSkew
	case !verify(r.Key, r.Signature, r.Canonical()):
		return ErrRequestSignature
	}
	return nil
}
