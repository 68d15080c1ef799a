package commons

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// headerIdempotency makes a POST of a message safe to repeat. It is ours.
const headerIdempotency = "Idempotency-Key"

func (s *Commons) apiSend(ctx context.Context, c *apiCall) (any, error) {
	var m wire.PostMessageRequest
	if err := c.readBody(&m); err != nil {
		return nil, err
	}
	clientID := c.r.Header.Get(headerIdempotency)
	if len(clientID) > wire.MaxCorrelationID {
		return nil, refuse(wire.CodeInvalidArgument, "%s is longer than %d bytes", headerIdempotency, wire.MaxCorrelationID)
	}
	t, err := s.readableTopic(ctx, c.key.mesh, c.key.Owner, m.Topic)
	if err == nil {
		err = c.scope(t)
	}
	if err != nil {
		return nil, err
	}
	fingerprint, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	who, lane := c.who, wire.Send{Priority: m.Priority}
	said, err := s.speak(ctx, queue.Post{
		Mesh: c.key.mesh, Sender: queue.Sender{Peer: who.Peer.ID, Member: who.Member.Key, Key: who.Key},
		ClientID: clientID, Fingerprint: string(fingerprint),
	}, t.id, wire.PushBody{
		MeshID: c.key.mesh, SenderPubkey: who.Key, SenderMemberID: who.Member.ID, SenderName: who.Name, Priority: lane.Lane(),
		Nonce: m.Nonce, Ciphertext: m.Ciphertext, ReplyToID: m.ReplyToID, BodyVersion: m.BodyVersion, Mentions: m.Mentions,
		ClientMessageID: clientID,
	})
	if err != nil {
		return nil, err
	}
	id := said.MessageID
	return wire.PostMessageResponse{
		MessageID: id, HistoryID: id, QueueID: id, Topic: t.Name, TopicID: t.id, Notifications: said.notified,
		BodyVersion: said.body.BodyVersion, ReplyToID: said.body.ReplyToID,
	}, nil
}

func (s *Commons) apiTopics(ctx context.Context, c *apiCall) (any, error) {
	topics, err := s.visibleTopics(ctx, c.key.mesh, c.key.Owner)
	topics = slices.DeleteFunc(topics, func(t wire.Topic) bool { return !c.key.covers(t.ID, t.Name) })
	return wire.APITopicsResponse{Topics: topics}, err
}

// topic is the one in the request's path, if the caller may read it.
func (s *Commons) apiTopic(ctx context.Context, c *apiCall) (*topic, error) {
	t, err := s.readableTopic(ctx, c.key.mesh, c.key.Owner, c.r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	return t, c.scope(t)
}

func (s *Commons) apiMessages(ctx context.Context, c *apiCall) (any, error) {
	t, err := s.apiTopic(ctx, c)
	if err != nil {
		return nil, err
	}
	query := c.r.URL.Query()
	ask := wire.TopicHistory{BeforeID: query.Get("before")}
	if text := query.Get("limit"); text != "" {
		if ask.Limit, err = strconv.Atoi(text); err != nil || ask.Limit < 1 {
			return nil, refuse(wire.CodeInvalidArgument, "limit is a number from 1 to %d", wire.MaxTopicPage)
		}
	}
	list, err := s.saidBefore(ctx, c.key.mesh, t.id, ask.BeforeID, ask.Page())
	answer := wire.APIMessagesResponse{Topic: t.Name, TopicID: t.id, Messages: []wire.APIMessage{}}
	for i := range list {
		answer.Messages = append(answer.Messages, list[i].API())
	}
	return answer, err
}

func (s *Commons) apiRead(ctx context.Context, c *apiCall) (any, error) {
	t, err := s.apiTopic(ctx, c)
	if err != nil {
		return nil, err
	}
	t, at, err := s.readTopic(ctx, c.who, t.id)
	if err != nil {
		return nil, err
	}
	return wire.APIReadResponse{Topic: t.Name, TopicID: t.id, LastReadAt: moment(at)}, nil
}

func (s *Commons) apiTopicKey(ctx context.Context, c *apiCall) (any, error) {
	t, err := s.apiTopic(ctx, c)
	if err != nil {
		return nil, err
	}
	if t, err = s.copyOf(ctx, c.key.mesh, c.key.Owner, t.id); err != nil {
		return nil, err
	}
	return wire.APITopicKeyResponse{
		Topic: t.Name, TopicID: t.id, SealedTopicKey: *t.part.Key, SenderPubkey: t.part.By, CreatedAt: moment(t.part.Made),
	}, nil
}

func (s *Commons) apiPendingSeals(ctx context.Context, c *apiCall) (any, error) {
	t, err := s.apiTopic(ctx, c)
	if err != nil {
		return nil, err
	}
	_, pending, err := s.pendingSeals(ctx, c.who, t.id)
	return wire.APIPendingSealsResponse{Topic: t.Name, TopicID: t.id, SenderPubkey: c.key.Owner, Pending: pending}, err
}

func (s *Commons) apiSeal(ctx context.Context, c *apiCall) (any, error) {
	var m wire.APISealRequest
	t, err := s.apiTopic(ctx, c)
	if err == nil {
		err = c.readBody(&m)
	}
	if err != nil {
		return nil, err
	}
	_, at, err := s.seal(ctx, c.who, t.id, m.MemberID, m.SealedTopicKey)
	return wire.APISealResponse{Topic: t.Name, TopicID: t.id, MemberID: m.MemberID, SealedAt: moment(at)}, err
}

func (s *Commons) apiClaimKey(ctx context.Context, c *apiCall) (any, error) {
	var m wire.APIClaimKeyRequest
	t, err := s.apiTopic(ctx, c)
	if err == nil {
		err = c.readBody(&m)
	}
	if err != nil {
		return nil, err
	}
	_, at, err := s.claimKey(ctx, c.who, t.id, m.SealedTopicKey)
	return wire.APISealResponse{Topic: t.Name, TopicID: t.id, MemberID: c.who.Member.ID, SealedAt: moment(at)}, err
}

// visiblePeers lists who is here, as the key's member sees it.
func (s *Commons) visiblePeers(ctx context.Context, mesh, member string) ([]wire.PeerInfo, error) {
	roster, err := s.presence.Roster(ctx, mesh)
	if err != nil {
		return nil, err
	}
	out := []wire.PeerInfo{}
	for i := range roster {
		p := &roster[i]
		info, err := peerInfo(p)
		if err != nil {
			return nil, err
		}
		hidden := info.Visible != nil && !*info.Visible
		if !p.Transient && (!hidden || p.Member == member) {
			out = append(out, info)
		}
	}
	return out, nil
}

func peerInfo(p *presence.Presence) (wire.PeerInfo, error) {
	info, err := decodeRecord[wire.PeerInfo](string(p.Record))
	info.Status, info.ConnectedAt = wire.Status(p.Status.Value), wire.At(p.ConnectedAt)
	if info.Groups == nil {
		info.Groups = []wire.Group{}
	}
	return info, err
}

func (s *Commons) apiPeers(ctx context.Context, c *apiCall) (any, error) {
	peers, err := s.visiblePeers(ctx, c.key.mesh, c.key.Owner)
	return wire.APIPeersResponse{Peers: peers}, err
}

// humanPeer is the peerType of people.
const humanPeer = "human"

func (s *Commons) apiMembers(ctx context.Context, c *apiCall) (any, error) {
	members, err := s.registry.Members(ctx, c.key.mesh)
	if err != nil {
		return nil, err
	}
	peers, err := s.visiblePeers(ctx, c.key.mesh, c.key.Owner)
	if err != nil {
		return nil, err
	}
	answer := wire.APIMembersResponse{Members: []wire.APIMember{}}
	for _, m := range members {
		if m.RevokedAt != nil {
			continue
		}
		one := wire.APIMember{
			MemberID: m.ID, Pubkey: m.Key, DisplayName: m.Name, Role: m.Role, JoinedAt: wire.At(m.JoinedAt), Status: wire.StatusIdle,
		}
		describe(&one, peers)
		answer.Members = append(answer.Members, one)
	}
	return answer, nil
}

// describe adds what a member's connections say: the newest of them decides.
func describe(m *wire.APIMember, peers []wire.PeerInfo) {
	var newest wire.Time
	for i := range peers {
		p := &peers[i]
		if p.MemberPubkey != m.Pubkey {
			continue
		}
		m.Online, m.IsHuman = true, m.IsHuman || p.PeerType == humanPeer
		if !p.ConnectedAt.Before(newest.Time) {
			newest, m.Status = p.ConnectedAt, p.Status
			if p.Summary != nil {
				m.Summary = p.Summary
			}
		}
	}
}

func (s *Commons) apiNotifications(ctx context.Context, c *apiCall) (any, error) {
	query, since := c.r.URL.Query(), time.Now().Add(-notificationsSince)
	if text := query.Get("since"); text != "" {
		var at wire.Expiry // a moment in either form
		quoted, err := json.Marshal(text)
		if err != nil || at.UnmarshalJSON([]byte(text)) != nil && at.UnmarshalJSON(quoted) != nil {
			return nil, refuse(wire.CodeInvalidArgument, "since is a time in ISO 8601 or in milliseconds")
		}
		since = at.Time.Time
	}
	unread := query.Get("unread") == "1" || query.Get("unread") == "true"
	list, err := s.mentionsOf(ctx, c.key.mesh, &c.who.Member, since, unread, c.key.covers)
	return wire.APINotificationsResponse{Notifications: list, Since: wire.At(since), MentionedAs: c.who.Member.Name}, err
}

func (s *Commons) apiNotesRead(ctx context.Context, c *apiCall) (any, error) {
	var m wire.APINotesReadRequest
	if err := c.readBody(&m); err != nil {
		return nil, err
	}
	topics, err := s.visibleTopics(ctx, c.key.mesh, c.key.Owner)
	if err != nil {
		return nil, err
	}
	n, err := s.readNotes(ctx, c.who, m.IDs, func(id string) bool {
		return len(c.key.Topics) == 0 || slices.ContainsFunc(topics, func(t wire.Topic) bool {
			return t.ID == id && c.key.covers(t.ID, t.Name)
		})
	})
	return wire.APINotesReadResponse{Read: n}, err
}
