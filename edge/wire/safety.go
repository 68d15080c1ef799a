package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// SafetyNumber returns the digits that two people compare to be sure of each
// other's keys. Both see the same. It wants member keys: session keys change.
func SafetyNumber(a, b string) (string, error) {
	if !IsKey(a) || !IsKey(b) {
		return "", errors.New("wire: safety number: not a public key")
	}
	first, _ := hex.DecodeString(a)
	second, _ := hex.DecodeString(b)
	if bytes.Compare(first, second) > 0 {
		first, second = second, first
	}
	sum := sha256.Sum256(append(first, second...))
	groups := make([]string, 6)
	for i := range groups {
		groups[i] = fmt.Sprintf("%05d", twentyBits(sum[:], i)%100_000)
	}
	return strings.Join(groups, " "), nil
}

// twentyBits returns the i-th group of 20 bits, most significant bit first.
func twentyBits(b []byte, i int) uint32 {
	at := i * 20
	return binary.BigEndian.Uint32(b[at/8:]) << (at % 8) >> 12
}
