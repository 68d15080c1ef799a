package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var seed = strings.Repeat("ab", 32)

// told runs commands and returns what was written.
func told(t *testing.T, commands string) ([]record, error) {
	t.Helper()
	var b bytes.Buffer
	out := newRecorder(&b)
	h := newHost(t.Context(), out)
	err := h.obey(strings.NewReader(commands))
	h.close()
	if err := out.close(); err != nil {
		t.Fatal(err)
	}
	var records []record
	for dec := json.NewDecoder(&b); dec.More(); {
		var r record
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records, err
}

const nowhere = "ws://127.0.0.1:1/ws" // nobody listens on port 1

func TestAPeerTellsItsLife(t *testing.T) {
	t.Parallel()
	records, err := told(t, `{"op":"start","peer":"ana","url":"`+nowhere+`","mesh":"m","memberId":"i","memberSeed":"`+seed+`","seed":"`+seed+`"}
{"op":"send","peer":"ana","id":"x","to":"*","lane":"next"}
{"op":"leave","peer":"ana","how":"vanish"}
`)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range records {
		seen[r.Kind] = true
		if r.Peer != "ana" || r.At == 0 {
			t.Errorf("a record of nobody, or of no time: %+v", r)
		}
	}
	for _, want := range []string{"started", "leaving", "ended"} {
		if !seen[want] {
			t.Errorf("nothing tells that the peer %s: %+v", want, records)
		}
	}
}

func TestCommandsThatMakeNoSenseEndTheProgram(t *testing.T) {
	t.Parallel()
	start := `{"op":"start","peer":"ana","url":"` + nowhere + `","memberSeed":"` + seed + `","seed":"` + seed + `"}` + "\n"
	for name, c := range map[string]struct{ commands, says string }{
		"no command":      {"nonsense\n", "invalid character"},
		"unknown peer":    {`{"op":"cut","peer":"bob"}`, `unknown peer "bob"`},
		"unknown op":      {start + `{"op":"dance","peer":"ana"}`, `unknown op "dance"`},
		"unknown leaving": {start + `{"op":"leave","peer":"ana","how":"loudly"}`, `unknown way to leave`},
		"a bad seed":      {`{"op":"start","peer":"ana","memberSeed":"xyz"}`, "64 hex characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := told(t, c.commands); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}
