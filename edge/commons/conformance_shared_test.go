package commons_test

import (
	"encoding/json"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// quoted is a name with all that was ever pasted into a query.
const quoted = `it's "quoted"; --`

func stateLines() []line {
	changed := func(value string) func(*cast, wire.Message) bool {
		return func(_ *cast, m wire.Message) bool {
			ch, ok := m.(*wire.StateChange)
			return ok && ch.Key == quoted && string(ch.Value) == value && ch.UpdatedBy == "ana"
		}
	}
	set := func(key string) *wire.SetState {
		return &wire.SetState{Key: key, Value: json.RawMessage("1"), ReqID: reqID()}
	}
	return []line{
		{
			frame: wire.TypeSetState, ask: func(*cast) wire.Request { return set(quoted) }, told: changed("1"),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: set("a\nb")}),
			full:  func(*cast) wire.Request { return set("more") },
		},
		{
			frame: wire.TypeGetState, ask: func(*cast) wire.Request { return &wire.GetState{Key: quoted, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.StateResult) error { return is(string(r.Value) == "1") }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.GetState{Key: tooMuch, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeListState, ask: func(*cast) wire.Request { return &wire.ListState{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.StateList) error { return is(len(r.Entries) == 1) }),
		},
		{
			frame: wire.TypeDeleteState, ask: func(*cast) wire.Request { return &wire.DeleteState{Key: quoted, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.StateDeleted) error { return is(r.Deleted) }), told: changed("null"),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.DeleteState{Key: "a\x00b", ReqID: reqID()}}),
		},
	}
}

func memoryLines() []line {
	remember := func(content string) *wire.Remember { return &wire.Remember{Content: content, ReqID: reqID()} }
	return []line{
		{
			frame: wire.TypeRemember, ask: func(*cast) wire.Request { return remember("the " + quoted + " key rotates") },
			reply: answered(func(c *cast, r *wire.MemoryStored) error { c.note["memory"] = r.ID; return is(r.ID != "") }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: remember(tooMuch + "x")}),
			full:  func(*cast) wire.Request { return remember("more") },
		},
		{
			frame: wire.TypeRecall, ask: func(*cast) wire.Request { return &wire.Recall{Query: "key", ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.MemoryResults) error { return is(len(r.Memories) == 1) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.Recall{Query: tooMuch, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeForget, ask: func(c *cast) wire.Request { return &wire.Forget{MemoryID: c.note["memory"], ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.Forget{MemoryID: tooMuch, ReqID: reqID()}}),
		},
	}
}

func contextLines() []line {
	share := func(summary string) *wire.ShareContext {
		return &wire.ShareContext{Summary: summary, Tags: []string{"shop"}, ReqID: reqID()}
	}
	return []line{
		{
			frame: wire.TypeShareContext, ask: func(*cast) wire.Request { return share(quoted) },
			told: func(_ *cast, m wire.Message) bool {
				ch, ok := m.(*wire.StateChange)
				return ok && ch.Key == "_context:ana"
			},
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: share(tooMuch)}),
			full:  func(*cast) wire.Request { return share("more than " + quoted) },
		},
		{
			frame: wire.TypeGetContext, ask: func(*cast) wire.Request { return &wire.GetContext{Query: "shop", ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ContextResults) error { return is(len(r.Contexts) == 1) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.GetContext{Query: tooMuch, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeListContexts, ask: func(*cast) wire.Request { return &wire.ListContexts{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ContextList) error { return is(len(r.Contexts) == 1) }),
		},
	}
}

func taskLines() []line {
	create := func(title string) *wire.CreateTask { return &wire.CreateTask{Title: title, ReqID: reqID()} }
	status := func(want wire.TaskStatus) func(*cast, wire.Reply) error {
		return answered(func(_ *cast, r *wire.TaskList) error { return is(len(r.Tasks) == 1 && r.Tasks[0].Status == want) })
	}
	return []line{
		{
			frame: wire.TypeCreateTask, ask: func(*cast) wire.Request { return create(quoted) },
			reply: answered(func(c *cast, r *wire.TaskCreated) error { c.note["task"] = r.ID; return is(r.ID != "") }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: create(tooMuch)}),
			full:  func(*cast) wire.Request { return create(tooMuch[:4000]) }, // more than what is done makes room for
		},
		{
			frame: wire.TypeClaimTask, ask: func(c *cast) wire.Request { return &wire.ClaimTask{TaskID: c.note["task"], ReqID: reqID()} },
			reply: status(wire.TaskClaimed),
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeTaskNotClaimable: &wire.ClaimTask{TaskID: "none", ReqID: reqID()},
				wire.CodeInvalidArgument:  &wire.ClaimTask{TaskID: tooMuch, ReqID: reqID()},
			}),
		},
		{
			frame: wire.TypeReleaseTask, ask: func(c *cast) wire.Request { return &wire.ReleaseTask{TaskID: c.note["task"], ReqID: reqID()} },
			reply: status(wire.TaskOpen),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeTaskNotFound: &wire.ReleaseTask{TaskID: "none", ReqID: reqID()}}),
		},
		{
			frame: wire.TypeCompleteTask, ask: func(c *cast) wire.Request {
				return &wire.CompleteTask{TaskID: c.note["task"], Result: "ok", ReqID: reqID()}
			}, reply: status(wire.TaskDone),
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeTaskNotFound:    &wire.CompleteTask{TaskID: "none", ReqID: reqID()},
				wire.CodeInvalidArgument: &wire.CompleteTask{TaskID: "none", Result: tooMuch, ReqID: reqID()},
			}),
		},
		{
			frame: wire.TypeListTasks, ask: func(*cast) wire.Request { return &wire.ListTasks{Status: wire.TaskDone, ReqID: reqID()} },
			reply: status(wire.TaskDone),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.ListTasks{Status: "half", ReqID: reqID()}}),
		},
	}
}

func skillLines() []line {
	share := func(name string) *wire.ShareSkill {
		return &wire.ShareSkill{Name: name, Description: "how", Instructions: "# How", ReqID: reqID()}
	}
	return []line{
		{
			frame: wire.TypeShareSkill, ask: func(*cast) wire.Request { return share(quoted) },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: share("a\nb")}),
			full:  func(*cast) wire.Request { return share("more") },
		},
		{
			frame: wire.TypeGetSkill, ask: func(*cast) wire.Request { return &wire.GetSkill{Name: quoted, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.SkillData) error { return is(r.Skill != nil) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.GetSkill{Name: tooMuch, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeListSkills, ask: func(*cast) wire.Request { return &wire.ListSkills{Query: "QUOTED", ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.SkillList) error { return is(len(r.Skills) == 1) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.ListSkills{Query: tooMuch, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeRemoveSkill, ask: func(*cast) wire.Request { return &wire.RemoveSkill{Name: quoted, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.SkillAck) error { return is(r.Action == wire.SkillRemoved) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.RemoveSkill{Name: "", ReqID: reqID()}}),
		},
	}
}

func vaultLines() []line {
	set := func(key string) *wire.VaultSet {
		return &wire.VaultSet{Key: key, Ciphertext: "b0Z5", Nonce: "QEFC", SealedKey: "c2VhbGVk", EntryType: wire.VaultEnv, ReqID: reqID()}
	}
	return []line{
		{
			frame: wire.TypeVaultSet, ask: func(*cast) wire.Request { return set(quoted) },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: set("a\nb")}),
			full:  func(*cast) wire.Request { return set("more") },
		},
		{
			frame: wire.TypeVaultList, ask: func(*cast) wire.Request { return &wire.VaultList{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.VaultListResult) error { return is(len(r.Entries) == 1) }),
		},
		{
			frame: wire.TypeVaultGet, ask: func(*cast) wire.Request { return &wire.VaultGet{Keys: []string{quoted}, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.VaultGetResult) error { return is(len(r.Entries) == 1) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.VaultGet{Keys: make([]string, 33), ReqID: reqID()}}),
		},
		{
			frame: wire.TypeVaultDelete, ask: func(*cast) wire.Request { return &wire.VaultDelete{Key: quoted, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.VaultAck) error { return is(r.Action == wire.VaultDeleted) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.VaultDelete{Key: tooMuch, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeVaultClear, by: byBoss, ask: func(*cast) wire.Request { return &wire.VaultClear{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.VaultAck) error { return is(r.Action == wire.VaultNotFound) }),
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeInvalidArgument: &wire.VaultClear{Target: tooMuch, ReqID: reqID()},
				wire.CodeNotFound:        &wire.VaultClear{Target: "ana", ReqID: reqID()},
			}),
		},
		{frame: wire.TypeVaultClear, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeForbidden: &wire.VaultClear{ReqID: reqID()},
		})},
	}
}

func scheduleLines() []line {
	later := func(cron string) *wire.Schedule {
		return &wire.Schedule{To: "*", Message: quoted, DeliverAt: soon(time.Hour), Cron: cron, ReqID: reqID()}
	}
	return []line{
		{
			frame: wire.TypeSchedule, ask: func(*cast) wire.Request { return later("0 9 * * 1") },
			reply: answered(func(c *cast, r *wire.ScheduledAck) error {
				c.note["scheduled"] = r.ScheduledID
				return is(r.Cron != "")
			}),
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeInvalidCron:     later("*/0 * * * *"),
				wire.CodeInvalidArgument: &wire.Schedule{To: "*", Message: "never", ReqID: reqID()},
			}),
			full: func(*cast) wire.Request { return later("") },
		},
		{
			frame: wire.TypeListScheduled, ask: func(*cast) wire.Request { return &wire.ListScheduled{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ScheduledList) error { return is(len(r.Messages) == 1) }),
		},
		{
			frame: wire.TypeCancelScheduled, ask: func(c *cast) wire.Request {
				return &wire.CancelScheduled{ScheduledID: c.note["scheduled"], ReqID: reqID()}
			}, reply: answered(func(_ *cast, r *wire.CancelScheduledAck) error { return is(r.OK) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.CancelScheduled{ScheduledID: tooMuch, ReqID: reqID()}}),
		},
	}
}
