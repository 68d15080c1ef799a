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
	//go:embed lua/readers.lua
	readersLua string
	//go:embed lua/grants.lua
	grantsLua string
)

// JournalLua is a fragment for other rooms' scripts. It defines
//
//	journal_append(journal, head, channel, epoch, entry) → seq, id
//	journal_reaches(journal, head, epoch, seq, id) → boolean
//
// and is described in lua/journal.lua.
var JournalLua = idLua + "\n" + journalLua

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
	//go:embed lua/check_cursor.lua
	checkCursorLua string
)

var (
	sendScript        = redis.NewScript(sendLua, idLua, rateLua, onceLua, readersLua, grantsLua)
	postScript        = redis.NewScript(postLua, JournalLua, rateLua, onceLua)
	openReaderScript  = redis.NewScript(openReaderLua, readersLua)
	closeReaderScript = redis.NewScript(closeReaderLua, readersLua)
	promoteScript     = redis.NewScript(promoteLua, readersLua)
	readScript        = redis.NewScript(readLua)
	ackScript         = redis.NewScript(ackLua, onceLua, inboxLua)
	confirmScript     = redis.NewScript(confirmLua, idLua, onceLua, inboxLua)
	dueScript         = redis.NewScript(dueLua)
	retireScript      = redis.NewScript(retireLua, inboxLua)
	checkCursorScript = redis.NewScript(checkCursorLua, JournalLua)
)
