package check

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/anishathalye/porcupine"
)

const (
	// proveWithin bounds the search for an order of one lane.
	proveWithin = 5 * time.Second

	// maxProven bounds the operations that are searched together.
	maxProven = 2000
)

// A step is one operation on a lane: a message put in, or taken out.
type step struct {
	put bool
	n   int // which message of the lane, by its first send
}

// queueModel is a queue into which a message may be put once, and out of which
// it may be taken only while nothing waits before it. A put that was never
// acked may take effect at any time, or never.
func queueModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			waiting, s := state.(string), input.(step)
			if s.put {
				return true, waiting + string(rune(s.n+firstRune))
			}
			first, size := utf8.DecodeRuneInString(waiting)
			return int(first) == s.n+firstRune, waiting[size:]
		},
		Equal: func(a, b any) bool { return a.(string) == b.(string) },
	}
}

// firstRune keeps the runes of messages clear of those that are none.
const firstRune = 0x10000

// proveLanes has Porcupine find, for every sender, recipient and priority, an
// order of puts and takes in which the lane is a queue. That holds at once that
// nothing came before it was sent, nothing twice, and nothing out of turn.
func (r *Report) proveLanes(t *troubles, m *mail) {
	lanes := map[lane][]*message{}
	for _, msg := range m.order {
		if msg.to != "*" && !msg.beside {
			k := lane{msg.from, msg.to, msg.lane}
			lanes[k] = append(lanes[k], msg)
		}
	}
	for k, msgs := range lanes {
		slices.SortFunc(msgs, byTime)
		ops := operations(t, msgs)
		if len(ops) > maxProven {
			r.Unproven++
			continue
		}
		switch porcupine.CheckOperationsTimeout(queueModel(), ops, proveWithin) {
		case porcupine.Ok:
			r.Lanes++
		case porcupine.Unknown:
			r.Unproven++
		case porcupine.Illegal:
			r.violate("Q3", nil, "no order makes a queue of what %s sent to %.8s as %s", k.from, k.to, k.name)
		}
	}
}

// operations are the puts and takes of one lane. What neither arrived nor was
// acked is left out, since it may never have happened; so is what Redis may
// have forgotten.
func operations(t *troubles, msgs []*message) []porcupine.Operation {
	var ops []porcupine.Operation
	for n, msg := range msgs {
		if len(msg.first) == 0 && (msg.acked.At == 0 || t.forgets(msg.acked.At)) {
			continue
		}
		put := porcupine.Operation{Input: step{true, n}, Call: msg.sent.At, Return: msg.acked.At}
		for _, got := range msg.first {
			ops = append(ops, porcupine.Operation{ClientId: 1, Input: step{false, n}, Call: got.At, Return: got.At})
			if put.Return == 0 {
				put.Return = got.At // it was there by then
			}
		}
		ops = append(ops, put)
	}
	return ops
}
