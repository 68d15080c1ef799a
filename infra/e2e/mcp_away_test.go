package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestAModelIsToldAtOnceThatTheBrokerIsAway has an agent whose broker refuses
// connections: what it says is kept, all else is refused, each with the reason
// and none after a wait. What was kept arrives when the broker is back.
func TestAModelIsToldAtOnceThatTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	ana, ben := pair(t, edge.wsURL())
	useBroker(t, ana, "ws://127.0.0.1:1/ws") // where nobody listens

	a := ana.agent()
	if _, failure := a.try("list_peers", nil); !strings.Contains(failure, "cannot be reached") { // or told after the first attempt
		t.Errorf("list_peers fails with %q", failure)
	}
	began := time.Now()
	for range 3 {
		for _, tool := range []string{"list_peers", "list_tasks", "mesh_info"} {
			if _, failure := a.try(tool, nil); !strings.Contains(failure, "cannot be reached") {
				t.Errorf("%s fails with %q", tool, failure)
			}
		}
	}
	for _, text := range []string{"one", "two"} {
		sent := a.call("send_message", map[string]any{"to": "bob", "message": text})
		if waits, _ := sent["reason"].(string); sent["state"] != "waiting" || !strings.Contains(waits, "cannot be reached") {
			t.Errorf("%s: %v", text, sent)
		}
	}
	// Eleven calls that each wait for a broker last more than a minute.
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("eleven calls took %v", took)
	}
	waiting := ana.json("outbox")["messages"].([]any)
	if len(waiting) != 2 {
		t.Errorf("%d messages wait", len(waiting))
	}
	for _, m := range waiting {
		if reason, _ := m.(map[string]any)["reason"].(string); !strings.Contains(reason, "refused") {
			t.Errorf("it waits for no reason: %v", m)
		}
	}

	a.leave()
	useBroker(t, ana, edge.wsURL())
	ana.run("outbox", "flush")
	ben.listen().texts("one", "two")
}
