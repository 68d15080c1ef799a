package commons_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestStateIsSharedAndEveryOtherConnectionHearsOfAChange(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")

	ask[*wire.OK](ana, &wire.SetState{Key: "build", Value: json.RawMessage(`{"ok":true}`), ReqID: reqID()})
	for _, p := range []*edgetest.Peer{sibling, bob} {
		got := edgetest.Next[*wire.StateChange](p.Conn)
		if got.Key != "build" || string(got.Value) != `{"ok":true}` || got.UpdatedBy != "ana" {
			t.Errorf("change: %+v", got)
		}
	}
	got := ask[*wire.StateResult](bob, &wire.GetState{Key: "build", ReqID: reqID()})
	if string(got.Value) != `{"ok":true}` || got.UpdatedBy != "ana" || got.UpdatedAt.IsZero() {
		t.Errorf("value: %+v", got)
	}
	none := ask[*wire.StateResult](bob, &wire.GetState{Key: "other", ReqID: reqID()})
	if string(none.Value) != "null" || none.UpdatedBy != "" || !none.UpdatedAt.IsZero() {
		t.Errorf("unknown key: %+v", none)
	}
	for _, f := range ana.Frames() {
		if _, heard := f.(*wire.StateChange); heard {
			t.Error("who changed it was told of it")
		}
	}
}

func TestStateIsListedByKeyAndCanBeRemoved(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	for _, key := range []string{"b", "a'\"", "c"} {
		ask[*wire.OK](ana, &wire.SetState{Key: key, Value: json.RawMessage(`1`), ReqID: reqID()})
	}
	gone := ask[*wire.StateDeleted](bob, &wire.DeleteState{Key: "b", ReqID: reqID()})
	again := ask[*wire.StateDeleted](bob, &wire.DeleteState{Key: "b", ReqID: reqID()})
	if !gone.Deleted || again.Deleted {
		t.Errorf("deleted %v, then %v", gone.Deleted, again.Deleted)
	}
	var keys []string
	for _, e := range ask[*wire.StateList](ana, &wire.ListState{ReqID: reqID()}).Entries {
		keys = append(keys, e.Key)
	}
	if got := fmt.Sprintf("%q", keys); got != `["a'\"" "c"]` {
		t.Errorf("keys %s", got)
	}
	edgetest.NextIf(ana.Conn, func(c *wire.StateChange) bool { return c.Key == "b" && string(c.Value) == "null" })
}

func TestL4_AStateChangeReachesAPeerThatWasCutOff(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	bob.Cut()
	ask[*wire.OK](ana, &wire.SetState{Key: "k", Value: json.RawMessage(`"v"`), ReqID: reqID()})
	edgetest.NextIf(bob.Again(one).Conn, func(c *wire.StateChange) bool { return c.Key == "k" })
}

func TestAFullStateRefusesWhatIsNewAndTakesWhatShrinks(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	big := json.RawMessage(`"` + strings.Repeat("x", 60_000) + `"`)
	if code := fill(ana, func(i int, id wire.ReqID) wire.Request {
		return &wire.SetState{Key: fmt.Sprint("k", i), Value: big, ReqID: id}
	}); code != wire.CodeFull {
		t.Fatalf("ended with %q", code)
	}
	ask[*wire.OK](ana, &wire.SetState{Key: "k0", Value: json.RawMessage(`1`), ReqID: reqID()})
	ask[*wire.OK](ana, &wire.SetState{Key: "new", Value: json.RawMessage(`1`), ReqID: reqID()})
}

func TestNamesThatCannotBeAreRefusedWithAClearAnswer(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	for _, key := range []string{"", "a\x00b", "a\nb", strings.Repeat("k", 64<<10)} {
		refusal(t, ana, &wire.SetState{Key: key, Value: json.RawMessage(`1`), ReqID: reqID()}, wire.CodeInvalidArgument)
	}
	refusal(t, ana, &wire.Later{Type: "mesh_query", ReqID: reqID()}, wire.CodeQueryError)
}
