package ui

import (
	"strings"

	"rsc.io/qr"
)

// quietZone is the white around a code that scanners want.
const quietZone = 2

// QR returns a text as a code to scan, two rows in a line of half blocks. With
// colours it is black on white; without, it is drawn for light text on a dark
// ground, which is what most terminals have.
func (p *Printer) QR(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	inked := func(x, y int) bool { return code.Black(x, y) == p.color }
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		var line strings.Builder
		for x := -quietZone; x < code.Size+quietZone; x++ {
			line.WriteString(halfBlock(inked(x, y), inked(x, y+1)))
		}
		b.WriteString(p.style("30;107", line.String()) + "\n")
	}
	return b.String(), nil
}

// halfBlock draws what is inked of two rows.
func halfBlock(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
