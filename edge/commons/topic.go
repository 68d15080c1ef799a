package commons

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Bounds on the topics of a mesh and on what was said in one.
const (
	maxTopics        = 100
	maxTopicMembers  = 1000
	maxTopicMessages = 2000
	maxTopicBytes    = 1 << 20

	// dmMembers is how many a topic between two has.
	dmMembers = 2
)

var (
	// topicShelf holds the topics: id → topicRecord.
	topicShelf = shelf{name: "topic", fields: maxTopics, bytes: 1 << 20}

	// topicNameShelf finds them: name → id.
	topicNameShelf = shelf{name: "topic-name", fields: maxTopics, bytes: 64 << 10}
)

// topicRecord is a topic. Who joins it does not change it: many may at once.
type topicRecord struct {
	Name        string               `json:"name"`
	Description string               `json:"description,omitempty"`
	Visibility  wire.TopicVisibility `json:"visibility"`
	By          string               `json:"by,omitempty"` // member key of who made it
	At          int64                `json:"at"`           // milliseconds
	Sealed      bool                 `json:"sealed,omitempty"`
}

// partRecord is one member's part in a topic.
type partRecord struct {
	Role wire.TopicRole       `json:"role"`
	At   int64                `json:"at"`
	Read int64                `json:"read,omitempty"`
	Key  *wire.SealedTopicKey `json:"key,omitempty"` // its copy of the topic key
	By   string               `json:"by,omitempty"`  // member key of who made the copy
	Made int64                `json:"made,omitempty"`
}

// A topic is a topic as one member sees it.
type topic struct {
	id string
	topicRecord
	text string // the record as it is kept

	part     *partRecord // nil if the member did not join
	partText string
}

// parts is the shelf of who joined: member key → partRecord. A topic between
// two has no room for more.
func (t *topic) parts() shelf {
	sh := shelf{name: "topic-parts-" + t.id, fields: maxTopicMembers, bytes: 1 << 20}
	if t.Visibility == wire.TopicDM {
		sh.fields = dmMembers
	}
	return sh
}

func (t *topic) public() bool { return t.Visibility == wire.TopicPublic }

// hidden reports whether the member may not read the topic.
func (t *topic) hidden() bool { return !t.public() && t.part == nil }

// historyName is where it is kept what was said: a stream, which is bounded by
// itself and not counted as shelves are.
func historyName(id string) string { return "topic-history-" + id }

func (s *Commons) historyKey(mesh, id string) string { return s.keyOf(mesh, historyName(id)) }

var (
	errNoTopic   = refuse(wire.CodeTopicNotFound, "there is no such topic, or it is not for you")
	errNameTaken = refuse(wire.CodeForbidden, "a topic of others has this name")
)

func (s *Commons) registerTopics() {
	on(s.table, s.createTopic)
	on(s.table, s.listTopics)
	on(s.table, s.joinTopic)
	on(s.table, s.leaveTopic)
	on(s.table, s.deleteTopic)
	on(s.table, s.topicMembers)
	on(s.table, s.topicHistory)
	on(s.table, s.markTopicRead)
	on(s.table, s.topicKey)
	on(s.table, s.topicPendingSeals)
	on(s.table, s.sealTopicKey)
	on(s.table, s.notifications)
}

// findTopic finds a topic by id or name, ids first. Topics that are not public
// have a name for those who joined only; for others, knowing the id is an
// invitation.
func (s *Commons) findTopic(ctx context.Context, mesh, member, name string) (*topic, error) {
	t, invited, err := s.anyTopic(ctx, mesh, member, name)
	if err == nil && t.hidden() && !invited {
		return nil, errNoTopic
	}
	return t, err
}

// anyTopic is findTopic for those too of which the member may not know. It
// reports whether it was the id that was named.
func (s *Commons) anyTopic(ctx context.Context, mesh, member, name string) (t *topic, byID bool, err error) {
	if t, err = s.topicByID(ctx, mesh, member, name); !errors.Is(err, errNoTopic) {
		return t, true, err
	}
	id, err := s.get(ctx, mesh, topicNameShelf, name)
	if err != nil {
		return nil, false, err
	}
	if id == "" {
		return nil, false, errNoTopic
	}
	t, err = s.topicByID(ctx, mesh, member, id)
	return t, false, err
}

func (s *Commons) topicByID(ctx context.Context, mesh, member, id string) (*topic, error) {
	text, err := s.get(ctx, mesh, topicShelf, id)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errNoTopic
	}
	t := &topic{id: id, text: text}
	if t.topicRecord, err = decodeRecord[topicRecord](text); err != nil {
		return nil, err
	}
	if t.partText, err = s.get(ctx, mesh, t.parts(), member); err != nil || t.partText == "" {
		return t, err
	}
	part, err := decodeRecord[partRecord](t.partText)
	t.part = &part
	return t, err
}

// readableTopic is findTopic for what a member may read: public topics, and
// those that it joined.
func (s *Commons) readableTopic(ctx context.Context, mesh, member, name string) (*topic, error) {
	t, err := s.findTopic(ctx, mesh, member, name)
	if err == nil && t.hidden() {
		return nil, errNoTopic
	}
	return t, err
}

// joinedTopic is findTopic for what only those may who joined.
func (s *Commons) joinedTopic(ctx context.Context, mesh, member, name string) (*topic, error) {
	t, err := s.readableTopic(ctx, mesh, member, name)
	if err == nil && t.part == nil {
		return nil, refuse(wire.CodeForbidden, "join the topic first")
	}
	return t, err
}

func (s *Commons) createTopic(ctx context.Context, who *Caller, m *wire.TopicCreate) (wire.Message, error) {
	reply := &wire.TopicCreated{ReqID: m.ReqID}
	err := retry(ctx, func() error {
		id, err := s.get(ctx, who.Peer.Mesh, topicNameShelf, m.Name)
		if err != nil {
			return err
		}
		if id != "" {
			return s.enterExisting(ctx, who, id, reply)
		}
		// Ids are tried first, so that the name would name another one.
		another, err := s.get(ctx, who.Peer.Mesh, topicShelf, m.Name)
		if err != nil {
			return err
		}
		if another != "" {
			return errNameTaken
		}
		return s.makeTopic(ctx, who, m, reply)
	})
	return reply, err
}

func (s *Commons) makeTopic(ctx context.Context, who *Caller, m *wire.TopicCreate, reply *wire.TopicCreated) error {
	now := time.Now().UnixMilli()
	t := &topic{id: newID(), topicRecord: topicRecord{
		Name: m.Name, Description: m.Description, Visibility: cmp.Or(m.Visibility, wire.TopicPublic),
		By: who.Member.Key, At: now, Sealed: m.Key != nil,
	}}
	part := partRecord{Role: wire.TopicLead, At: now}
	if m.Key != nil {
		part.Key, part.By, part.Made = m.Key, who.Member.Key, now
	}
	record, err := encodeRecord(t.topicRecord)
	if err != nil {
		return err
	}
	mine, err := encodeRecord(part)
	if err != nil {
		return err
	}
	reply.Created = true
	reply.Topic = wire.TopicRef{ID: t.id, Name: t.Name, Visibility: t.Visibility}
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{
		set(topicNameShelf, m.Name, t.id).was(""), set(topicShelf, t.id, record), set(t.parts(), who.Member.Key, mine),
	}})
	return err
}

// enterExisting answers a wish for a topic that is there, and joins it.
func (s *Commons) enterExisting(ctx context.Context, who *Caller, id string, reply *wire.TopicCreated) error {
	t, err := s.topicByID(ctx, who.Peer.Mesh, who.Member.Key, id)
	if errors.Is(err, errNoTopic) {
		return errConflict // it goes just now
	}
	if err != nil {
		return err
	}
	if t.hidden() {
		ended, err := s.endIfEmpty(ctx, who.Peer.Mesh, t)
		if err != nil {
			return err
		}
		if ended {
			return errConflict // once more: the name is free
		}
		return errNameTaken
	}
	reply.Created = false
	reply.Topic = wire.TopicRef{ID: t.id, Name: t.Name, Visibility: t.Visibility}
	if t.part != nil {
		return nil
	}
	return s.enter(ctx, who, t, wire.TopicMember)
}

// enter gives the caller a part in a topic, or another one, if the topic is
// still there.
func (s *Commons) enter(ctx context.Context, who *Caller, t *topic, role wire.TopicRole) error {
	part := partRecord{At: time.Now().UnixMilli()}
	if t.part != nil {
		part = *t.part
	}
	part.Role = role
	mine, err := encodeRecord(part)
	if err != nil {
		return err
	}
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{
		t.unchanged(), set(t.parts(), who.Member.Key, mine).was(t.partText),
	}})
	return err
}

// unchanged is the condition that the topic is as it was read.
func (t *topic) unchanged() change { return change{shelf: topicShelf, field: t.id}.was(t.text) }

// joinTopic takes the caller's member in. A lead is who made the topic, who is
// an admin, or who comes when there is none.
func (s *Commons) joinTopic(ctx context.Context, who *Caller, m *wire.TopicJoin) (wire.Message, error) {
	role := cmp.Or(m.Role, wire.TopicMember)
	return nil, retry(ctx, func() error {
		t, err := s.findTopic(ctx, who.Peer.Mesh, who.Member.Key, m.Topic)
		if err != nil {
			return err
		}
		if t.part != nil && (m.Role == "" || t.part.Role == role) {
			return nil
		}
		if role == wire.TopicLead {
			if err := s.mayLead(ctx, who, t); err != nil {
				return err
			}
		}
		return s.enter(ctx, who, t, role)
	})
}

// mayLead refuses to give a topic another lead, but to an admin.
func (s *Commons) mayLead(ctx context.Context, who *Caller, t *topic) error {
	list, err := s.participants(ctx, who.Peer.Mesh, t)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.partRecord.Role == wire.TopicLead {
			return s.needsAdmin(ctx, who, refuse(wire.CodeForbidden, "the topic has a lead"))
		}
	}
	return nil
}

func (s *Commons) listTopics(ctx context.Context, who *Caller, m *wire.TopicList) (wire.Message, error) {
	if m.All {
		if err := s.needsAdmin(ctx, who, refuse(wire.CodeForbidden, "only an admin is shown the topics of others")); err != nil {
			return nil, err
		}
	}
	topics, err := s.topics(ctx, who.Peer.Mesh, who.Member.Key, m.All)
	return &wire.TopicListResponse{Topics: topics, ReqID: m.ReqID}, err
}

// visibleTopics are those that a member may read, oldest first.
func (s *Commons) visibleTopics(ctx context.Context, mesh, member string) ([]wire.Topic, error) {
	return s.topics(ctx, mesh, member, false)
}

// topics are those that a member may read, or all, of which those that it may
// not read are no more than named: their ids would be invitations.
func (s *Commons) topics(ctx context.Context, mesh, member string, hidden bool) ([]wire.Topic, error) {
	all, err := s.all(ctx, mesh, topicShelf)
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[topicRecord](all)
	if err != nil {
		return nil, err
	}
	joined, members := map[string]*goredis.BoolCmd{}, map[string]*goredis.IntCmd{}
	pipe := s.redis.Raw().Pipeline()
	for id, r := range records {
		parts := s.key(mesh, (&topic{id: id, topicRecord: r}).parts())
		joined[id], members[id] = pipe.HExists(ctx, parts, member), pipe.HLen(ctx, parts)
	}
	if _, err := pipe.Exec(ctx); len(records) > 0 && err != nil {
		return nil, err
	}
	out := []wire.Topic{}
	for _, id := range oldestFirst(records, func(r topicRecord) int64 { return r.At }) {
		r, shown := records[id], id
		if r.Visibility != wire.TopicPublic && !joined[id].Val() {
			if !hidden {
				continue
			}
			r.Description, shown = "", ""
		}
		out = append(out, wire.Topic{
			ID: shown, Name: r.Name, Description: orNull(r.Description), Visibility: r.Visibility,
			MemberCount: int(members[id].Val()), CreatedAt: moment(r.At), Sealed: r.Sealed,
		})
	}
	return out, nil
}

// A participant is a member that joined a topic and is not shut out.
type participant struct {
	registry.Member
	partRecord
}

// participants lists who joined, in that order.
func (s *Commons) participants(ctx context.Context, mesh string, t *topic) ([]participant, error) {
	all, err := s.all(ctx, mesh, t.parts())
	if err != nil {
		return nil, err
	}
	members, err := s.registry.Members(ctx, mesh)
	if err != nil {
		return nil, err
	}
	var out []participant
	for _, m := range members {
		text, joined := all[m.Key]
		if !joined || m.RevokedAt != nil {
			continue
		}
		part, err := decodeRecord[partRecord](text)
		if err != nil {
			return nil, err
		}
		out = append(out, participant{m, part})
	}
	slices.SortStableFunc(out, func(a, b participant) int { return cmp.Compare(a.At, b.At) })
	return out, nil
}

func (s *Commons) topicMembers(ctx context.Context, who *Caller, m *wire.TopicMembers) (wire.Message, error) {
	t, err := s.readableTopic(ctx, who.Peer.Mesh, who.Member.Key, m.Topic)
	if err != nil {
		return nil, err
	}
	list, err := s.participants(ctx, who.Peer.Mesh, t)
	reply := &wire.TopicMembersResponse{Topic: m.Topic, Members: []wire.TopicPart{}, ReqID: m.ReqID}
	for _, p := range list {
		one := wire.TopicPart{
			MemberID: p.ID, Pubkey: p.Member.Key, DisplayName: p.Name, Role: p.partRecord.Role, JoinedAt: moment(p.At),
		}
		if p.Read != 0 {
			at := moment(p.Read)
			one.LastReadAt = &at
		}
		reply.Members = append(reply.Members, one)
	}
	return reply, err
}

func (s *Commons) markTopicRead(ctx context.Context, who *Caller, m *wire.TopicMarkRead) (wire.Message, error) {
	_, _, err := s.readTopic(ctx, who, m.Topic)
	return nil, err
}

// readTopic notes that the member has read all there is.
func (s *Commons) readTopic(ctx context.Context, who *Caller, name string) (t *topic, at int64, err error) {
	at = time.Now().UnixMilli()
	err = retry(ctx, func() error {
		if t, err = s.joinedTopic(ctx, who.Peer.Mesh, who.Member.Key, name); err != nil {
			return err
		}
		part := *t.part
		part.Read = max(part.Read, at)
		mine, err := encodeRecord(part)
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{
			mesh: who.Peer.Mesh, by: who, changes: []change{set(t.parts(), who.Member.Key, mine).was(t.partText)},
		})
		return err
	})
	return t, at, err
}
