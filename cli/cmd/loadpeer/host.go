package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// A command is one line of input.
type command struct {
	Op   string `json:"op"`
	Peer string `json:"peer"`

	// Of the first start.
	URL        string `json:"url"`
	Mesh       string `json:"mesh"`
	MemberID   string `json:"memberId"`
	MemberSeed string `json:"memberSeed"` // 64 hex
	Seed       string `json:"seed"`       // of the session, 64 hex

	How  string `json:"how"`
	ID   string `json:"id"`
	To   string `json:"to"`
	Lane string `json:"lane"`
	Old  bool   `json:"old"` // through the client before the current one
}

// A host has the peers of this process.
type host struct {
	ctx   context.Context
	stop  context.CancelFunc
	out   *recorder
	peers map[string]*loadPeer // owned by obey
	tasks sync.WaitGroup
}

func newHost(ctx context.Context, out *recorder) *host {
	ctx, stop := context.WithCancel(ctx)
	return &host{ctx: ctx, stop: stop, out: out, peers: map[string]*loadPeer{}}
}

// maxCommand bounds a line of input.
const maxCommand = 1 << 20

// obey carries out commands until there are no more.
func (h *host) obey(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxCommand)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("command %.200q: %w", lines.Text(), err)
		}
		if err := h.do(c); err != nil {
			return fmt.Errorf("command %.200q: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

func (h *host) do(c command) error {
	p := h.peers[c.Peer]
	if p == nil {
		if c.Op != "start" {
			return fmt.Errorf("unknown peer %q", c.Peer)
		}
		var err error
		if p, err = h.newPeer(c); err != nil {
			return err
		}
		h.peers[c.Peer] = p
	}
	switch c.Op {
	case "start":
		p.start()
	case "leave":
		return p.leave(c.How)
	case "cut":
		p.cut()
	case "send":
		return p.send(c)
	case "roster":
		h.tasks.Go(p.roster)
	case "sync":
		h.tasks.Go(p.sync)
	default:
		return fmt.Errorf("unknown op %q", c.Op)
	}
	return nil
}

func (h *host) newPeer(c command) (*loadPeer, error) {
	member, err := privateKey(c.MemberSeed)
	if err != nil {
		return nil, err
	}
	session, err := privateKey(c.Seed)
	if err != nil {
		return nil, err
	}
	p := &loadPeer{
		host: h, name: c.Peer, url: c.URL, mesh: c.Mesh, memberID: c.MemberID, member: member, session: session,
		queue: make(chan command, maxQueued), changed: make(chan struct{}),
	}
	h.tasks.Go(p.sendAll)
	return p, nil
}

func privateKey(seed string) (ed25519.PrivateKey, error) {
	b, err := hex.DecodeString(seed)
	if err != nil || len(b) != ed25519.SeedSize {
		return nil, fmt.Errorf("a seed must be %d hex characters", 2*ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(b), nil
}

// close ends all peers as a crash does: places are kept, nobody says goodbye.
func (h *host) close() {
	for _, p := range h.peers {
		_ = p.leave(howVanish)
	}
	h.stop()
	h.tasks.Wait()
}
