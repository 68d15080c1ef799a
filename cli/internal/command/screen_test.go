package command

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// newTestScreen returns a screen that shows n peers.
func newTestScreen(n int) *screen {
	out := ui.New(new(bytes.Buffer), new(bytes.Buffer), func(string) string { return "" })
	s := newScreen(identity.Mesh{Slug: "acme", PublicKey: "self", BrokerURL: "wss://broker.example/ws"}, out)
	s.now = time.UnixMilli(1_000_000)
	s.Update(peersNow{somePeers(n)})
	return s
}

func somePeers(n int) []wire.PeerInfo {
	var peers []wire.PeerInfo
	summary := strings.Repeat("reviewing the scripts ", 12)
	for i := range n {
		peers = append(peers, wire.PeerInfo{
			Pubkey: fmt.Sprintf("key%03d", i), MemberPubkey: "m", DisplayName: fmt.Sprintf("日本 peer %03d", i),
			Status: wire.StatusWorking, Summary: &summary, Groups: []wire.Group{{Name: "backend"}, {Name: "ops"}},
			ConnectedAt: wire.At(time.UnixMilli(1_000_000).Add(-5 * time.Minute)),
		})
	}
	return peers
}

func TestTheScreenFitsTheTerminalWhateverItsSize(t *testing.T) {
	t.Parallel()
	s := newTestScreen(40)
	s.Update(depths{"key001": 7})
	for i := range 50 {
		s.Update(peer.Delivery{From: "key001", Name: "bob", Target: "*", Text: strings.Repeat("long ", 60), Verified: true, CreatedAt: time.UnixMilli(int64(i))})
	}
	for _, size := range [][2]int{{80, 24}, {200, 60}, {200, 8}, {40, 10}, {20, 3}, {1, 1}} {
		s.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		lines := s.lines()
		if len(lines) > max(2, size[1]) {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if ui.Width(line) > size[0] && size[0] >= 80 {
				t.Errorf("%v: %q takes %d", size, line, ui.Width(line))
			}
		}
	}
}

func TestTheScreenShowsWhoIsHereAndWhatIsSaid(t *testing.T) {
	t.Parallel()
	s := newTestScreen(2)
	s.Update(tea.WindowSizeMsg{Width: 200, Height: 24})
	s.Update(linkUp{90 * time.Second})
	s.Update(depths{"key001": 7})
	s.Update(peer.Delivery{From: "key000", Name: "bob\x1b[31m", Target: "*", Text: "hi\nall", Verified: true})
	s.Update(peer.Delivery{Event: wire.EventPeerJoined, Data: []byte(`{"name":"carol","pubkey":"c"}`)})
	text := strings.Join(s.lines(), "\n")
	for _, want := range []string{
		"acme  connected · 2 here · 2 working · 1 message · 7 waiting · lease 90s · wss://broker.example/ws",
		"日本 peer 001", "5m", "@backend @ops", "UNREAD", " 7 ", "bob[31m → *  hi all", "carol is here", "q quits",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("colours where none are wanted, or those of others")
	}
}

func TestWhoLeavesIsShownForAWhileAndWhoComesIsMarked(t *testing.T) {
	t.Parallel()
	s := newTestScreen(2)
	s.Update(peersNow{somePeers(3)[1:]})
	text := strings.Join(s.lines(), "\n")
	if !strings.Contains(text, "ended") || !strings.Contains(text, "new") {
		t.Errorf("before:\n%s", text)
	}
	s.Update(clockTick(s.now.Add(time.Minute)))
	if text = strings.Join(s.lines(), "\n"); strings.Contains(text, "ended") || strings.Contains(text, "new") {
		t.Errorf("after:\n%s", text)
	}
	s.Update(linkDown{"connection lost"})
	if text = strings.Join(s.lines(), "\n"); !strings.Contains(text, "away: connection lost") {
		t.Errorf("without a connection:\n%s", text)
	}
}

func TestKeysScrollAndQuit(t *testing.T) {
	t.Parallel()
	s := newTestScreen(40)
	press := func(k tea.Key) tea.Cmd { _, cmd := s.Update(tea.KeyPressMsg(k)); return cmd }
	press(tea.Key{Code: tea.KeyDown})
	press(tea.Key{Code: 'j', Text: "j"})
	if text := strings.Join(s.lines(), "\n"); strings.Contains(text, "peer 001") || !strings.Contains(text, "peer 002") {
		t.Errorf("not scrolled:\n%s", text)
	}
	press(tea.Key{Code: 'g', Text: "g"})
	press(tea.Key{Code: tea.KeyUp})
	if s.first != 0 {
		t.Errorf("scrolled to %d", s.first)
	}
	for _, k := range []tea.Key{{Code: 'q', Text: "q"}, {Code: 'c', Mod: tea.ModCtrl}} {
		if cmd := press(k); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%v does not quit", k)
		}
	}
}

func TestTrafficAndSendersAreBounded(t *testing.T) {
	t.Parallel()
	s := newTestScreen(1)
	for i := range 3 * maxTrack {
		s.Update(peer.Delivery{From: fmt.Sprint(i), Target: "*"})
	}
	if len(s.log) != maxSaid || len(s.sent) != maxTrack || s.total != 3*maxTrack {
		t.Errorf("%d lines, %d senders, %d in all", len(s.log), len(s.sent), s.total)
	}
}

func TestAgesReadAsPeopleSayThem(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 90 * time.Second: "90s", 3 * time.Minute: "3m", 5 * time.Hour: "5h", 72 * time.Hour: "3d",
	} {
		if got := age(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
