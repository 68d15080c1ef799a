package commons_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// askFile asks for a file and returns the id of the request.
func askFile(p *edgetest.Peer, target, path string) wire.ReqID {
	id := reqID()
	p.Write(&wire.PeerFileRequest{TargetPubkey: target, FilePath: path, ReqID: id})
	return id
}

func file(p *edgetest.Peer, id wire.ReqID) *wire.PeerFileResponseForward {
	return edgetest.NextIf(p.Conn, func(r *wire.PeerFileResponseForward) bool { return r.ReqID == id })
}

// serveFile answers the next request as existing clients do: all it knows of it
// is the _reqId.
func serveFile(p *edgetest.Peer, content string) *wire.PeerFileRequestForward {
	r := edgetest.Next[*wire.PeerFileRequestForward](p)
	p.Write(&wire.PeerFileResponse{RequesterPubkey: r.RequesterPubkey, FilePath: r.FilePath, Content: content, ReqID: r.ReqID})
	return r
}

func TestFilesAndDirectoriesAreReadAcrossEdges(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	const path = `src/it's "here" ✓.go`
	id := askFile(bob, ana.Key(), path)
	if r := serveFile(ana, strings.Repeat("QUJD", 200_000)); r.RequesterPubkey != bob.Key() || r.FilePath != path {
		t.Errorf("forward: %+v", r)
	}
	if got := file(bob, id); got.FilePath != path || len(got.Content) != 800_000 || got.Error != "" {
		t.Errorf("file: %s %d %s", got.FilePath, len(got.Content), got.Error)
	}

	id = reqID()
	bob.Write(&wire.PeerDirRequest{TargetPubkey: strings.ToUpper(ana.Key()), DirPath: "", Pattern: "*.go", ReqID: id})
	r := edgetest.Next[*wire.PeerDirRequestForward](ana)
	if r.RequesterPubkey != bob.Key() || r.DirPath != "" || r.Pattern != "*.go" {
		t.Errorf("forward: %+v", r)
	}
	ana.Write(&wire.PeerDirResponse{RequesterPubkey: bob.Key(), Entries: json.RawMessage(`[{"name":"a.go"}]`), ReqID: r.ReqID})
	got := edgetest.NextIf(bob.Conn, func(r *wire.PeerDirResponseForward) bool { return r.ReqID == id })
	if string(got.Entries) != `[{"name":"a.go"}]` || got.Error != "" {
		t.Errorf("directory: %+v", got)
	}
	expectNoAnswer(t, bob)
}

func TestTwoWhoAskWithOneIdEachGetTheirFile(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, eve := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(one, "eve")
	bob.Write(&wire.PeerFileRequest{TargetPubkey: ana.Key(), FilePath: "b", ReqID: "1"})
	forB := edgetest.Next[*wire.PeerFileRequestForward](ana)
	eve.Write(&wire.PeerFileRequest{TargetPubkey: ana.Key(), FilePath: "e", ReqID: "1"})
	forE := edgetest.Next[*wire.PeerFileRequestForward](ana)
	// Nobody else can answer.
	for _, id := range []wire.ReqID{"1", forB.ReqID} {
		eve.Write(&wire.PeerFileResponse{RequesterPubkey: bob.Key(), FilePath: "b", Content: "forged", ReqID: id})
	}
	eve.ExpectError(wire.CodeForbidden)
	ana.Write(&wire.PeerFileResponse{RequesterPubkey: eve.Key(), FilePath: "e", Content: "E", ReqID: forE.ReqID})
	ana.Write(&wire.PeerFileResponse{RequesterPubkey: bob.Key(), FilePath: "b", Content: "B", ReqID: forB.ReqID})
	if got := file(bob, "1"); got.Content != "B" || got.FilePath != "b" {
		t.Errorf("bob got %+v", got)
	}
	if got := file(eve, "1"); got.Content != "E" {
		t.Errorf("eve got %+v", got)
	}
	expectNoAnswer(t, bob)
	expectNoAnswer(t, eve)
}

func TestAMembersKeyMeansItsSession(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	bob := m.Session(other, "bob")
	m.Member("ana").Control(one)
	askFile(bob, m.Member("ana").Pub(), "f")
	bob.Settle() // the daemon is all there is, and says nothing
	ana := m.Session(one, "ana")
	m.Member("ana").Control(other)
	id := askFile(bob, m.Member("ana").Pub(), "f")
	serveFile(ana, "Zg==")
	file(bob, id)
	// Nor does anybody ask itself.
	refusal(t, bob, &wire.PeerFileRequest{TargetPubkey: bob.Member.Pub(), FilePath: "f", ReqID: reqID()}, wire.CodePeerNotFound)
	refusal(t, bob, &wire.PeerFileRequest{TargetPubkey: bob.Key(), FilePath: "f", ReqID: reqID()}, wire.CodePeerNotFound)
	sibling := m.Session(one, "bob")
	id = askFile(bob, bob.Member.Pub(), "f")
	serveFile(sibling, "Zg==")
	file(bob, id)
}

func TestNobodyToAskIsSaid(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	unknown := wire.PublicKey(edgetest.NewKey(t))
	refusal(t, bob, &wire.PeerFileRequest{TargetPubkey: unknown, FilePath: "f", ReqID: reqID()}, wire.CodePeerNotFound)
	refusal(t, bob, &wire.PeerDirRequest{TargetPubkey: unknown, ReqID: reqID()}, wire.CodePeerNotFound)
	stranger := one.NewMesh().Session(one, "stranger")
	refusal(t, bob, &wire.PeerDirRequest{TargetPubkey: stranger.Key(), ReqID: reqID()}, wire.CodePeerNotFound)
	for _, bad := range []string{"", "x", strings.Repeat("z", 64)} {
		refusal(t, bob, &wire.PeerFileRequest{TargetPubkey: bad, FilePath: "f", ReqID: reqID()}, wire.CodeInvalidArgument)
	}
	for _, bad := range []string{"", "a\x00b", "a\nb", strings.Repeat("x", 64<<10)} {
		refusal(t, bob, &wire.PeerFileRequest{TargetPubkey: ana.Key(), FilePath: bad, ReqID: reqID()}, wire.CodeInvalidArgument)
	}

	late := askFile(bob, ana.Key(), "f")
	call := edgetest.Next[*wire.PeerFileRequestForward](ana).ReqID
	overdue(t, one, m, "call", string(call))
	if got := file(bob, late); got.Error != "the peer did not answer within 15s" || got.FilePath != "f" {
		t.Errorf("late: %+v", got)
	}
	gone := reqID()
	bob.Write(&wire.PeerDirRequest{TargetPubkey: ana.Key(), DirPath: "d", ReqID: gone})
	edgetest.Next[*wire.PeerDirRequestForward](ana)
	cut(t, one, ana)
	if got := file(bob, askFile(bob, ana.Key(), "f")); !strings.Contains(got.Error, "reconnecting") {
		t.Errorf("away: %+v", got)
	}
	ana = ana.Again(other)
	ana.Write(&wire.Goodbye{})
	got := edgetest.NextIf(bob.Conn, func(r *wire.PeerDirResponseForward) bool { return r.ReqID == gone })
	if got.Error != "the peer has left" || got.DirPath != "d" {
		t.Errorf("gone: %+v", got)
	}
	expectNoAnswer(t, bob)
}

func TestGrantsDecideWhoMayAskForFiles(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	grant := func(caps ...wire.Capability) {
		t.Helper()
		if _, err := m.Registry.SetGrants(t.Context(), m.ID, ana.Member.Pub(), wire.Grants{bob.Member.Pub(): caps}); err != nil {
			t.Fatal(err)
		}
	}
	file(bob, func() wire.ReqID { id := askFile(bob, ana.Key(), "f"); serveFile(ana, ""); return id }())
	for _, caps := range [][]wire.Capability{{}, {wire.CapRead, wire.CapDM}} {
		grant(caps...)
		refusal(t, bob, &wire.PeerFileRequest{TargetPubkey: ana.Key(), FilePath: "f", ReqID: reqID()}, wire.CodeForbidden)
	}
	grant(wire.CapFileRead)
	id := askFile(bob, ana.Key(), "f")
	serveFile(ana, "")
	file(bob, id)
}
