package presence

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// resumption asks to go on with an attachment of [bench.session] on edge B.
func (b *bench) resumption(h Held) Resumption {
	h.Edge, h.Conn = "edgeB", "conn2"
	return Resumption{Held: h, Member: alice, Key: "key-" + h.ID, Kind: KindSession}
}

func (b *bench) resume(r Resumption) Continued {
	b.Helper()
	got, err := b.store.Resume(b.Context(), r)
	b.must(err)
	return got
}

func TestL1_AnAttachmentGoesOnWhereverAndHoweverItWasLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*bench, Held){
		"detached":  func(b *bench, h Held) { b.detach(h) },
		"not known": func(*bench, Held) {},
		"run out":   func(b *bench, h Held) { b.expire(h.Peer) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			first := b.attach(b.session("p1"))
			lose(b, first.Held)
			got := b.resume(b.resumption(first.Held))
			if got.Outcome == Joined || got.Resync || got.Start != first.Start || got.Generation <= first.Generation {
				t.Errorf("got %+v after %+v", got, first)
			}
			if b.lease(got.Peer) != got.Value() || got.Edge != "edgeB" || string(got.Stored.Record) != string(first.Stored.Record) {
				t.Errorf("lease %q of %+v", b.lease(got.Peer), got)
			}
			b.wantEvents("peer_joined p1")
		})
	}
}

// TestL3_OnlyTheLastAttachmentGoesOn is why a resume that is heard twice, or
// late, has no effect.
func TestL3_OnlyTheLastAttachmentGoesOn(t *testing.T) {
	t.Parallel()
	for name, newer := range map[string]func(*bench, Held){
		"resumed since":  func(b *bench, h Held) { b.resume(b.resumption(h)) },
		"attached since": func(b *bench, h Held) { b.attach(b.session(h.ID)) },
		"left":           func(b *bench, h Held) { b.must(b.store.Leave(b.Context(), h)) },
		"left and back": func(b *bench, h Held) {
			b.must(b.store.Leave(b.Context(), h))
			b.attach(b.session(h.ID))
		},
		"settled": func(b *bench, h Held) {
			b.expire(h.Peer)
			b.settle(h.Peer)
		},
		"another peer's record": func(b *bench, h Held) { b.flushAll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			first := b.attach(b.session("p1"))
			newer(b, first.Held)
			b.enrol(alice)
			before := b.lease(first.Peer)
			if got, err := b.store.Resume(b.Context(), b.resumption(first.Held)); !errors.Is(err, ErrPassed) {
				t.Errorf("got %+v, %v", got, err)
			}
			if after := b.lease(first.Peer); after != before {
				t.Errorf("lease %q became %q", before, after)
			}
		})
	}
}

func TestS3_WhatIsNotTheRecordsIsNotResumed(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	first := b.attach(b.session("p1"))
	other := b.attach(b.session("p2"))
	for name, change := range map[string]func(*Resumption){
		"member":         func(r *Resumption) { r.Member = bob },
		"key":            func(r *Resumption) { r.Key = "key-p2" },
		"kind":           func(r *Resumption) { r.Kind = KindClaim },
		"peer":           func(r *Resumption) { r.ID = "p2" },
		"generation":     func(r *Resumption) { r.Generation = other.Generation },
		"no generation":  func(r *Resumption) { r.Generation = "" },
		"odd generation": func(r *Resumption) { r.Generation = "0" + r.Generation },
	} {
		r := b.resumption(first.Held)
		change(&r)
		if got, err := b.store.Resume(t.Context(), r); !errors.Is(err, ErrPassed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if b.lease(first.Peer) != first.Value() || b.lease(other.Peer) != other.Value() {
		t.Error("a lease was moved")
	}
}

func TestS2_NobodyResumesWhoMayNotComeIn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		shut func(*bench)
		want error
	}{
		"banned": {func(b *bench) { b.ban(alice) }, ErrBanned},
		"removed": {func(b *bench) {
			b.must(b.rdb.Raw().HDel(b.Context(), b.store.opt.MembersKey(b.mesh), alice).Err())
		}, ErrNotMember},
		"archived": {func(b *bench) {
			b.must(b.rdb.Raw().HSet(b.Context(), b.store.opt.MeshKey(b.mesh), "archived", "1").Err())
		}, ErrNotMember},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			first := b.attach(b.session("p1"))
			tt.shut(b)
			if _, err := b.store.Resume(t.Context(), b.resumption(first.Held)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if b.lease(first.Peer) != first.Value() {
				t.Error("the lease was moved")
			}
		})
	}
}

func TestAResumeBringsTheRegistrysWord(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	first := b.attach(b.session("p1"))
	b.must(b.rdb.Raw().HSet(t.Context(), b.store.opt.MembersKey(b.mesh), alice, `{"id":"M"}`).Err())
	if got := b.resume(b.resumption(first.Held)); got.Registry.Member != `{"id":"M"}` || got.Registry.Grants != "" || len(got.Registry.Mesh) != 0 {
		t.Errorf("without grants: %+v", got.Registry)
	}
	again := b.attach(b.session("p1"))
	b.must(b.rdb.Raw().HSet(t.Context(), b.store.opt.GrantsKey(b.mesh), alice, `{}`, bob, `{"x":[]}`).Err())
	b.must(b.rdb.Raw().HSet(t.Context(), b.store.opt.MeshKey(b.mesh), "name", "Shop").Err())
	r := b.resume(b.resumption(again.Held)).Registry
	if r.Grants != `{}` || len(r.Mesh) != 2 || r.Mesh[0] != "name" || r.Mesh[1] != "Shop" {
		t.Errorf("got %+v", r)
	}
}

// TestATransientPeerStaysSoWhenItResumes holds because what a resume does not
// name is the record's.
func TestATransientPeerStaysSoWhenItResumes(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.session("p1")
	a.Transient = true
	first := b.attach(a)
	got := b.resume(b.resumption(first.Held))
	if !got.Stored.Transient || got.Stored.Announced {
		t.Errorf("stored %+v", got.Stored)
	}
	b.wantEvents()
}

// TestAResumeAlsoRunsOnAnEmbeddedServer tries the script on a server written in
// Go, whose Lua is another implementation.
func TestAResumeAlsoRunsOnAnEmbeddedServer(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	rdb, err := redis.Open(t.Context(), redis.Options{URL: "redis://" + server.Addr(), Partitions: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	b := &bench{TB: t, rdb: rdb, mesh: "Mesh1"}
	b.store = b.newStore(Options{})
	b.enrol(alice)
	first := b.attach(b.session("p1"))
	b.detach(first.Held)
	if got := b.resume(b.resumption(first.Held)); got.Outcome != Resumed || got.Registry.Member != "{}" {
		t.Errorf("got %+v", got)
	}
	if _, err := b.store.Resume(t.Context(), b.resumption(first.Held)); !errors.Is(err, ErrPassed) {
		t.Errorf("again: %v", err)
	}
}
