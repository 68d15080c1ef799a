package commons

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/time/rate"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
)

func TestAttackAMemberCannotHaveTheEdgeReadWithoutEnd(t *testing.T) {
	t.Parallel()
	s := &Commons{budgets: &budgets{of: map[string]*rate.Limiter{}}}
	read := func(member string, frame wire.Type) (spend func(), err error) {
		who := &Caller{Peer: presence.Peer{Mesh: "m"}, Member: registry.Member{Key: member}}
		ctx, spend, err := s.metered(t.Context(), who, frame)
		if err == nil {
			meter(ctx, map[string]string{"field": strings.Repeat("x", readBurst)})
		}
		return spend, err
	}
	first, err := read("ana", wire.TypeRecall)
	second, err2 := read("ana", wire.TypeListTasks)
	if err != nil || err2 != nil {
		t.Fatal("refused before anything was spent", err, err2)
	}
	first()
	second() // twice what there was: eight seconds' worth
	if _, err := read("ana", wire.TypeListState); !errors.Is(err, errTooFast) {
		t.Errorf("a spent budget answers %v", err)
	}
	if _, err := read("bob", wire.TypeRecall); err != nil {
		t.Errorf("others suffer: %v", err)
	}
	if _, err := read("ana", wire.TypeSetState); err != nil {
		t.Errorf("what reads nothing suffers: %v", err)
	}
}
