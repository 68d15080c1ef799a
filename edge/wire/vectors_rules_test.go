package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func testFingerprintVector(t *testing.T, v vector) {
	inputs := in[struct {
		Kind     string          `json:"destination_kind"`
		Ref      string          `json:"destination_ref"`
		Reply    string          `json:"reply_to_id"`
		Priority wire.Lane       `json:"priority"`
		Meta     json.RawMessage `json:"meta"`
		Message  string          `json:"message"`
	}](t, v)
	expected := want[struct {
		Meta        string `json:"meta_canonical"`
		Fingerprint string `json:"request_fingerprint"`
	}](t, v)
	destination := inputs.Ref
	if inputs.Kind == "topic" && inputs.Ref != "*" {
		destination = "@" + inputs.Ref
	}
	r := wire.SendRequest{
		Destination: destination, ReplyToID: inputs.Reply, Priority: inputs.Priority,
		Meta: inputs.Meta, Message: []byte(inputs.Message),
	}
	got, err := r.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	if got != expected.Fingerprint {
		t.Errorf("fingerprint = %s, want %s", got, expected.Fingerprint)
	}
	if inputs.Meta == nil {
		return
	}
	if meta, err := wire.CanonicalJSON(inputs.Meta); err != nil || string(meta) != expected.Meta {
		t.Errorf("canonical meta = %s, %v; want %s", meta, err, expected.Meta)
	}
}

func testSafetyNumberVector(t *testing.T, v vector) {
	inputs := in[struct{ Mine, Peer string }](t, v)
	expected := want[struct {
		Number string `json:"safety_number"`
	}](t, v)
	got, err := wire.SafetyNumber(inputs.Mine, inputs.Peer)
	if err != nil || got != expected.Number {
		t.Errorf("safety number = %s, %v; want %s", got, err, expected.Number)
	}
}

func testTargetClassVector(t *testing.T, v vector) {
	expected := want[struct {
		Class      wire.TargetClass
		Capability wire.Capability
	}](t, v)
	got := wire.ClassifyTarget(in[struct{ TargetSpec string }](t, v).TargetSpec)
	if got.Class != expected.Class || got.Capability() != expected.Capability {
		t.Errorf("got %s needing %q, want %+v", got.Class, got.Capability(), expected)
	}
}

func testPriorityGateVector(t *testing.T, v vector) {
	expected := want[struct{ Deliverable []wire.Lane }](t, v)
	got := wire.LanesFor(in[struct{ Status wire.Status }](t, v).Status)
	if diff := cmp.Diff(expected.Deliverable, got); diff != "" {
		t.Errorf("lanes (-want, +got):\n%s", diff)
	}
}

func testGroupTargetsVector(t *testing.T, v vector) {
	var groups []wire.Group
	for _, name := range in[struct{ Groups []string }](t, v).Groups {
		groups = append(groups, wire.Group{Name: name})
	}
	expected := want[struct{ Targets []string }](t, v).Targets
	if diff := cmp.Diff(expected, wire.GroupTargets(groups)); diff != "" {
		t.Errorf("targets (-want, +got):\n%s", diff)
	}
	for _, target := range append(expected[1:], "@en", "@eng/cor", "@", "*") {
		matches := false
		for _, g := range groups {
			matches = matches || wire.GroupMatches(g.Name, target)
		}
		if heard := strings.Contains(strings.Join(expected, " ")+" ", target+" "); matches != heard && target != "@" {
			t.Errorf("%s matches = %v, want %v", target, matches, heard)
		}
	}
}

func testGrantsVector(t *testing.T, v vector) {
	inputs := in[struct {
		Grants  wire.Grants
		Member  string          `json:"sender_member_key"`
		Session string          `json:"sender_session_key"`
		Needed  wire.Capability `json:"needed"`
	}](t, v)
	expected := want[struct{ Allowed bool }](t, v).Allowed
	if got := inputs.Grants.Allows(inputs.Member, inputs.Session, inputs.Needed); got != expected {
		t.Errorf("allowed = %v, want %v", got, expected)
	}
}

func testStatusWriteVector(t *testing.T, v vector) {
	type record struct {
		Status  wire.Status
		Source  wire.Source
		Updated int64
	}
	inputs := in[struct {
		Previous, Write record
		Now             int64
	}](t, v)
	expected := want[record](t, v)
	previous := wire.StatusRecord{
		Status: inputs.Previous.Status, Source: inputs.Previous.Source, At: inputs.Previous.Updated,
	}
	got := previous.Write(inputs.Write.Status, inputs.Write.Source, inputs.Now)
	if (record{got.Status, got.Source, got.At}) != expected {
		t.Errorf("got %+v, want %+v", got, expected)
	}
}
