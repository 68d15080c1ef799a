package share

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestS1_NothingThatIsSharedLeavesInClear plants a word in everything that is
// sealed, and looks for it in all that the broker was told.
func TestS1_NothingThatIsSharedLeavesInClear(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, ana, ben := stage(t)
	const word = "canary"
	words := []string{word}
	_, err1 := ana.Remember(ctx, word, words)
	task, err2 := ana.CreateTask(ctx, Task{Title: word, Tags: words})
	_, err3 := ana.CompleteTask(ctx, task, word)
	if err := errors.Join(err1, err2, err3,
		ana.SetState(ctx, "key", json.RawMessage(`{"a":"`+word+`"}`)),
		ana.ShareContext(ctx, Context{Summary: word, Files: words, Findings: words, Tags: words}),
		ana.ShareSkill(ctx, Skill{Name: "name", Description: word, Instructions: word, Tags: words}),
		ana.SetSecret(ctx, Secret{Key: "key", Type: wire.VaultEnv, Value: []byte(word)}),
	); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.said, []byte(word)) {
		t.Errorf("the broker was told %s", b.said)
	}
	// And another member reads all of it, signed by who wrote it.
	v, ok, err := ben.State(ctx, "key")
	if err != nil || !ok || string(v.Value) != `{"a":"canary"}` || !v.Sealed || v.Author != fmt.Sprintf("%x", ana.Member[32:]) || v.At.Equal(noon.Time) {
		t.Errorf("state: %s, %v", asJSON(t, v), err)
	}
	memories, err := ben.Recall(ctx, "canaries", 9)
	if err != nil || len(memories) != 1 || memories[0].Tags[0] != word || !memories[0].Sealed {
		t.Errorf("memories: %s, %v", asJSON(t, memories), err)
	}
	contexts, err := ben.FindContexts(ctx, word, 9)
	if err != nil || len(contexts) != 1 || contexts[0].Files[0] != word || contexts[0].Findings[0] != word || contexts[0].Tags[0] != word {
		t.Errorf("contexts: %s, %v", asJSON(t, contexts), err)
	}
	tasks, err := ben.Tasks(ctx, "", "")
	if err != nil || len(tasks) != 1 || tasks[0].Title != word || tasks[0].Result != word || !tasks[0].ResultOrigin.Sealed {
		t.Errorf("tasks: %s, %v", asJSON(t, tasks), err)
	}
	s, ok, err := ben.Skill(ctx, "name")
	if err != nil || !ok || s.Instructions != word || s.Description != word || s.Problem != "" {
		t.Errorf("skill: %s, %v", asJSON(t, s), err)
	}
	if found, err := ben.Skills(ctx, "CANARY"); err != nil || len(found) != 1 {
		t.Errorf("skills: %v, %v", found, err)
	}
	if got, _, err := ana.Secret(ctx, "key"); err != nil || string(got.Value) != word || !got.Proven || got.At == nil {
		t.Errorf("secret: %q, %v", got.Value, err)
	}
	if got, _, err := ben.Secret(ctx, "key"); err == nil {
		t.Errorf("another member opens the secret: %q", got.Value)
	}
}

func TestWhatIsInClearIsReadAndMarked(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, ana, ben := stage(t)
	ana.Clear = true
	_, err := ana.Remember(ctx, "an open secret", []string{"tag"})
	if err := errors.Join(err, ana.SetState(ctx, "key", json.RawMessage(`"open"`)),
		ana.ShareContext(ctx, Context{Summary: "open", Files: []string{"f"}})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b.said, []byte("an open secret")) {
		t.Errorf("not in clear: %s", b.said)
	}
	v, _, err := ben.State(ctx, "key")
	if err != nil || v.Sealed || v.Author != "" || string(v.Value) != `"open"` || !v.At.Equal(noon.Time) {
		t.Errorf("state: %s, %v", asJSON(t, v), err)
	}
	if m, err := ben.Recall(ctx, "secrets", 9); err != nil || len(m) != 1 || m[0].Sealed || m[0].Tags[0] != "tag" {
		t.Errorf("memories: %v, %v", m, err)
	}
	if c, err := ben.Contexts(ctx); err != nil || len(c) != 1 || c[0].Sealed || c[0].Files[0] != "f" {
		t.Errorf("contexts: %v, %v", c, err)
	}
	if err := ana.SetState(ctx, "key", json.RawMessage(`"cm1:x"`)); !errors.Is(err, ErrMarked) {
		t.Errorf("a marked value in clear: %v", err)
	}
	if _, err := ana.Remember(ctx, "cm1:x", nil); !errors.Is(err, ErrMarked) {
		t.Errorf("a marked text in clear: %v", err)
	}
}

func TestWhatDoesNotOpenHasAProblemAndNoText(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, ana, ben := stage(t)
	if err := errors.Join(ana.SetState(ctx, "one", json.RawMessage("1")),
		ana.ShareSkill(ctx, Skill{Name: "s", Description: "d", Instructions: "i"})); err != nil {
		t.Fatal(err)
	}
	// The broker moves a value, and mixes two authors' skills.
	moved := b.state["one"]
	b.state["two"] = wire.StateEntry{Key: "two", Value: moved.Value, UpdatedAt: noon}
	mixed := b.skills["s"]
	if err := ben.ShareSkill(ctx, Skill{Name: "s", Description: "other", Instructions: "other"}); err != nil {
		t.Fatal(err)
	}
	mixed.Instructions = b.skills["s"].Instructions
	b.skills["s"] = mixed

	v, ok, err := ben.State(ctx, "two")
	if err != nil || !ok || !v.Sealed || v.Problem == "" || string(v.Value) != "null" || v.Author != "" {
		t.Errorf("moved: %s, %v", asJSON(t, v), err)
	}
	s, _, err := ben.Skill(ctx, "s")
	if err != nil || s.Problem == "" || s.Instructions != "" {
		t.Errorf("mixed: %s, %v", asJSON(t, s), err)
	}
	b.memories = []wire.Memory{{ID: "m", Content: "cm1:AAAA", RememberedAt: noon}, {ID: "n", Content: "cm1:!", Tags: []string{"t"}, RememberedAt: noon}}
	all, err := ben.Memories(ctx)
	if err != nil || len(all) != 2 || all[0].Problem == "" || all[0].Content != "" || all[1].Content != "" {
		t.Errorf("rubbish: %s, %v", asJSON(t, all), err)
	}
	ben.Root = nil
	if v, _, err = ben.State(ctx, "one"); err != nil || !strings.Contains(v.Problem, "root key") {
		t.Errorf("without a root key: %s, %v", asJSON(t, v), err)
	}
}

func TestASearchReadsAllPages(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, ana, ben := stage(t)
	last := ""
	for i := range 7 {
		var err error
		if last, err = ana.Remember(ctx, fmt.Sprintf("number%d here", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := ben.Recall(ctx, "number6", 9); err != nil || len(found) != 1 || found[0].ID != last {
		t.Errorf("the last: %v, %v", found, err)
	}
	if found, err := ben.Recall(ctx, "here", 5); err != nil || len(found) != 5 {
		t.Errorf("bounded: %d, %v", len(found), err)
	}
	if found, err := ben.Recall(ctx, "", 9); err != nil || len(found) != 7 {
		t.Errorf("without a query: %d, %v", len(found), err)
	}
}

func TestWhatCannotBeKeptIsRefusedBeforeItLeaves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b, ana, _ := stage(t)
	long := strings.Repeat("x", wire.MaxContent)
	_, empty := ana.Remember(ctx, "", nil)
	_, large := ana.Remember(ctx, long, nil)
	_, title := ana.CreateTask(ctx, Task{Title: long})
	for name, got := range map[string][2]error{
		"an empty text":     {empty, ErrEmpty},
		"a large text":      {large, ErrTooLarge},
		"a large title":     {title, ErrTooLarge},
		"a large value":     {ana.SetState(ctx, "k", json.RawMessage(`"`+long+`"`)), ErrTooLarge},
		"a large secret":    {ana.SetSecret(ctx, Secret{Key: "k", Value: []byte(long)}), ErrTooLarge},
		"no JSON":           {ana.SetState(ctx, "k", json.RawMessage("{")), ErrNotJSON},
		"an empty skill":    {ana.ShareSkill(ctx, Skill{Name: "s"}), ErrEmpty},
		"an empty context":  {ana.ShareContext(ctx, Context{}), ErrEmpty},
		"a context of 300K": {ana.ShareContext(ctx, Context{Summary: "s", Findings: []string{long}}), ErrTooLarge},
	} {
		if !errors.Is(got[0], got[1]) {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
	if len(b.said) > 0 {
		t.Errorf("the broker was told %s", b.said)
	}
}
