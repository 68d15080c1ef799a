package wire

import "strings"

// TargetClass is what kind of recipient a targetSpec names.
type TargetClass string

// The classes.
const (
	ClassDirect    TargetClass = "direct"                // a member or session key
	ClassBroadcast TargetClass = "broadcast"             // everybody
	ClassGroup     TargetClass = "group"                 // a group and those below it
	ClassTopic     TargetClass = "topic"                 // those who joined a topic
	ClassNobody    TargetClass = "group_with_empty_name" // accepted, and reaches nobody
)

// Target is a targetSpec, sorted.
type Target struct {
	Class TargetClass
	Name  string // the key, the group without @, or the topic without #
}

// ClassifyTarget sorts a targetSpec. It resolves nothing: names and prefixes
// are the client's business, and unknown keys are direct.
func ClassifyTarget(spec string) Target {
	switch {
	case spec == "*" || spec == "@all":
		return Target{Class: ClassBroadcast}
	case spec == "@":
		return Target{Class: ClassNobody}
	case strings.HasPrefix(spec, "@"):
		return Target{Class: ClassGroup, Name: spec[1:]}
	case strings.HasPrefix(spec, "#"):
		return Target{Class: ClassTopic, Name: spec[1:]}
	}
	return Target{Class: ClassDirect, Name: spec}
}

// Capability is what the recipient must have granted to the sender, "" if
// nothing.
func (t Target) Capability() Capability {
	switch t.Class {
	case ClassDirect:
		return CapDM
	case ClassBroadcast, ClassGroup:
		return CapBroadcast
	case ClassTopic, ClassNobody:
	}
	return ""
}

// Audience is how a journal entry names the target: * or @name. It is "" for
// what does not go through the journal.
func (t Target) Audience() string {
	switch t.Class {
	case ClassBroadcast:
		return "*"
	case ClassGroup:
		return "@" + t.Name
	case ClassDirect, ClassTopic, ClassNobody:
	}
	return ""
}

func (t Target) check() error {
	if t.Class == ClassGroup {
		return CheckGroupName(t.Name)
	}
	return checkLabel("targetSpec", t.Name, MaxGroupName)
}

// GroupMatches reports whether a peer in group hears what is sent to target,
// a targetSpec. Groups are paths: who is in a/b/c hears @a/b and @a too.
func GroupMatches(group, target string) bool {
	name, ok := strings.CutPrefix(target, "@")
	if !ok || name == "" {
		return false
	}
	rest, ok := strings.CutPrefix(group, name)
	return ok && (rest == "" || rest[0] == '/')
}

// GroupTargets returns every targetSpec that a peer with these groups hears
// through them, nearest first.
func GroupTargets(groups []Group) []string {
	targets := []string{"@all"}
	seen := map[string]bool{"@all": true}
	for _, g := range groups {
		for path := g.Name; path != ""; path = parent(path) {
			if t := "@" + path; !seen[t] {
				seen[t] = true
				targets = append(targets, t)
			}
		}
	}
	return targets
}

func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)]
}
