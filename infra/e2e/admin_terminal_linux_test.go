package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestWhatCannotBeTakenBackIsAskedForOnATerminal looks at the questions, and at
// what an answer other than yes does.
func TestWhatCannotBeTakenBackIsAskedForOnATerminal(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	ban := alice.inTerminal(t, 80, 24, "member", "ban", "bob")
	ban.expect("go on? [y/N] ")
	ban.enter("\n")
	ban.expect("nothing was changed")
	ban.exits(1)
	bob.run("peers")
	archive := alice.inTerminal(t, 80, 24, "mesh", "archive")
	archive.expect("type demo to archive it: ")
	archive.enter("y\n")
	archive.exits(1)
	ban = alice.inTerminal(t, 80, 24, "member", "ban", "bob")
	ban.expect("this shuts bob (")
	ban.enter("y\n")
	ban.expect("is banned")
	ban.exits(0)
	list := alice.inTerminal(t, 80, 24, "member", "list")
	list.expect("alice (you)")
	list.exits(0)
	eventually(t, func() error {
		if text := list.text(); !strings.Contains(text, "banned") || strings.Contains(text, "STATE") {
			return errors.New(text)
		}
		return nil
	})
	archive = alice.inTerminal(t, 80, 24, "mesh", "archive")
	archive.expect("type demo to archive it: ")
	archive.enter("demo\n")
	archive.exits(0)
	alice.refused(3, "archived", "member", "list")
}

// TestTopShowsWhatWaitsToWhomItIsShown: to admins and the owner.
func TestTopShowsWhatWaitsToWhomItIsShown(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	bob.listen("--name", "bob-api")
	bob.run("send", "alice", "one")
	top := alice.inTerminal(t, 120, 24, "top")
	top.expect("UNREAD")
	top.expect("1 waiting")
	top.enter("q")
	top.exits(0)
	other := bob.inTerminal(t, 120, 24, "top")
	other.expect("bob-api")
	other.enter("q")
	other.exits(0)
	if strings.Contains(other.text(), "UNREAD") {
		t.Error("a member is shown what waits for others")
	}
}
