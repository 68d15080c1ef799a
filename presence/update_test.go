package presence

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redis"
)

func fragmentScript(source string) *redis.Script {
	return redis.NewScript(source, luaSource("record"), luaSource("rule"))
}

func TestAnUpdateReplacesTheRecordToTheByte(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	record := `{"groups":[],"n":9007199254740993,"s":"a b  c\u0000"}`
	if seq, err := b.store.Update(t.Context(), h, []byte(record), UpdateEvent{}); err != nil || seq != 0 {
		t.Fatalf("seq %d, %v", seq, err)
	}
	if p, _ := b.get(h.Peer); string(p.Record) != record || !p.Announced {
		t.Fatalf("got %+v", p)
	}
}

func TestHidingAndShowingTellsOthersAndDecidesWhoHearsTheGoodbye(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	yes, no := true, false
	toggle := func(event string, announce *bool) {
		t.Helper()
		seq, err := b.store.Update(t.Context(), h, nil, UpdateEvent{Event: event, Data: []byte(`{}`), Announce: announce})
		b.must(err)
		if e := b.journal()[seq-1]; e.Event != event || e.Flags != "-" {
			t.Fatalf("journal has %+v", e)
		}
		if p, _ := b.get(h.Peer); p.Announced != *announce || len(p.Record) < 10 {
			t.Fatalf("after %s: %+v", event, p)
		}
	}
	toggle("peer_hidden", &no)
	toggle("peer_visible", &yes)
	toggle("peer_hidden", &no)
	ids := map[string]bool{}
	for _, e := range b.journal() {
		ids[e.ID] = true
	}
	if len(ids) != 4 {
		t.Fatalf("%d ids for 4 events: a receiver would drop some as repeats", len(ids))
	}
	b.must(b.store.Leave(t.Context(), h))
	b.wantEvents("peer_joined p1", "peer_hidden p1", "peer_visible p1", "peer_hidden p1")
}

func TestAnUpdateInTheGraceIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.detach(h)
	_, err := b.store.Update(t.Context(), h, []byte(`{}`), UpdateEvent{})
	b.wantLost("update", err)
	_, err = b.store.SetStatus(t.Context(), h.Peer, &h, StatusIdle, SourceManual)
	b.wantLost("set status", err)
}

type statusWrite struct {
	Name, Group string
	Inputs      struct {
		Previous, Write statusVector
		Now             int64
	}
	Expected statusVector
}

type statusVector struct {
	Status, Source string
	Updated        int64
}

// statusWrites reads the vectors of the write rule from the shared file.
func statusWrites(t *testing.T) (out []statusWrite) {
	text, err := os.ReadFile("../edge/wire/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []json.RawMessage }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, raw := range file.Vectors {
		var v statusWrite
		if strings.Contains(string(raw), `"status_write"`) {
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
	}
	return out
}

// TestStatusRuleAgreesWithTheVectors runs the shared vectors against the Lua
// that decides.
func TestStatusRuleAgreesWithTheVectors(t *testing.T) {
	t.Parallel()
	vectors := statusWrites(t)
	if len(vectors) < 4 {
		t.Fatalf("%d vectors", len(vectors))
	}
	b := newBench(t, Options{})
	rule := fragmentScript("return status_source(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6]))")
	for _, v := range vectors {
		in := v.Inputs
		got, err := b.rdb.Run(t.Context(), rule, nil, in.Previous.Status, in.Previous.Source, in.Previous.Updated,
			in.Write.Status, in.Write.Source, in.Now).Text()
		if want := (statusVector{in.Write.Status, got, in.Now}); err != nil || want != v.Expected {
			t.Errorf("%s: got %+v, %v; want %+v", v.Name, want, err, v.Expected)
		}
	}
}

func TestAHookCannotLiftDND(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	for _, c := range []struct {
		held           *Held
		status, source string
		want           string
	}{
		{nil, StatusWorking, SourceHook, "working hook"},
		{&h, StatusWorking, SourceJSONL, "working hook"}, // fresh and stronger
		{&h, StatusDND, SourceManual, "dnd manual"},
		{nil, StatusIdle, SourceHook, "dnd manual"},
		{nil, StatusDND, SourceHook, "dnd manual"},
		{&h, StatusIdle, SourceManual, "idle manual"},
	} {
		got, err := b.store.SetStatus(t.Context(), h.Peer, c.held, c.status, c.source)
		b.must(err)
		if got.Value+" "+got.Source != c.want {
			t.Errorf("%s by %s: got %+v, want %s", c.status, c.source, got, c.want)
		}
	}
	if p, _ := b.get(h.Peer); p.Status.Value != StatusIdle || len(p.Record) < 10 {
		t.Fatalf("record %+v", p)
	}
}

func TestAChangedStatusRingsAndAnUnchangedOneDoesNot(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	sub := b.rdb.Raw().Subscribe(t.Context(), b.rdb.MeshBell(b.mesh))
	defer sub.Close()
	_, err := sub.Receive(t.Context())
	b.must(err)
	for _, status := range []string{StatusIdle, StatusWorking, StatusWorking} {
		_, err := b.store.SetStatus(t.Context(), h.Peer, &h, status, SourceManual)
		b.must(err)
	}
	b.attach(b.session("p1"))
	for _, want := range []string{"status\x1fp1", "taken\x1fp1"} {
		msg, err := sub.ReceiveMessage(t.Context())
		b.must(err)
		if !strings.HasPrefix(msg.Payload, want) {
			t.Fatalf("heard %q, want %q", msg.Payload, want)
		}
	}
}

func TestStatusOfNobodyAndUnknownStatusesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	if _, err := b.store.SetStatus(t.Context(), b.peer("p1"), nil, StatusIdle, SourceHook); !errors.Is(err, ErrAway) {
		t.Errorf("nobody: %v", err)
	}
	b.attach(b.session("p1"))
	for i, bad := range [][2]string{{"busy", SourceHook}, {StatusIdle, "me"}, {"", ""}} {
		if _, err := b.store.SetStatus(t.Context(), b.peer("p1"), nil, bad[0], bad[1]); err == nil {
			t.Error(strconv.Itoa(i), "was accepted")
		}
	}
}
