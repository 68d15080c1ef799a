package e2e

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestS1_WhatIsSaidInTopicsStreamsAndLaterCannotBeRead plants a text in topics,
// in messages that wait for their time and in streams, and looks for it in all
// that went over the wire and in all that Redis ever wrote down.
func TestS1_WhatIsSaidInTopicsStreamsAndLaterCannotBeRead(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "appendfsync always")
	edge := startEdge(t, redis)
	wire := startTap(t, edge.Addr)
	alice, bob := pair(t, wire.wsURL())
	ears := bob.listen()

	secrets := make(map[string][]byte)
	plant := func(what string) string {
		text := "canary-" + rand.Text()
		secrets[what] = []byte(text)
		return text
	}
	alice.run("topic", "create", "builds")
	bob.run("topic", "join", "builds")
	said := plant("text in a topic")
	alice.run("topic", "send", "builds", said)
	if got := ears.text(said); got["target"] != "#builds" {
		t.Errorf("bob hears %v", got)
	}
	for what, target := range map[string]string{"later to bob": "bob", "later to all": "*", "later in a topic": "#builds"} {
		text := plant(what)
		alice.run("schedule", target, text, "--in", "1s")
		ears.text(text)
	}
	alice.run("schedule", "bob", plant("what is never sent"), "--in", "12h")
	alice.run("remind", plant("reminder"), "--in", "12h")
	alice.run("stream", "publish", "builds", plant("data of a stream"))

	agent := alice.agent("--name", "Ada")
	text := plant("text that a tool says in a topic")
	agent.call("topic_send", map[string]any{"topic": "builds", "message": text})
	ears.text(text)
	agent.call("schedule_message", map[string]any{"to": "bob", "message": plant("what a tool schedules"), "in_seconds": time.Hour.Seconds()})
	agent.leave()
	collectKeys(t, secrets, alice, bob)

	for name, seen := range map[string][]byte{"the wire": wire.seen(), "Redis": appendOnlyFile(t, redis)} {
		if len(seen) < 1000 {
			t.Fatalf("%s: only %d bytes seen; the test sees nothing", name, len(seen))
		}
		for what, secret := range secrets {
			if shows(seen, secret) {
				t.Errorf("%s shows the %s", name, what)
			}
		}
	}
}

// TestTheSearchFindsWhatIsSaidInClear is the control of the test above.
func TestTheSearchFindsWhatIsSaidInClear(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "appendfsync always")
	edge := startEdge(t, redis)
	wire := startTap(t, edge.Addr)
	alice, _ := pair(t, wire.wsURL())
	alice.run("topic", "create", "open", "--clear")
	said, later := "clear-"+rand.Text(), "clear-"+rand.Text()
	alice.run("topic", "send", "open", said, "--clear")
	alice.run("schedule", "bob", later, "--in", "12h", "--clear")
	for name, seen := range map[string][]byte{"the wire": wire.seen(), "Redis": appendOnlyFile(t, redis)} {
		for _, text := range []string{said, later} {
			if !shows(seen, []byte(text)) {
				t.Errorf("%s: the search did not find %s", name, text)
			}
		}
	}
}
