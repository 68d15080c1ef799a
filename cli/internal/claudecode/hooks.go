package claudecode

import (
	"encoding/json"
	"regexp"
	"strings"
)

// hookEvents are the events of Claude Code that tell a status.
var hookEvents = []struct {
	event, status string
	matcher       bool // the event wants to know for which tools
}{
	{"UserPromptSubmit", "working", false},
	{"PreToolUse", "working", true},
	{"Stop", "idle", false},
}

// ourHook recognises commands that [Home.AddHooks] has written, whatever the
// program is called, and those that a person has written in its stead.
var ourHook = regexp.MustCompile(`^exec ([A-Za-z0-9_./+-]+|'.+') hook (working|idle)$|(^|[/ '"])claudemesh['"]? hook (working|idle)$`)

// HookCommand is what a hook runs to tell a status. The shell gives way to the
// program, whose parent is then Claude Code itself: brokers know a session by it.
func HookCommand(program, status string) string {
	return "exec " + quote(program) + " hook " + status
}

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./+-]+$`)

// quote makes one word of a shell of a text.
func quote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// hookGroup is an entry under an event.
type hookGroup struct {
	Matcher *string `json:"matcher,omitempty"`
	Hooks   []hook  `json:"hooks"`
}

type hook struct {
	Type    string `json:"type"`
	Command string `json:"command"`
	Timeout int    `json:"timeout,omitempty"` // seconds
}

const hookSeconds = 5

// AddHooks has Claude Code tell the status of its sessions.
func (h Home) AddHooks(program string, dry bool) ([]Change, error) {
	d, err := open(h.settings)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, e := range hookEvents {
		command := HookCommand(program, e.status)
		change := Change{Action: Added, What: "hook " + e.event, Path: h.settings}
		found, same, err := ours(d.text, e.event, command)
		switch {
		case err != nil:
			return nil, err
		case same:
			change.Action = Kept
		case found:
			change.Action = Updated
		}
		changes = append(changes, change)
		if same {
			continue
		}
		if d.text, err = withoutOurs(d.text, e.event); err != nil {
			return nil, err
		}
		group := hookGroup{Hooks: []hook{{Type: "command", Command: command, Timeout: hookSeconds}}}
		if e.matcher {
			group.Matcher = new("*")
		}
		if d.text, err = add(d.text, group, "hooks", e.event); err != nil {
			return nil, err
		}
	}
	if dry {
		return changes, nil
	}
	return changes, d.save()
}

// RemoveHooks takes out what [Home.AddHooks] has added.
func (h Home) RemoveHooks(dry bool) ([]Change, error) {
	d, err := open(h.settings)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, e := range hookEvents {
		found, _, err := ours(d.text, e.event, "")
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		changes = append(changes, Change{Action: Removed, What: "hook " + e.event, Path: h.settings})
		if d.text, err = withoutOurs(d.text, e.event); err != nil {
			return nil, err
		}
		d.text = prune(d.text, "hooks", e.event)
	}
	if dry {
		return changes, nil
	}
	return changes, d.save()
}

// ours reports whether an event has a hook of ours, and whether it is exactly
// one with that command.
func ours(text []byte, event, command string) (found, same bool, err error) {
	groups, err := elements(text, "hooks", event)
	n := 0
	for _, g := range groups {
		for _, c := range commands(text, g) {
			if ourHook.MatchString(c.command) {
				n++
				same = c.command == command
			}
		}
	}
	return n > 0, same && n == 1, err
}

// withoutOurs removes our hooks from an event, and groups that held only them.
func withoutOurs(text []byte, event string) ([]byte, error) {
	for {
		groups, err := elements(text, "hooks", event)
		if err != nil {
			return nil, err
		}
		gone, ok := firstOurs(text, groups)
		if !ok {
			return text, nil
		}
		text = remove(text, gone)
	}
}

// firstOurs returns the first of our hooks, or its whole group if that holds
// nothing else.
func firstOurs(text []byte, groups []span) (span, bool) {
	for _, g := range groups {
		all := commands(text, g)
		for _, c := range all {
			switch {
			case !ourHook.MatchString(c.command):
			case len(all) == 1:
				return g, true
			default:
				return c.span, true
			}
		}
	}
	return span{}, false
}

// command is one hook of a group.
type command struct {
	span
	command string
}

// commands returns the hooks of a group; none if it has another shape.
func commands(text []byte, group span) []command {
	if text[group.value] != '{' {
		return nil
	}
	var all []command
	for _, member := range parts(text, group.value) {
		if member.key != "hooks" || text[member.value] != '[' {
			continue
		}
		for _, s := range parts(text, member.value) {
			var h hook
			_ = json.Unmarshal(text[s.value:s.end], &h) // of another shape: no command of ours
			all = append(all, command{s, h.Command})
		}
	}
	return all
}
