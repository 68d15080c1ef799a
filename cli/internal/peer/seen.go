package peer

import "container/list"

// seen remembers the last so many ids. It is not safe for several goroutines.
type seen struct {
	limit int
	order *list.List // of string, oldest first
	at    map[string]*list.Element
}

func newSeen(limit int) *seen {
	return &seen{limit: limit, order: list.New(), at: make(map[string]*list.Element)}
}

// has reports whether id was added, and keeps it from being forgotten soon.
func (s *seen) has(id string) bool {
	e, ok := s.at[id]
	if ok {
		s.order.MoveToBack(e)
	}
	return ok
}

// add remembers id, at the expense of the one not met for longest.
func (s *seen) add(id string) {
	if s.has(id) {
		return
	}
	s.at[id] = s.order.PushBack(id)
	if s.order.Len() > s.limit {
		oldest := s.order.Front()
		s.order.Remove(oldest)
		delete(s.at, oldest.Value.(string))
	}
}
