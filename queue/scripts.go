package queue

import (
	_ "embed"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// Fragments: functions that several verbs share.
var (
	//go:embed lua/id.lua
	idLua string
	//go:embed lua/journal.lua
	journalLua string
	//go:embed lua/rate.lua
	rateLua string
	//go:embed lua/once.lua
	onceLua string
	//go:embed lua/inbox.lua
	inboxLua string
	//go:embed lua/dead.lua
	deadLua string
	//go:embed lua/readers.lua
	readersLua string
	//go:embed lua/grants.lua
	grantsLua string
	//go:embed lua/actor.lua
	actorLua string
	//go:embed lua/history.lua
	historyLua string
)

// JournalLua is a fragment for other rooms' scripts. It defines
//
//	journal_append(journal, head, channel, epoch, entry) → seq, id
//	journal_reaches(journal, head, epoch, seq, id) → boolean
//
// and is described in lua/journal.lua.
var JournalLua = idLua + "\n" + journalLua

// RateLua is a fragment for other rooms' scripts. It defines
//
//	rate_charge(rate, field, per_minute, burst, now) → boolean
//
// and is described in lua/rate.lua.
var RateLua = rateLua

// Verbs.
var (
	//go:embed lua/send.lua
	sendLua string
	//go:embed lua/post.lua
	postLua string
	//go:embed lua/open_reader.lua
	openReaderLua string
	//go:embed lua/close_reader.lua
	closeReaderLua string
	//go:embed lua/promote.lua
	promoteLua string
	//go:embed lua/read.lua
	readLua string
	//go:embed lua/ack.lua
	ackLua string
	//go:embed lua/confirm.lua
	confirmLua string
	//go:embed lua/due.lua
	dueLua string
	//go:embed lua/retire.lua
	retireLua string
	//go:embed lua/requeue.lua
	requeueLua string
	//go:embed lua/drop_dead.lua
	dropDeadLua string
	//go:embed lua/check_cursor.lua
	checkCursorLua string
	//go:embed lua/turn.lua
	turnLua string
)

var (
	sendScript        = redis.NewScript(sendLua, actorLua, idLua, rateLua, onceLua, readersLua, grantsLua)
	postScript        = redis.NewScript(postLua, actorLua, historyLua, JournalLua, rateLua, onceLua)
	openReaderScript  = redis.NewScript(openReaderLua, readersLua)
	closeReaderScript = redis.NewScript(closeReaderLua, readersLua)
	promoteScript     = redis.NewScript(promoteLua, readersLua)
	readScript        = redis.NewScript(readLua)
	ackScript         = redis.NewScript(ackLua, idLua, onceLua, inboxLua)
	confirmScript     = redis.NewScript(confirmLua, idLua, onceLua, inboxLua)
	dueScript         = redis.NewScript(dueLua)
	retireScript      = redis.NewScript(retireLua, idLua, inboxLua, deadLua)
	requeueScript     = redis.NewScript(requeueLua, idLua, onceLua, readersLua, inboxLua, deadLua)
	dropDeadScript    = redis.NewScript(dropDeadLua, idLua, inboxLua, deadLua)
	checkCursorScript = redis.NewScript(checkCursorLua, JournalLua)
	turnScript        = redis.NewScript(turnLua)
)
