package command

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	maxSaid  = 200              // lines of traffic that are remembered
	newFor   = 30 * time.Second // how long who has come is marked
	leftFor  = 30 * time.Second // how long who has left is shown
	maxTrack = 1000             // senders that are counted
)

// said is one line of traffic.
type said struct {
	at        time.Time
	who, rest string
}

// screen is what top shows. It is changed by Update alone.
type screen struct {
	// Fixed by newScreen.
	mesh identity.Mesh
	out  *ui.Printer

	width, height int
	now           time.Time
	lease         time.Duration
	down          string // why there is no connection; empty while there is one
	up            bool   // there was a first answer

	peers  []wire.PeerInfo
	joined map[string]time.Time // by key, of those who came while we watched
	left   []departed
	waits  depths         // nil: not told
	sent   map[string]int // messages seen, by the sender's key
	total  int
	log    []said
	first  int // the first peer shown
}

// departed is who was here.
type departed struct {
	peer wire.PeerInfo
	at   time.Time
}

func newScreen(m identity.Mesh, out *ui.Printer) *screen {
	return &screen{
		mesh: m, out: out, now: time.Now(), width: 80, height: 24,
		joined: make(map[string]time.Time), sent: make(map[string]int),
	}
}

type clockTick time.Time

func tickClock() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return clockTick(t) })
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return tickClock() }

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		return s, s.press(msg.String())
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case clockTick:
		s.now = time.Time(msg)
		s.forget()
		return s, tickClock()
	case linkDown:
		s.down = msg.reason
	case linkUp:
		s.down, s.lease = "", msg.lease
	case peersNow:
		s.take(msg.peers)
	case depths:
		s.waits = msg
	case peer.Delivery:
		s.hear(msg)
	}
	return s, nil
}

func (s *screen) press(key string) tea.Cmd {
	switch key {
	case "q", "Q", "esc", "ctrl+c", "ctrl+d":
		return tea.Quit
	case "up", "k":
		s.first--
	case "down", "j":
		s.first++
	case "home", "g":
		s.first = 0
	}
	s.first = max(0, min(s.first, len(s.peers)-1))
	return nil
}

// take compares who is here with who was.
func (s *screen) take(peers []wire.PeerInfo) {
	slices.SortFunc(peers, func(a, b wire.PeerInfo) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName)), strings.Compare(a.Pubkey, b.Pubkey))
	})
	here := make(map[string]bool)
	before := make(map[string]bool)
	for _, p := range s.peers {
		before[p.Pubkey] = true
	}
	for _, p := range peers {
		here[p.Pubkey] = true
		if s.up && !before[p.Pubkey] {
			s.joined[p.Pubkey] = s.now
		}
	}
	for _, p := range s.peers {
		if !here[p.Pubkey] {
			s.left = append(s.left, departed{p, s.now})
		}
	}
	s.left = slices.DeleteFunc(s.left, func(d departed) bool { return here[d.peer.Pubkey] })
	s.peers, s.up = peers, true
}

// forget drops what is no news any more.
func (s *screen) forget() {
	s.left = slices.DeleteFunc(s.left, func(d departed) bool { return s.now.Sub(d.at) > leftFor })
	for key, at := range s.joined {
		if s.now.Sub(at) > newFor {
			delete(s.joined, key)
		}
	}
}

// hear takes what was said, or who came and went.
func (s *screen) hear(d peer.Delivery) {
	line := said{at: d.CreatedAt}
	if d.Event != "" {
		if d.Event == wire.EventResync {
			return
		}
		var about eventData
		_ = json.Unmarshal(d.Data, &about) // events of other kinds have other data
		line.who = ui.CleanLine(about.Name)
		line.rest = cmp.Or(eventWords[d.Event], ui.CleanLine(string(d.Event)))
	} else {
		s.total++
		if _, known := s.sent[d.From]; known || len(s.sent) < maxTrack {
			s.sent[d.From]++
		}
		line.who = cmp.Or(ui.CleanLine(d.Name), short(ui.CleanLine(d.From)))
		line.rest = "→ " + ui.CleanLine(d.Target) + "  " + textOf(d)
	}
	s.log = append(s.log, line)
	s.log = s.log[max(0, len(s.log)-maxSaid):]
}

// textOf is a message on one line, with what a person should know about it.
func textOf(d peer.Delivery) string {
	switch {
	case d.Err != nil:
		return "(could not be opened: " + unopened(d.Err) + ")"
	case !d.Verified:
		return "(unverified) " + ui.CleanLine(d.Text)
	}
	return ui.CleanLine(d.Text)
}
