package command

import (
	"context"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// keyPatience is how long a message to a topic waits for the topic's key.
	keyPatience = 3 * time.Second
	// keyRound is how often a session looks who waits for a copy of a key.
	keyRound = 30 * time.Second
	// keyMissing is how long a key that was not there when a message came is not
	// asked for again.
	keyMissing = 2 * time.Second
)

// keyring has the keys of topics, for as long as a session runs. It also makes
// copies of them for those who joined and wait for one.
type keyring struct {
	mesh *share.Mesh
	asks chan keyAsk
	look chan struct{} // a connection was made

	mu      sync.Mutex // guards the following
	keys    map[string]*seal.Key
	missing map[string]time.Time // since when
}

type keyAsk struct {
	topic string
	done  chan struct{} // closed once the key is there, or is not
}

func newKeyring() *keyring {
	return &keyring{
		asks: make(chan keyAsk), look: make(chan struct{}, 1), keys: make(map[string]*seal.Key), missing: make(map[string]time.Time),
	}
}

// known returns the key of a topic, and whether asking for it is in vain.
func (k *keyring) known(topic string) (*seal.Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := k.keys[topic]
	return key, key != nil || time.Since(k.missing[topic]) < keyMissing
}

// get implements peer.Options.TopicKey. The deliver loop calls it, which must
// not ask for anything itself.
func (k *keyring) get(ctx context.Context, topic string) *seal.Key {
	if key, known := k.known(topic); known {
		return key
	}
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	ask := keyAsk{topic, make(chan struct{})}
	select {
	case k.asks <- ask:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-ask.done:
	case <-ctx.Done():
	}
	key, _ := k.known(topic)
	return key
}

// run asks for keys, and gives copies to others, until ctx ends.
func (k *keyring) run(ctx context.Context) error {
	tick := time.NewTicker(keyRound)
	defer tick.Stop()
	given := make(map[string]int) // topic → members when we last looked
	for {
		select {
		case <-ctx.Done():
			return nil
		case ask := <-k.asks:
			if k.fetch(ctx, ask.topic) == nil {
				k.miss(ask.topic)
			}
			close(ask.done)
		case <-k.look:
			clear(given)
			k.round(ctx, given)
		case <-tick.C:
			k.round(ctx, given)
		}
	}
}

// fetch asks for the key of a topic.
func (k *keyring) fetch(ctx context.Context, topic string) *seal.Key {
	if key, _ := k.known(topic); key != nil {
		return key
	}
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	key, err := k.mesh.TopicKey(ctx, topic)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.keys[topic] = key
	}
	return key
}

func (k *keyring) miss(topic string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missing[topic] = time.Now()
}

// round looks at the topics in which somebody may wait for a copy: those that
// have changed since the last time.
func (k *keyring) round(ctx context.Context, given map[string]int) {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	answer, err := share.Ask[*wire.TopicListResponse](ctx, k.mesh, &wire.TopicList{})
	if err != nil {
		return // an older broker, or none just now
	}
	for _, t := range answer.Topics {
		if !t.Sealed || given[t.ID] == t.MemberCount {
			continue
		}
		key := k.fetch(ctx, t.ID)
		if key == nil {
			continue
		}
		if _, err := k.mesh.Reseal(ctx, t.ID, key); err == nil {
			given[t.ID] = t.MemberCount
		}
	}
}

// inBackground runs the keyring until the function it returns is called.
func (k *keyring) inBackground(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = k.run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}
