package share

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// topicBroker keeps one topic, and copies of its key by member.
type topicBroker struct {
	made    *wire.TopicCreate
	copies  map[string]wire.SealedTopicKey
	pending []wire.PendingSeal
	said    []wire.TopicMessage
}

// of is the broker as one member meets it.
type of struct {
	*topicBroker
	id string
}

func (b of) Ask(_ context.Context, r wire.Request) (wire.Message, error) {
	switch r := r.(type) {
	case *wire.TopicCreate:
		b.made = r
		if r.Key != nil {
			b.copies[b.id] = *r.Key
		}
		return &wire.TopicCreated{Topic: wire.TopicRef{ID: "t1", Name: r.Name}, Created: true}, nil
	case *wire.TopicKey:
		mine, ok := b.copies[b.id]
		switch {
		case b.made.Key == nil:
			return nil, &peer.RefusedError{Code: wire.CodeTopicUnencrypted}
		case !ok:
			return nil, &peer.RefusedError{Code: wire.CodeKeyNotSealed}
		}
		return &wire.TopicKeyResult{TopicID: "t1", SealedTopicKey: mine}, nil
	case *wire.TopicPendingSeals:
		return &wire.TopicPendingSealsResult{TopicID: "t1", Pending: b.pending}, nil
	case *wire.TopicSeal:
		b.copies[r.MemberID] = r.SealedTopicKey
		return &wire.TopicSealed{}, nil
	case *wire.TopicHistory:
		return &wire.TopicHistoryResponse{Messages: b.said}, nil
	}
	return nil, &peer.RefusedError{Code: wire.CodeUnknownType}
}

func topicMember(b *topicBroker, id string) *Mesh {
	return &Mesh{Asker: of{b, id}, ID: "m", Member: ed25519.NewKeyFromSeed([]byte((id + "00000000000000000000000000000000")[:32]))}
}

func TestATopicsKeyReachesWhoJoinsAndNobodyElse(t *testing.T) {
	t.Parallel()
	b := &topicBroker{copies: make(map[string]wire.SealedTopicKey)}
	ana, ben, eve := topicMember(b, "ana"), topicMember(b, "ben"), topicMember(b, "eve")
	if _, err := ana.CreateTopic(t.Context(), "#builds", "", ""); err != nil || b.made.Name != "builds" {
		t.Fatalf("%+v, %v", b.made, err)
	}
	key, err := ana.TopicKey(t.Context(), "builds")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ben.TopicKey(t.Context(), "builds"); !errors.Is(err, peer.ErrNoTopicKey) {
		t.Errorf("before anybody has sealed it: %v", err)
	}
	b.pending = []wire.PendingSeal{
		{MemberID: "odd", Pubkey: "no key", DisplayName: "odd"},
		{MemberID: "ben", Pubkey: hex.EncodeToString(ben.Member.Public().(ed25519.PublicKey)), DisplayName: "ben"},
	}
	if names, err := ana.Reseal(t.Context(), "builds", key); err != nil || len(names) != 1 || names[0] != "ben" {
		t.Errorf("sealed for %q, %v", names, err)
	}
	if got, err := ben.TopicKey(t.Context(), "builds"); err != nil || *got != *key {
		t.Errorf("ben's copy: %v", err)
	}
	b.copies["eve"] = b.copies["ben"]
	if _, err := eve.TopicKey(t.Context(), "builds"); !errors.Is(err, peer.ErrNoTopicKey) {
		t.Errorf("eve opens ben's copy: %v", err)
	}
}

func TestAHistoryShowsWhatOpensAndSaysWhatDoesNot(t *testing.T) {
	t.Parallel()
	b := &topicBroker{copies: make(map[string]wire.SealedTopicKey)}
	ana := topicMember(b, "ana")
	if _, err := ana.CreateTopic(t.Context(), "builds", "", ""); err != nil {
		t.Fatal(err)
	}
	key, err := ana.TopicKey(t.Context(), "builds")
	if err != nil {
		t.Fatal(err)
	}
	good, bad, open := seal.Secret(key, []byte("hi")), seal.Secret(&seal.Key{9}, []byte("hi")), seal.Plain("open")
	for version, box := range map[int][]seal.Box{2: {good, bad}, 1: {open}} {
		for _, x := range box {
			b.said = append(b.said, wire.TopicMessage{Nonce: x.Nonce, Ciphertext: x.Ciphertext, BodyVersion: version})
		}
	}
	said, err := ana.History(t.Context(), "builds", 10, "")
	if err != nil || len(said) != 3 {
		t.Fatalf("%d, %v", len(said), err)
	}
	for _, s := range said {
		switch {
		case s.Ciphertext == good.Ciphertext && s.Text == "hi" && s.Sealed && s.Err == nil:
		case s.Ciphertext == bad.Ciphertext && s.Text == "" && errors.Is(s.Err, peer.ErrTopicKey):
		case s.Ciphertext == open.Ciphertext && s.Text == "open" && !s.Sealed && s.Err == nil:
		default:
			t.Errorf("%+v", s)
		}
	}
}

func TestATopicMadeInClearHasNoKey(t *testing.T) {
	t.Parallel()
	b := &topicBroker{copies: make(map[string]wire.SealedTopicKey)}
	ana := topicMember(b, "ana")
	ana.Clear = true
	if _, err := ana.CreateTopic(t.Context(), "open", "", ""); err != nil || b.made.Key != nil {
		t.Errorf("%+v, %v", b.made, err)
	}
	if _, err := ana.TopicKey(t.Context(), "open"); !errors.Is(err, ErrClearTopic) {
		t.Errorf("its key: %v", err)
	}
}
