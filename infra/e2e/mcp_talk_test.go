package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestTwoAgentsShareTopicsStreamsFilesAndToolsThroughToolsAlone is a
// conversation between two agents over what a mesh shares.
func TestTwoAgentsShareTopicsStreamsFilesAndToolsThroughToolsAlone(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	shared := t.TempDir()
	if err := os.WriteFile(filepath.Join(shared, "plan.md"), []byte("the plan"), 0o600); err != nil {
		t.Fatal(err)
	}
	ada, bea := alice.agent("--name", "Ada"), bob.agent("--name", "Bea", "--share", shared)
	ada.sees("Bea")
	bea.sees("Ada")

	ada.call("topic_create", map[string]any{"name": "builds"})
	bea.call("topic_join", map[string]any{"topic": "builds"})
	ada.call("topic_send", map[string]any{"topic": "builds", "message": "green, @bob"})
	if m := bea.hears(); m["text"] != "green, @bob" || m["to"] != "#builds" {
		t.Errorf("Bea hears %v", m)
	}
	if got := fmt.Sprint(bea.call("topic_history", map[string]any{"topic": "builds"})["messages"]); !strings.Contains(got, "green") {
		t.Errorf("Bea reads %s", got)
	}

	bea.call("subscribe_stream", map[string]any{"stream": "numbers"})
	ada.call("publish_stream", map[string]any{"stream": "numbers", "data": map[string]any{"n": 1}})
	if m := bea.hears(); m["text"] != `{"n":1}` || m["kind"] != "stream" || m["verified"] != true {
		t.Errorf("Bea hears %v", m)
	}
	bea.call("unsubscribe_stream", map[string]any{"stream": "numbers"})

	ada.call("schedule_message", map[string]any{"to": "Bea", "message": "in a moment", "in_seconds": 1})
	if m := bea.hears(); m["text"] != "in a moment" || m["verified"] != true || m["from"] != "Ada" {
		t.Errorf("Bea hears %v", m)
	}
	ada.call("schedule_message", map[string]any{"message": "remember me", "in_seconds": 1})
	if m := ada.hears(); m["text"] != "remember me" {
		t.Errorf("Ada is reminded of %v", m)
	}

	if got := fmt.Sprint(ada.call("peer_file_list", map[string]any{"peer": "Bea"})["entries"]); got != "[plan.md]" {
		t.Errorf("Bea shares %s", got)
	}
	if got := ada.call("peer_file_get", map[string]any{"peer": "Bea", "path": "plan.md"}); got["text"] != "the plan" {
		t.Errorf("the plan is %v", got)
	}
	if _, failure := bea.try("peer_file_get", map[string]any{"peer": "Ada", "path": "plan.md"}); !strings.Contains(failure, "shares no files") {
		t.Errorf("Ada, who shares nothing, answers %q", failure)
	}
	if _, failure := ada.try("watch_url", map[string]any{"url": "http://169.254.169.254/"}); !strings.Contains(failure, "public internet") {
		t.Errorf("a metadata address is watched: %q", failure)
	}
	if got := ada.call("get_clock", nil); got["running"] != false {
		t.Errorf("the clock is %v", got)
	}
	ada.pureProtocol()
	bea.pureProtocol()
}
