package queue

import (
	"regexp"
	"strconv"
	"testing"
)

// BenchmarkSend measures a durable direct message of 600 bytes. The metric
// redis-µs/op is the time that Redis spent in scripts.
func BenchmarkSend(b *testing.B) {
	s := setup(b)
	s.q.maxMessages, s.q.maxBytes, s.q.maxMesh = 1<<30, 1<<40, 1<<40
	alice, bob := s.member("a1"), s.member("b0b")
	bob.open(bob.sender.Member, RankUnproven)
	body := fill(600)
	b.ReportAllocs()
	n := 0
	before := s.scriptTime()
	for b.Loop() {
		alice.send(alice.direct(bob.sender.Member, strconv.Itoa(n), body))
		n++
	}
	b.ReportMetric((s.scriptTime()-before)/float64(n), "redis-µs/op")
}

// BenchmarkSendReadAck is one message's whole life.
func BenchmarkSendReadAck(b *testing.B) {
	s := setup(b)
	alice, bob := s.member("a1"), s.member("b0b")
	bob.open(bob.sender.Member, RankUnproven)
	body := fill(600)
	b.ReportAllocs()
	n := 0
	before := s.scriptTime()
	for b.Loop() {
		id := alice.send(alice.direct(bob.sender.Member, strconv.Itoa(n), body)).MessageID
		if got := s.read(bob.sender.Member, LaneNext); len(got) != 1 || !bob.ack(id, bob.sender.Member) {
			b.Fatal("the message is not there")
		}
		n++
	}
	b.ReportMetric((s.scriptTime()-before)/float64(n), "redis-µs/op")
}

// BenchmarkSendAck is a message that its doorbell delivers.
func BenchmarkSendAck(b *testing.B) {
	s := setup(b)
	alice, bob := s.member("a1"), s.member("b0b")
	bob.open(bob.sender.Member, RankUnproven)
	body := fill(600)
	b.ReportAllocs()
	n := 0
	before := s.scriptTime()
	for b.Loop() {
		id := alice.send(alice.direct(bob.sender.Member, strconv.Itoa(n), body)).MessageID
		if !bob.ack(id, bob.sender.Member) {
			b.Fatal("the message is not there")
		}
		n++
	}
	b.ReportMetric((s.scriptTime()-before)/float64(n), "redis-µs/op")
}

// scriptTime is how many microseconds Redis has spent in EVALSHA.
func (b *bundle) scriptTime() float64 {
	b.tb.Helper()
	info, err := b.c.Raw().Info(b.tb.Context(), "commandstats").Result()
	if err != nil {
		b.tb.Fatal(err)
	}
	m := regexp.MustCompile(`cmdstat_evalsha:calls=\d+,usec=(\d+)`).FindStringSubmatch(info)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return n
}
