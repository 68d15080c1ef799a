package share

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// broker keeps what it is given, and hands it out again.
type broker struct {
	state    map[string]wire.StateEntry
	memories []wire.Memory
	contexts []wire.Context
	tasks    []wire.Task
	skills   map[string]wire.Skill
	vault    map[string]wire.VaultEntry
	page     int // memories of a page

	said []byte // everything that it was told
}

var noon = wire.At(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))

func (b *broker) Ask(_ context.Context, r wire.Request) (wire.Message, error) {
	frame, err := wire.Encode(r)
	if err != nil {
		return nil, err
	}
	if _, err := wire.Decode(frame); err != nil {
		return nil, err
	}
	b.said = append(b.said, frame...)
	switch r := r.(type) {
	case *wire.SetState:
		b.state[r.Key] = wire.StateEntry{Key: r.Key, Value: r.Value, UpdatedBy: "ana", UpdatedAt: noon}
		return &wire.OK{}, nil
	case *wire.GetState:
		e := b.state[r.Key]
		return &wire.StateResult{Key: r.Key, Value: e.Value, UpdatedBy: e.UpdatedBy, UpdatedAt: wire.TimeOrEmpty{Time: e.UpdatedAt}}, nil
	case *wire.Remember:
		id := cmp.Or(r.ID, fmt.Sprint("m", len(b.memories)))
		b.memories = append(b.memories, wire.Memory{ID: id, Content: r.Content, Tags: r.Tags, RememberedBy: "ana", RememberedAt: noon})
		return &wire.MemoryStored{ID: id}, nil
	case *wire.Recall:
		return b.recall(r), nil
	case *wire.ShareContext:
		b.contexts = append(b.contexts, wire.Context{
			PeerName: fmt.Sprint("p", len(b.contexts)), Summary: r.Summary, FilesRead: r.FilesRead, KeyFindings: r.KeyFindings, Tags: r.Tags, UpdatedAt: noon,
		})
		return &wire.ContextShared{ID: "c"}, nil
	case *wire.ListContexts:
		list := &wire.ContextList{}
		for _, c := range b.contexts {
			list.Contexts = append(list.Contexts, wire.ContextBrief{PeerName: c.PeerName, Summary: c.Summary, Tags: c.Tags, UpdatedAt: noon})
		}
		return list, nil
	case *wire.GetContext:
		return &wire.ContextResults{Contexts: b.contexts}, nil
	}
	return b.askMore(r)
}

func (b *broker) recall(r *wire.Recall) *wire.MemoryResults {
	from := 0
	if r.After != "" {
		_, _ = fmt.Sscan(r.After, &from)
	}
	to := min(from+b.page, len(b.memories))
	out := &wire.MemoryResults{Memories: b.memories[from:to]}
	if to < len(b.memories) {
		out.Next = fmt.Sprint(to)
	}
	return out
}

func (b *broker) askMore(r wire.Request) (wire.Message, error) {
	switch r := r.(type) {
	case *wire.CreateTask:
		id := cmp.Or(r.ID, fmt.Sprint("t", len(b.tasks)))
		b.tasks = append(b.tasks, wire.Task{ID: id, Title: r.Title, Tags: r.Tags, Status: wire.TaskOpen, CreatedBy: "ana", CreatedAt: noon})
		return &wire.TaskCreated{ID: id}, nil
	case *wire.CompleteTask:
		i := slices.IndexFunc(b.tasks, func(t wire.Task) bool { return t.ID == r.TaskID })
		b.tasks[i].Status, b.tasks[i].Result = wire.TaskDone, r.Result
		return &wire.TaskList{Tasks: b.tasks}, nil
	case *wire.ListTasks:
		return &wire.TaskList{Tasks: b.tasks}, nil
	case *wire.ShareSkill:
		b.skills[r.Name] = wire.Skill{Name: r.Name, Description: r.Description, Instructions: r.Instructions, Tags: r.Tags, Author: "ana", CreatedAt: noon}
		return &wire.SkillAck{Action: wire.SkillShared}, nil
	case *wire.GetSkill:
		s := b.skills[r.Name]
		return &wire.SkillData{Skill: &s}, nil
	case *wire.ListSkills:
		list := &wire.SkillList{}
		for _, s := range b.skills {
			list.Skills = append(list.Skills, wire.SkillBrief{Name: s.Name, Description: s.Description, Tags: s.Tags, CreatedAt: noon})
		}
		return list, nil
	case *wire.VaultSet:
		b.vault[r.Key] = wire.VaultEntry{Key: r.Key, Ciphertext: r.Ciphertext, Nonce: r.Nonce, SealedKey: r.SealedKey, EntryType: r.EntryType, MountPath: &r.MountPath}
		return &wire.VaultAck{Action: wire.VaultStored}, nil
	case *wire.VaultGet:
		return &wire.VaultGetResult{Entries: []wire.VaultEntry{b.vault[r.Keys[0]]}}, nil
	}
	return nil, fmt.Errorf("a fake does not know %T", r)
}

// meshOf is what one member sees of a broker.
func meshOf(b *broker, seed byte) *Mesh {
	root := seal.Key{7}
	return &Mesh{
		Asker: b, ID: "mesh", Root: &root, Member: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)),
	}
}

func stage(t *testing.T) (b *broker, ana, ben *Mesh) {
	t.Helper()
	b = &broker{state: map[string]wire.StateEntry{}, skills: map[string]wire.Skill{}, vault: map[string]wire.VaultEntry{}, page: 2}
	return b, meshOf(b, 1), meshOf(b, 2)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
