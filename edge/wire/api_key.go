package wire

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// apiKeyStart makes an API key recognisable, to people and to scanners that
// look for leaked ones.
const apiKeyStart = "cm_"

// Lengths of an API key, in bytes and characters.
const (
	apiKeyRandom    = 32
	apiKeyLength    = len(apiKeyStart) + 43 // base64 of the random bytes
	APIKeyPrefixLen = 11                    // characters that are shown in lists
)

// NewAPIKey makes the secret of an API key.
func NewAPIKey() string {
	var b [apiKeyRandom]byte
	_, _ = rand.Read(b[:]) // never fails
	return apiKeyOf(b)
}

func apiKeyOf(b [apiKeyRandom]byte) string {
	return apiKeyStart + base64.RawURLEncoding.EncodeToString(b[:])
}

// IsAPIKey reports whether s has the shape of an API key's secret. Nothing else
// needs to be looked up.
func IsAPIKey(s string) bool {
	encoded, ok := strings.CutPrefix(s, apiKeyStart)
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	return ok && err == nil && len(b) == apiKeyRandom && len(s) == apiKeyLength
}

// APIKeyPrefix is the part of a secret that may be shown again.
func APIKeyPrefix(secret string) string { return secret[:min(len(secret), APIKeyPrefixLen)] }

// SecretHash is what is stored of a secret that has enough randomness of its
// own: the hex SHA-256 of its text.
func SecretHash(secret string) string { return hashText(secret) }

// NewWebhookSecret makes the last part of a webhook's address: 64 hex.
func NewWebhookSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// bearer opens the Authorization header of requests under /api/v1.
const bearer = "Bearer "

// BearerKey returns the API key in an Authorization header, "" if there is
// none.
func BearerKey(authorization string) string {
	if len(authorization) < len(bearer) || !strings.EqualFold(authorization[:len(bearer)], bearer) {
		return ""
	}
	return strings.TrimSpace(authorization[len(bearer):])
}
