package queue

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"
)

// JournalKind says what a journal entry is.
type JournalKind string

const (
	// KindMessage is a broadcast or group message.
	KindMessage JournalKind = "msg"
	// KindEvent is a presence event, or another system event.
	KindEvent JournalKind = "event"
	// KindFrame is a frame of another kind, complete but for its id and cursor.
	KindFrame JournalKind = "frame"
	// KindTopic is a message to the members of a topic.
	KindTopic JournalKind = "topic"
)

// FlagOthers among an entry's flags keeps it from all connections of the
// sender's member.
const FlagOthers = "s"

// FlagNow among the flags of an event makes it urgent.
const FlagNow = "n"

// FlagWebhook among the flags of an event says that it is a stranger's word:
// the event's name is that of the webhook that was called.
const FlagWebhook = "w"

// JournalEntry is one broadcast, group message or event of a mesh.
type JournalEntry struct {
	Seq    uint64
	Prev   uint64 // SEQ of the entry before it
	ID     string
	At     int64 // milliseconds
	Kind   JournalKind
	Event  string // of an event: its name
	Member string // the member that caused it
	Peer   string // the PEER that caused it
	Target string // of a message: "*" or "@name"
	Flags  string
	Body   string // a JSON object's text: the message, or the event's data
}

// Head is the newest position of a journal. The epoch is empty until the mesh's
// first entry.
type Head struct {
	Epoch string
	Seq   uint64
	ID    string
}

// Cursor is the position of somebody who has seen everything up to h.
func (h Head) Cursor() Cursor { return Cursor(h) }

// Gap reports whether entries, as [Queue.Journal] returned them with h for
// after, begin later than right behind after: what lay between is no longer in
// the journal.
func (h Head) Gap(after uint64, entries []JournalEntry) bool {
	if len(entries) == 0 {
		return h.Seq > after
	}
	return entries[0].Seq != after+1
}

// JournalKeys names the journal and the head of a mesh, in the order in which
// [JournalLua] wants them.
func (q *Queue) JournalKeys(mesh string) []string {
	p := q.at(mesh)
	return []string{p.journal(), p.head()}
}

// Journal returns at most limit entries behind after, in order, and the head at
// the moment before they were read. [Head.Gap] tells whether some are missing.
func (q *Queue) Journal(ctx context.Context, mesh string, after uint64, limit int) ([]JournalEntry, Head, error) {
	p := q.at(mesh)
	// Head first: an entry appended in between may be returned, but cannot look
	// like a gap.
	pipe := q.c.Raw().Pipeline()
	head := pipe.HMGet(ctx, p.head(), headFields...)
	items := pipe.Do(ctx, "XRANGE", p.journal(), "("+strconv.FormatUint(after, 10)+"-0", "+", "COUNT", limit)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, Head{}, wrap("journal", err)
	}
	list, err := items.Slice()
	if err != nil {
		return nil, Head{}, wrap("journal", err)
	}
	entries := make([]JournalEntry, 0, len(list))
	for _, item := range list {
		e, ok := parseJournalItem(item)
		if !ok {
			return nil, Head{}, fmt.Errorf("queue: journal of %s: malformed entry", mesh)
		}
		entries = append(entries, e)
	}
	h, err := parseHead(head)
	return entries, h, err
}

// Heads returns the heads of many journals in one round trip.
func (q *Queue) Heads(ctx context.Context, meshes []string) ([]Head, error) {
	pipe := q.c.Raw().Pipeline()
	cmds := make([]*goredis.SliceCmd, len(meshes))
	for i, mesh := range meshes {
		cmds[i] = pipe.HMGet(ctx, q.at(mesh).head(), headFields...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, wrap("heads", err)
	}
	heads := make([]Head, len(meshes))
	for i, cmd := range cmds {
		var err error
		if heads[i], err = parseHead(cmd); err != nil {
			return nil, err
		}
	}
	return heads, nil
}

// CheckCursor reports whether reading on from c misses nothing: its epoch is
// the journal's and its SEQ still carries its id. Otherwise whoever holds it
// must be told to resync.
func (q *Queue) CheckCursor(ctx context.Context, mesh string, c Cursor) (bool, error) {
	_, rest, err := q.run(ctx, "check cursor", checkCursorScript, q.JournalKeys(mesh), c.Epoch, c.Seq, c.ID)
	return err == nil && len(rest) == 1 && rest[0] == int64(1), err
}

var headFields = []string{"epoch", "jseq", "jid"}

func parseHead(cmd *goredis.SliceCmd) (Head, error) {
	v, err := cmd.Result()
	if err != nil {
		return Head{}, wrap("head", err)
	}
	h := Head{}
	h.Epoch, _ = v[0].(string)
	h.ID, _ = v[2].(string)
	if digits, ok := v[1].(string); ok {
		if h.Seq, err = strconv.ParseUint(digits, 10, 64); err != nil {
			return Head{}, wrap("head", err)
		}
	}
	return h, nil
}

func parseJournalItem(item any) (JournalEntry, bool) {
	seq, f, ok := parseItem(item, 9)
	if !ok {
		return JournalEntry{}, false
	}
	at, err := strconv.ParseInt(f[1], 10, 64)
	return JournalEntry{
		Seq: seq, Prev: seq - 1, ID: f[0], At: at, Kind: JournalKind(f[2]), Event: f[3],
		Member: f[4], Peer: f[5], Target: f[6], Flags: f[7], Body: f[8],
	}, err == nil
}
