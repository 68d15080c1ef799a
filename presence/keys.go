package presence

import (
	"strings"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// Every key of this package is named here and nowhere else.

// edgesKey is the one key that belongs to no partition: edge → last heartbeat
// in milliseconds.
const edgesKey = "edges"

// LeaseKey names the string that holds [Held.Value] while p is here.
func (s *Store) LeaseKey(p Peer) string { return leaseKey(s.rdb.Tag(p.Mesh), p) }

// allKeys are the keys that verbs about one peer work on.
func (s *Store) allKeys(p Peer) []string {
	tag := s.rdb.Tag(p.Mesh)
	return append([]string{
		leaseKey(tag, p), dueKey(tag), rosterKey(tag, p.Mesh), cursorKey(tag, p.Mesh), savedKey(tag, p.Mesh),
		cleanupKey(tag), transientKey(tag, p.Mesh), s.opt.MembersKey(p.Mesh), s.opt.BansKey(p.Mesh),
	}, s.opt.JournalKeys(p.Mesh)...)
}

func leaseKey(tag string, p Peer) string       { return leaseOf(tag, dueMember(p)) }      // string, PX
func dueKey(tag string) string                 { return "due:" + tag }                    // zset of dueMember
func rosterKey(tag, mesh string) string        { return "roster:" + tag + ":" + mesh }    // hash, peer → record
func cursorKey(tag, mesh string) string        { return "cursor:" + tag + ":" + mesh }    // hash, peer → cursor
func savedKey(tag, mesh string) string         { return "saved:" + tag + ":" + mesh }     // hash, member → saved
func cleanupKey(tag string) string             { return "cleanup:" + tag }                // zset of cleanupMember
func transientKey(tag, mesh string) string     { return "transient:" + tag + ":" + mesh } // set of peers
func forgottenKey(tag, mesh string) string     { return "forgotten:" + tag + ":" + mesh } // set of peer:epoch
func leaseValue(gen, edge, conn string) string { return gen + "/" + edge + "/" + conn }
func dueMember(p Peer) string                  { return p.Mesh + ":" + p.ID }

// parseLeaseKey is the inverse of leaseKey. It reports false for any other
// key, since the channel of expired events carries every key of the database.
func parseLeaseKey(key string) (tag string, p Peer, ok bool) {
	rest, ok := strings.CutPrefix(key, "lease:")
	if !ok {
		return "", Peer{}, false
	}
	tag, rest, _ = strings.Cut(rest, ":")
	if _, ok := redis.ParsePartitionTag(tag); !ok {
		return "", Peer{}, false
	}
	p, ok = parseDueMember(rest)
	return tag, p, ok
}

// leaseOf is the lease of a member of the due index.
func leaseOf(tag, dueMember string) string { return "lease:" + tag + ":" + dueMember }

// parseDueMember is the inverse of dueMember.
func parseDueMember(member string) (Peer, bool) {
	mesh, id, ok := strings.Cut(member, ":")
	return Peer{Mesh: mesh, ID: id}, ok && isWord(mesh) && isWord(id)
}

// parseLeaseValue is the inverse of leaseValue.
func parseLeaseValue(value string) (gen, edge, conn string, ok bool) {
	parts := strings.Split(value, "/")
	if len(parts) != 3 {
		return "", "", "", false
	}
	_, ok = parseCount(parts[0])
	return parts[0], parts[1], parts[2], ok && isWord(parts[1]) && isWord(parts[2])
}

// cleanupMember names an unfinished clean-up: what p owned as of l's
// generation. Member and key are in it because the record is gone by then.
func cleanupMember(l Left) string {
	return strings.Join([]string{l.Mesh, l.ID, l.Generation, l.Member, l.Key}, ":")
}

// parseCleanupMember is the inverse of cleanupMember.
func parseCleanupMember(member string) (Left, bool) {
	f := strings.Split(member, ":")
	if len(f) != 5 {
		return Left{}, false
	}
	_, ok := parseCount(f[2])
	for _, word := range f {
		ok = ok && isWord(word)
	}
	return Left{Peer: Peer{Mesh: f[0], ID: f[1]}, Generation: f[2], Member: f[3], Key: f[4]}, ok
}

// isWord reports whether text can stand in a key, a lease value and a record
// without being taken for two.
func isWord(text string) bool {
	if text == "" {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(":/{}", c) >= 0 {
			return false
		}
	}
	return true
}
