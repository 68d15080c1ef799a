package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestEveryFrameInTheCatalogueHasAnExample keeps a type from being added
// without bytes that hold it to what it was.
func TestEveryFrameInTheCatalogueHasAnExample(t *testing.T) {
	t.Parallel()
	var peer, edge []wire.Type
	for _, f := range wire.Catalogue() {
		if f.FromPeer {
			peer = append(peer, f.Type)
		} else {
			edge = append(edge, f.Type)
		}
	}
	compareTypes(t, "peer", peer, peerFrames())
	compareTypes(t, "edge", edge, edgeFrames())
}

func compareTypes(t *testing.T, from string, want []wire.Type, examples []wire.Message) {
	t.Helper()
	var got []wire.Type
	for _, m := range examples {
		got = append(got, m.FrameType())
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames of a %s (-catalogue, +examples):\n%s", from, diff)
	}
}

// TestWhatAnswersARequestIsAReply holds the catalogue together: an answer is a
// frame that an edge sends and that says what it answers.
func TestWhatAnswersARequestIsAReply(t *testing.T) {
	t.Parallel()
	byType := map[wire.Type]wire.Message{}
	for _, m := range edgeFrames() {
		byType[m.FrameType()] = m
	}
	for _, f := range wire.Catalogue() {
		for _, a := range f.Answers {
			_, reply := byType[a].(wire.Reply)
			if byType[a] == nil || !reply && a != wire.TypeHelloAck {
				t.Errorf("%s is answered by %s, which is no reply of an edge", f.Type, a)
			}
		}
		if f.Silent != slices.Contains(f.Answers, wire.TypeOK) {
			t.Errorf("%s: only silent requests are answered by ok", f.Type)
		}
	}
}

// TestEveryRequestTellsItsRequestID finds a request whose refusal could not be
// correlated.
func TestEveryRequestTellsItsRequestID(t *testing.T) {
	t.Parallel()
	for _, f := range wire.Catalogue() {
		if !f.FromPeer || f.Family == wire.FamilyHandshake || len(f.Answers) == 0 || f.Type == wire.TypeSend {
			continue
		}
		frame := example(t, f.Type)
		m, err := wire.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := m.(wire.Request)
		if !ok || r.RequestID() == "" {
			t.Errorf("%s: not a request, or its example has no _reqId", f.Type)
			continue
		}
		if got := wire.Refuse(r, wire.CodeFull, "full").InReplyTo(); got != r.RequestID() {
			t.Errorf("%s: refused with _reqId %q, want %q", f.Type, got, r.RequestID())
		}
	}
}

func example(t *testing.T, frame wire.Type) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/frames/" + string(frame) + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWhatIsForLaterIsRefusedInWordsOfItsFamily covers frames that are known
// and not served: nobody may wait for their answer in vain.
func TestWhatIsForLaterIsRefusedInWordsOfItsFamily(t *testing.T) {
	t.Parallel()
	want := map[wire.Type]wire.Code{
		"get_file": wire.CodeNotSupported, "mcp_deploy": wire.CodeDeployError, "mcp_undeploy": wire.CodeUndeployError,
		"mcp_scope": wire.CodeScopeError, "mcp_schema": wire.CodeSchemaError, "skill_deploy": wire.CodeDeployError,
		"mesh_query": wire.CodeQueryError, "mesh_execute": wire.CodeExecuteError, "mesh_schema": wire.CodeSchemaError,
		"vector_search": wire.CodeVectorError, "graph_query": wire.CodeGraphError,
	}
	for _, f := range wire.Catalogue() {
		if !f.Later {
			continue
		}
		m, err := wire.Decode([]byte(fmt.Sprintf(`{"type":%q,"sql":"DROP","_reqId":"7"}`, f.Type)))
		if err != nil {
			t.Fatal(err)
		}
		got := m.(*wire.Later).Answer()
		if got.ReqID != "7" || got.Code == "" || !strings.Contains(got.Message, "not served") {
			t.Errorf("%s: answer = %+v", f.Type, got)
		}
		if code, named := want[f.Type]; named && got.Code != code {
			t.Errorf("%s: code = %s, want %s", f.Type, got.Code, code)
		}
	}
}

// The table of all frames in PROTOCOL.md stands between these lines.
const (
	tableBegin = "<!-- frames: begin (go test ./edge/wire -run ProtocolTable -update) -->\n"
	tableEnd   = "<!-- frames: end -->\n"
)

// TestProtocolTableListsTheCatalogue holds that PROTOCOL.md names every frame
// there is, and what answers it.
func TestProtocolTableListsTheCatalogue(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, opened := bytes.Cut(page, []byte(tableBegin))
	table, tail, closed := bytes.Cut(rest, []byte(tableEnd))
	if !opened || !closed {
		t.Fatal("PROTOCOL.md has no place for the table")
	}
	want := protocolTable()
	if *update {
		page = slices.Concat(head, []byte(tableBegin+want+tableEnd), tail)
		if err := os.WriteFile("PROTOCOL.md", page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(table)); diff != "" {
		t.Errorf("the table is stale, run with -update (-want, +got):\n%s", diff)
	}
}

func protocolTable() string {
	var b strings.Builder
	b.WriteString("| Family | Type | From | Answered by | State |\n|---|---|---|---|---|\n")
	for _, f := range wire.Catalogue() {
		from := "edge"
		if f.FromPeer {
			from = "peer"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", f.Family, f.Type, from, answers(&f), state(&f))
	}
	return b.String()
}

func answers(f *wire.FrameInfo) string {
	switch {
	case f.Silent:
		return "`ok` if it has a `_reqId` **(addition)**"
	case len(f.Answers) == 0:
		return "–"
	}
	quoted := make([]string, len(f.Answers))
	for i, a := range f.Answers {
		quoted[i] = "`" + string(a) + "`"
	}
	return strings.Join(quoted, ", ")
}

func state(f *wire.FrameInfo) string {
	switch {
	case f.Later:
		return "for later"
	case f.Ours:
		return "served **(addition)**"
	}
	return "served"
}

// TestNoTypeIsKnownToBothEnds keeps names apart: where both could send a type,
// neither could tell a request from an answer.
func TestNoTypeIsKnownToBothEnds(t *testing.T) {
	t.Parallel()
	for _, f := range wire.Catalogue() {
		decode := wire.Decode
		if f.FromPeer {
			decode = wire.DecodeFromEdge
		}
		if _, err := decode(example(t, f.Type)); !errors.Is(err, wire.ErrUnknownType) {
			t.Errorf("%s: error = %v, want ErrUnknownType", f.Type, err)
		}
	}
}
