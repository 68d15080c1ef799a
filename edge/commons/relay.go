package commons

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// relayWithin is how long a peer may take to read a file or a directory.
const relayWithin = 15 * time.Second

// The _reqId that a peer is asked with is an id of ours, not the asker's: it
// comes back with the answer, and nobody else can know it.
func (s *Commons) registerRelay() {
	on(s.table, s.peerFileRequest)
	on(s.table, s.peerFileResponse)
	on(s.table, s.peerDirRequest)
	on(s.table, s.peerDirResponse)
}

func (s *Commons) peerFileRequest(ctx context.Context, who *Caller, m *wire.PeerFileRequest) (wire.Message, error) {
	r := callRecord{Asks: wire.TypePeerFileRequest, Req: m.ReqID, About: m.FilePath}
	return nil, s.relay(ctx, who, m.TargetPubkey, r, func(id string) wire.Message {
		return &wire.PeerFileRequestForward{RequesterPubkey: who.Key, FilePath: m.FilePath, ReqID: wire.ReqID(id)}
	})
}

func (s *Commons) peerFileResponse(ctx context.Context, who *Caller, m *wire.PeerFileResponse) (wire.Message, error) {
	return nil, s.answerCall(ctx, who, string(m.ReqID), wire.TypePeerFileRequest, func(r *callRecord) wire.Message {
		return &wire.PeerFileResponseForward{FilePath: r.About, Content: m.Content, Error: m.Error, ReqID: r.Req}
	})
}

func (s *Commons) peerDirRequest(ctx context.Context, who *Caller, m *wire.PeerDirRequest) (wire.Message, error) {
	r := callRecord{Asks: wire.TypePeerDirRequest, Req: m.ReqID, About: m.DirPath}
	return nil, s.relay(ctx, who, m.TargetPubkey, r, func(id string) wire.Message {
		return &wire.PeerDirRequestForward{
			RequesterPubkey: who.Key, DirPath: m.DirPath, Pattern: m.Pattern, ReqID: wire.ReqID(id),
		}
	})
}

func (s *Commons) peerDirResponse(ctx context.Context, who *Caller, m *wire.PeerDirResponse) (wire.Message, error) {
	return nil, s.answerCall(ctx, who, string(m.ReqID), wire.TypePeerDirRequest, func(r *callRecord) wire.Message {
		return &wire.PeerDirResponseForward{DirPath: r.About, Entries: m.Entries, Error: m.Error, ReqID: r.Req}
	})
}

// relay asks the peer that a key stands for, if its member lets the caller.
func (s *Commons) relay(ctx context.Context, who *Caller, key string, r callRecord, ask func(id string) wire.Message) error {
	peers, err := s.presence.Roster(ctx, who.Peer.Mesh)
	if err != nil {
		return err
	}
	target, ok := relayTarget(peers, who, strings.ToLower(key))
	if !ok {
		return refuse(wire.CodePeerNotFound, "no peer with this key is here")
	}
	if err := s.mayRead(ctx, who, target.Member); err != nil {
		return err
	}
	r.Within, r.Host, r.HostGeneration = relayWithin.Milliseconds(), target.ID, target.Generation
	return s.call(ctx, who, r, ask)
}

// relayTarget is who has the files: the session with that key, else a session
// of the member with that key, else another connection of it.
func relayTarget(peers []presence.Presence, who *Caller, key string) (presence.Presence, bool) {
	peers = slices.DeleteFunc(slices.Clone(peers), func(p presence.Presence) bool {
		return p.ID == who.Peer.ID || p.Transient || p.Key != key && p.Member != key
	})
	if len(peers) == 0 {
		return presence.Presence{}, false
	}
	return slices.MinFunc(peers, func(a, b presence.Presence) int {
		return cmp.Or(cmp.Compare(distance(&a, key), distance(&b, key)), b.ConnectedAt.Compare(a.ConnectedAt))
	}), true
}

// distance orders those that a key may mean: a proven key before a claimed one,
// the member's sessions before its daemon.
func distance(p *presence.Presence, key string) int {
	kinds := []presence.Kind{presence.KindSession, presence.KindClaim, presence.KindMember}
	d := slices.Index(kinds, p.Kind)
	if p.Key != key || p.Kind == presence.KindMember {
		d += len(kinds)
	}
	return d
}

// mayRead asks the target's grants. Who has said nothing about the caller lets
// it ask, as peers have always relied on: the target decides what it shows.
// Whoever has listed what the caller may must have listed this too.
func (s *Commons) mayRead(ctx context.Context, who *Caller, target string) error {
	if target == who.Member.Key {
		return nil
	}
	grants, err := s.registry.Grants(ctx, who.Peer.Mesh, target)
	if err != nil {
		return err
	}
	caps, listed := grants[who.Member.Key]
	if !listed && wire.IsLowerKey(who.Peer.ID) { // a session key that was proven
		caps, listed = grants[who.Peer.ID]
	}
	if listed && !slices.Contains(caps, wire.CapFileRead) {
		return refuse(wire.CodeForbidden, "this member does not let you read files (%s)", wire.CapFileRead)
	}
	return nil
}
