package commons_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// A line says what one type of frame does: how it is answered, what a peer at
// another edge is told, and how it is refused. The lines of a family are played
// one after the other, in one mesh.
type line struct {
	frame wire.Type
	by    func(*cast) *edgetest.Peer               // who asks; nil: ana
	ask   func(*cast) wire.Request                 // is granted
	reply func(*cast, wire.Reply) error            // what is wrong with the answer; nil: any of its type will do
	told  func(*cast, wire.Message) bool           // bob, at the other edge, gets such a frame; nil: nothing
	wrong func(*cast) map[wire.Code]wire.Request   // is refused
	full  func(*cast) wire.Request                 // is refused where nothing more fits into the mesh
	do    func(*testing.T, *cast, func(wire.Type)) // instead of ask, for what is not answered; says what it saw
}

// cast are the peers of one mesh. Boss and ana are at one edge, bob at another.
type cast struct {
	one, other     *edgetest.Edge
	m              *edgetest.Mesh
	boss, ana, bob *edgetest.Peer
	note           map[string]string
}

func newCast(one, other *edgetest.Edge) *cast {
	m := one.NewMesh()
	c := &cast{one: one, other: other, m: m, note: map[string]string{}}
	c.boss, c.ana, c.bob = m.Session(one, founder), m.Session(one, "ana"), m.Session(other, "bob")
	return c
}

// families are the lines by what they are about.
func families() map[string][]line {
	return map[string][]line{
		"handshake": handshakeLines(), "presence": presenceLines(), "messages": messageLines(), "connection": connectionLines(),
		"state": stateLines(), "memory": memoryLines(), "context": contextLines(), "tasks": taskLines(), "skills": skillLines(),
		"vault": vaultLines(), "schedule": scheduleLines(), "topics": topicLines(), "API keys": apiKeyLines(),
		"streams": streamLines(), "MCP": mcpLines(), "watches": watchLines(), "clock": clockLines(), "relay": relayLines(),
		"webhooks": webhookLines(), "audit": auditLines(), "mesh": infoLines(), "moderation": moderationLines(), "grants": grantLines(),
	}
}

var frameInfo = func() map[wire.Type]wire.FrameInfo {
	byType := map[wire.Type]wire.FrameInfo{}
	for _, f := range wire.Catalogue() {
		byType[f.Type] = f
	}
	return byType
}()

// sightings are the types of frames that edges have sent.
type sightings struct {
	mu   sync.Mutex
	seen map[wire.Type]bool
	done int // families that were played to the end
}

func (s *sightings) saw(t wire.Type) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[t] = true
}

// TestConformance plays every type of frame that is served. Frames that edges
// send must all have been seen in the course of it.
func TestConformance(t *testing.T) {
	t.Parallel()
	saw := &sightings{seen: map[wire.Type]bool{}}
	t.Run("families", func(t *testing.T) {
		for name, lines := range families() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newCast(edges(t, edgetest.WithConfig(reachLoopback)))
				for _, l := range lines {
					play(t, c, l, saw.saw)
				}
				playFull(t, c, lines)
				saw.mu.Lock()
				saw.done++
				saw.mu.Unlock()
			})
		}
	})
	if saw.done < len(families()) {
		return // not all were asked for, or some have failed
	}
	for _, f := range wire.Catalogue() {
		if !f.FromPeer && !saw.seen[f.Type] {
			t.Errorf("no edge has sent %s", f.Type)
		}
	}
}

func play(t *testing.T, c *cast, l line, saw func(wire.Type)) {
	t.Helper()
	if l.do != nil {
		l.do(t, c, saw)
	}
	by := c.ana
	if l.by != nil {
		by = l.by(c)
	}
	if l.ask != nil {
		playGranted(t, c, l, by, saw)
	}
	if l.wrong == nil {
		return
	}
	saw(wire.TypeError)
	for code, m := range l.wrong(c) {
		playRefused(t, by, l.frame, m, code)
	}
}

func playGranted(t *testing.T, c *cast, l line, by *edgetest.Peer, saw func(wire.Type)) {
	t.Helper()
	m := l.ask(c)
	if m.FrameType() != l.frame || m.RequestID() == "" {
		t.Fatalf("the line of %s asks %s with _reqId %q", l.frame, m.FrameType(), m.RequestID())
	}
	got := ask[wire.Reply](by, m)
	saw(got.FrameType())
	if !slices.Contains(frameInfo[l.frame].Answers, got.FrameType()) {
		t.Fatalf("%s is answered by %s: %+v", l.frame, got.FrameType(), got)
	}
	if l.reply != nil {
		if err := l.reply(c, got); err != nil {
			t.Errorf("%s: %v: %+v", l.frame, err, got)
		}
	}
	if l.told != nil {
		saw(edgetest.NextIf(c.bob, func(m wire.Message) bool { return l.told(c, m) }).FrameType())
	}
}

func playRefused(t *testing.T, by *edgetest.Peer, frame wire.Type, m wire.Request, code wire.Code) {
	t.Helper()
	if m.FrameType() != frame {
		t.Fatalf("the line of %s has a refusal of %s", frame, m.FrameType())
	}
	e := refusal(t, by, m, code)
	f := frameInfo[frame]
	if inID := f.Family == wire.FamilyTopics || f.Family == wire.FamilyAPIKeys; inID != (e.ID == string(m.RequestID())) {
		t.Errorf("%s is refused with id %q", frame, e.ID)
	}
}

// meshBytes is more than a mesh may hold.
const meshBytes = 64 << 20

// playFull asks for what does not fit any more.
func playFull(t *testing.T, c *cast, lines []line) {
	t.Helper()
	sizes := "sizes:" + c.one.Client.Tag(c.m.ID) + ":" + c.m.ID
	if err := c.one.Client.Raw().HSet(t.Context(), sizes, "total", meshBytes).Err(); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.full != nil {
			playRefused(t, c.ana, l.frame, l.full(c), wire.CodeFull)
		}
	}
}

// TestEveryFrameThatIsServedHasALine keeps a type from being added that is
// driven by nothing.
func TestEveryFrameThatIsServedHasALine(t *testing.T) {
	t.Parallel()
	var want, got []wire.Type
	for _, f := range wire.Catalogue() {
		if f.FromPeer && !f.Later {
			want = append(want, f.Type)
		}
	}
	for name, lines := range families() {
		for _, l := range lines {
			got = append(got, l.frame)
			if f := frameInfo[l.frame]; string(f.Family) != name {
				t.Errorf("%s is of the family %q, not %q", l.frame, f.Family, name)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("types (-catalogue, +lines):\n%s", diff)
	}
}

// tableRow is a row of the table in PROTOCOL.md: family, type, from, answers,
// state.
var tableRow = regexp.MustCompile("(?m)^\\| ([A-Za-z ]+) \\| `([a-z_]+)` \\| (peer|edge) \\| [^|]* \\| ([^|]+) \\|$")

// TestTheTableOfAllFramesTellsWhatIsServed compares PROTOCOL.md with what the
// commons answer. The first four families are the edge's own.
func TestTheTableOfAllFramesTellsWhatIsServed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../wire/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	c := commons.New(commons.Options{})
	rows := tableRow.FindAllStringSubmatch(string(page), -1)
	if len(rows) != len(wire.Catalogue()) {
		t.Errorf("%d rows of %d frames", len(rows), len(wire.Catalogue()))
	}
	own := []wire.Family{wire.FamilyHandshake, wire.FamilyPresence, wire.FamilyMessages, wire.FamilyConnection}
	for _, row := range rows {
		family, frame, from, state := wire.Family(row[1]), wire.Type(row[2]), row[3], row[4]
		want := from == "peer" && !slices.Contains(own, family) && state != "for later"
		if got := c.Serves(frame); got != want {
			t.Errorf("%s: the table says %q of a %s; the commons serve it: %v", frame, state, from, got)
		}
	}
}

func TestWhatIsForLaterIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	for _, f := range wire.Catalogue() {
		if f.Later {
			later := &wire.Later{Type: f.Type, ReqID: reqID()}
			refusal(t, ana, later, later.Answer().Code)
		}
	}
}

// answered checks a reply of a type.
func answered[R wire.Reply](check func(*cast, R) error) func(*cast, wire.Reply) error {
	return func(c *cast, r wire.Reply) error { return check(c, r.(R)) }
}

// is makes an error of a condition that does not hold.
func is(ok bool) error {
	if !ok {
		return fmt.Errorf("not the answer that was expected")
	}
	return nil
}

// refuses are refusals that need nothing of the cast.
func refuses(m map[wire.Code]wire.Request) func(*cast) map[wire.Code]wire.Request {
	return func(*cast) map[wire.Code]wire.Request { return m }
}

// event is a push of an event.
func event(e wire.Event) func(*cast, wire.Message) bool {
	return func(_ *cast, m wire.Message) bool {
		p, ok := m.(*wire.Push)
		return ok && p.Event == e
	}
}
