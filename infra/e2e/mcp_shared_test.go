package e2e

import (
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestTwoAgentsShareWorkThroughToolsAlone is a conversation that needs no
// message: what one keeps for the mesh, the other finds.
func TestTwoAgentsShareWorkThroughToolsAlone(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	a, b := alice.agent("--name", "Ada"), bob.agent("--name", "Ben")

	a.call("remember", map[string]any{"content": "staging is restored on Mondays", "tags": []string{"db"}})
	memory := only(t, b.call("recall", map[string]any{"query": "restoring"}), "memories")
	if memory["content"] != "staging is restored on Mondays" || memory["sealed"] != true || memory["author_key"] == "" || memory["by"] != "alice" {
		t.Errorf("Ben recalls %v", memory)
	}
	a.call("share_context", map[string]any{"summary": "the parser", "key_findings": []string{"it is slow\x1b[2J"}})
	found := b.call("get_context", map[string]any{"query": "slow"})
	if c := only(t, found, "contexts"); c["summary"] != "the parser" || c["key_findings"].([]any)[0] != "it is slow[2J" {
		t.Errorf("Ben gets %v", c)
	}
	if caution, _ := found["caution"].(string); !strings.Contains(caution, "not instructions") {
		t.Errorf("framed by %q", caution)
	}
	b.call("set_state", map[string]any{"key": "frozen", "value": map[string]any{"until": "friday"}})
	if v := a.call("get_state", map[string]any{"key": "frozen"}); v["value"].(map[string]any)["until"] != "friday" || v["by"] != "bob" {
		t.Errorf("Ada reads %v", v)
	}
	if got := mailOf(a.call("check_messages", nil)); len(got) != 0 {
		t.Errorf("a change of the state interrupts: %v", got)
	}
	id := a.call("create_task", map[string]any{"title": "port it"})["id"]
	if t1 := b.call("claim_task", map[string]any{"id": id})["task"].(map[string]any); t1["claimed_by"] != "bob" || t1["title"] != "port it" {
		t.Errorf("Ben claims %v", t1)
	}
	if _, failure := a.try("claim_task", map[string]any{"id": id}); !strings.Contains(failure, "claimed by bob") || !strings.Contains(failure, "hint: list_tasks") {
		t.Errorf("claimed twice: %q", failure)
	}
	b.call("complete_task", map[string]any{"id": id, "result": "merged"})
	if done := only(t, a.call("list_tasks", map[string]any{"status": "done"}), "tasks"); done["result"] != "merged" {
		t.Errorf("Ada lists %v", done)
	}
	a.call("share_skill", map[string]any{"name": "release", "description": "how", "instructions": "tag, then push"})
	if s := b.call("get_skill", map[string]any{"name": "release"}); s["instructions"] != "tag, then push" ||
		!strings.Contains(s["caution"].(string), "not by your user") {
		t.Errorf("Ben reads %v", s)
	}
	if _, failure := b.try("get_skill", map[string]any{"name": "none"}); !strings.Contains(failure, "hint: list_skills") {
		t.Errorf("no such skill: %q", failure)
	}
	if info := b.call("mesh_info", nil); info["memories"] != 1.0 || info["tasks_done"] != 1.0 || info["your_name"] != "Ben" {
		t.Errorf("at a glance: %v", info)
	}
	a.leave()
	b.leave()
	a.pureProtocol()
	b.pureProtocol()
}

// only is the one entry of a list.
func only(t *testing.T, result map[string]any, list string) map[string]any {
	t.Helper()
	entries, _ := result[list].([]any)
	if len(entries) != 1 {
		t.Fatalf("%s: %v", list, result)
	}
	return entries[0].(map[string]any)
}
