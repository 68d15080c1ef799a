package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	minLog   = 4 // lines that traffic has at least, if there is room
	roomy    = 110
	footText = "q quits   ↑ ↓ scroll"
)

// View implements tea.Model.
func (s *screen) View() tea.View {
	v := tea.NewView(strings.Join(s.lines(), "\n"))
	v.AltScreen = true
	v.WindowTitle = "claudemesh " + ui.CleanLine(s.mesh.Slug)
	return v
}

// lines is the whole screen, line by line, in the terminal's size.
func (s *screen) lines() []string {
	width := max(s.width, 20)
	lines := []string{s.head(width), ""}
	room := s.height - len(lines) - 1                          // the foot
	traffic := max(min(minLog, len(s.log)), room-s.rows()-2-1) // its heading and the peers'
	lines = append(lines, s.table(width, max(1, room-min(traffic, len(s.log)+1)-2))...)
	if left := s.height - len(lines) - 3; left > 0 && len(s.log) > 0 {
		lines = append(lines, "", s.out.Dim("TRAFFIC"))
		lines = append(lines, s.traffic(width, left)...)
	}
	for len(lines) < s.height-1 {
		lines = append(lines, "")
	}
	return append(lines[:max(1, s.height-1)], s.out.Dim(ui.Cut(footText, width)))
}

func (s *screen) rows() int { return len(s.peers) + len(s.left) }

// head says of the mesh what fits into a line.
func (s *screen) head(width int) string {
	name := ui.CleanLine(s.mesh.Slug)
	facts := []string{s.link(), fmt.Sprintf("%d here", len(s.peers))}
	for _, status := range []wire.Status{wire.StatusWorking, wire.StatusDND} {
		if n := s.count(status); n > 0 {
			facts = append(facts, fmt.Sprintf("%d %s", n, status))
		}
	}
	facts = append(facts, fmt.Sprintf("%d %s", s.total, plural(s.total, "message", "messages")))
	if s.waits != nil {
		facts = append(facts, fmt.Sprintf("%d waiting", s.waiting()))
	}
	if s.lease > 0 {
		facts = append(facts, "lease "+age(s.lease))
	}
	if width >= roomy {
		facts = append(facts, ui.CleanLine(s.mesh.BrokerURL))
	}
	return s.out.Bold(name) + "  " + ui.Cut(strings.Join(facts, " · "), width-ui.Width(name)-2)
}

func (s *screen) link() string {
	switch {
	case s.down != "":
		return "away: " + ui.CleanLine(s.down)
	case !s.up:
		return "connecting"
	}
	return "connected"
}

func (s *screen) count(status wire.Status) int {
	n := 0
	for _, p := range s.peers {
		if p.Status == status {
			n++
		}
	}
	return n
}

// row is a peer on the screen.
type row struct {
	sign  string
	cells []string
	gone  bool
}

// table is the peers, as many as there is room for.
func (s *screen) table(width, room int) []string {
	header := []string{"NAME", "STATUS", "LEASE", "AGE", "GROUPS", "SAID"}
	if s.waits != nil {
		header = append(header, "UNREAD")
	}
	header = append(header, "SUMMARY")
	all := s.all()
	first := min(s.first, max(0, len(all)-room))
	shown := all[first:min(len(all), first+room)]
	var cells [][]string
	for _, r := range shown {
		cells = append(cells, r.cells)
	}
	text := ui.Lines(header, cells, width-2)
	lines := []string{"  " + s.out.Dim(text[0])}
	for i, r := range shown {
		line := text[i+1]
		if r.gone {
			line = s.out.Dim(line)
		}
		lines = append(lines, r.sign+" "+line)
	}
	if len(all) == 0 && s.up {
		lines = append(lines, "  nobody is here")
	}
	return lines
}

func (s *screen) all() []row {
	var all []row
	for _, p := range s.peers {
		held := "held"
		if _, ok := s.joined[p.Pubkey]; ok {
			held = "new"
		}
		all = append(all, s.row(p, held, s.now.Sub(p.ConnectedAt.Time), false))
	}
	for _, d := range s.left {
		all = append(all, s.row(d.peer, "ended", s.now.Sub(d.at), true))
	}
	return all
}

// signs are how a status looks from afar.
var signs = map[wire.Status]string{wire.StatusIdle: "ok", wire.StatusWorking: "warning", wire.StatusDND: "failed"}

func (s *screen) row(p wire.PeerInfo, lease string, since time.Duration, gone bool) row {
	name := ui.CleanLine(p.DisplayName)
	if p.MemberPubkey == s.mesh.PublicKey {
		name += " (you)"
	}
	summary := ""
	if p.Summary != nil {
		summary = ui.CleanLine(*p.Summary)
	}
	cells := []string{name, ui.CleanLine(string(p.Status)), lease, age(since), groupNames(p.Groups), strconv.Itoa(s.sent[p.Pubkey])}
	if s.waits != nil {
		cells = append(cells, strconv.Itoa(s.unread(p)))
	}
	sign := s.out.Mark(signs[p.Status], "●")
	if gone {
		sign = s.out.Dim("○")
	}
	return row{sign, append(cells, summary), gone}
}

// unread is what waits under a peer's own key. What waits for its member, and
// for those who are away, is in the head's sum.
func (s *screen) unread(p wire.PeerInfo) int { return s.waits[p.Pubkey] }

func (s *screen) waiting() int {
	n := 0
	for _, messages := range s.waits {
		n += messages
	}
	return n
}

// traffic is the newest of what was said.
func (s *screen) traffic(width, room int) []string {
	var lines []string
	for _, line := range s.log[max(0, len(s.log)-room):] {
		text := ui.Cut(line.who+" "+line.rest, width-10)
		lines = append(lines, s.out.Dim(line.at.Local().Format("15:04:05"))+"  "+text)
	}
	return lines
}

// age is a duration as people say it.
func age(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
