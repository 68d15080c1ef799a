package queue

import (
	"sync"
	"testing"
)

func TestL4_AnEpochIsTurnedOnceByAnyNumberOfEdges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.member("a1")
	alice.post("*", `{"n":1}`)
	_, before := b.journal(0, 10)
	heads := make([]Head, 8)
	var all sync.WaitGroup
	for i := range heads {
		all.Go(func() {
			var err error
			if heads[i], err = b.q.Turn(t.Context(), b.mesh, before.Epoch); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, now := b.journal(0, 10)
	if now.Epoch == before.Epoch || len(now.Epoch) != epochLen || now.Seq != before.Seq || now.ID != before.ID {
		t.Errorf("before %+v, now %+v", before, now)
	}
	for i, h := range heads {
		if h != now {
			t.Errorf("edge %d was told %+v, the head is %+v", i, h, now)
		}
	}
	for _, c := range []struct {
		name   string
		cursor Cursor
		want   bool
	}{{"before", before.Cursor(), false}, {"now", now.Cursor(), true}} {
		if ok, err := b.q.CheckCursor(t.Context(), b.mesh, c.cursor); err != nil || ok != c.want {
			t.Errorf("the place %s it is believed: %v, %v", c.name, ok, err)
		}
	}
}

func TestL4_AnEpochThatComesBackIsTurnedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.q.Turn(t.Context(), b.mesh, "gone")
	if err != nil || first.Epoch == "" || first.Seq != 0 {
		t.Fatalf("a mesh without a journal: %+v, %v", first, err)
	}
	second, err := b.q.Turn(t.Context(), b.mesh, "older", first.Epoch)
	if err != nil || second.Epoch == first.Epoch {
		t.Fatalf("turned to %+v, %v", second, err)
	}
	third, err := b.q.Turn(t.Context(), b.mesh, "older", first.Epoch)
	if err != nil || third != second {
		t.Errorf("turned to %+v, %v, want %+v", third, err, second)
	}
}
