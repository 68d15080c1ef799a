package edge

import "testing"

func TestOneListHoweverLongLeavesAPeerRequests(t *testing.T) {
	t.Parallel()
	l := newFrameLimit(1e-6)
	for range 2 {
		if !l.allow() {
			t.Error("it may not ask for a list")
		}
		l.charge(1 << 30)
	}
	if l.allow() {
		t.Error("long lists count for nothing")
	}
}
