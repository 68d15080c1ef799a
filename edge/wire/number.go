package wire

import (
	"math"
	"strconv"
	"strings"
)

// formatNumber writes f as ECMAScript does: the shortest digits that read back
// as f, plain from 1e-6 to below 1e21, with a signed exponent beyond.
func formatNumber(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "null"
	case f == 0:
		return "0" // negative zero too
	}
	if abs := math.Abs(f); 1e-6 <= abs && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	// Go pads the exponent to two digits, ECMAScript does not.
	return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}
