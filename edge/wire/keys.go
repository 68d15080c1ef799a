package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"
)

// canonical joins fields to the text that is signed.
func canonical(fields ...string) []byte { return []byte(strings.Join(fields, "|")) }

// sign returns the signature as the wire carries it.
func sign(key ed25519.PrivateKey, text []byte) string {
	return hex.EncodeToString(ed25519.Sign(key, text))
}

// PublicKey returns the text of key's public half.
func PublicKey(key ed25519.PrivateKey) string {
	return hex.EncodeToString(key.Public().(ed25519.PublicKey))
}

// IsKey reports whether s has the shape of a public key: 64 hex characters of
// either case.
func IsKey(s string) bool { return isHex(s, 2*ed25519.PublicKeySize) }

// IsLowerKey reports whether s is a public key in the only case that session
// keys are written in.
func IsLowerKey(s string) bool { return IsKey(s) && s == strings.ToLower(s) }

// isSignature reports whether s has the shape of a signature.
func isSignature(s string) bool { return isHex(s, 2*ed25519.SignatureSize) }

func isHex(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// verify reports whether signature is key's over text.
func verify(key, signature string, text []byte) bool {
	k, err := hex.DecodeString(key)
	if err != nil || len(k) != ed25519.PublicKeySize || isSmallOrder(k) {
		return false
	}
	sig, err := hex.DecodeString(signature)
	return err == nil && len(sig) == ed25519.SignatureSize && ed25519.Verify(k, text, sig)
}

// smallOrder are the y coordinates of the points of order 1, 2, 4 and 8, with
// those encodings of them that exceed the field. For such a key anybody can
// make a signature that holds for many texts, so it identifies nobody.
var smallOrder = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func isSmallOrder(key []byte) bool {
	y := [ed25519.PublicKeySize]byte(key)
	y[len(y)-1] &= 0x7f // the sign of x
	text := hex.EncodeToString(y[:])
	for _, s := range smallOrder {
		if text == s {
			return true
		}
	}
	return false
}
