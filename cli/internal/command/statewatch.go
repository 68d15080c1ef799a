package command

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// stateWatcher shows values as they change. What changed while it was not
// connected it finds out by comparing.
type stateWatcher struct {
	*app
	keys []string // none: all

	mu    sync.Mutex
	known map[string]wire.StateEntry // as they were shown last; nil before the first look
	heard map[string]bool            // what has changed on this connection: newer than any look at it
}

func newStateWatch(a *app) *cobra.Command {
	o := &stateWatcher{app: a}
	return &cobra.Command{
		Use: "watch [KEY...]", Short: "Show values as they change",
		Long: "Show values as they change, until Ctrl-C: all, or those of some keys. It watches as the member and unseen. What\n" +
			"changed while the connection was away is shown when it is back, the last value of each. With --json each line\n" +
			"is an object, the first has event \"ready\".",
		Example: "  claudemesh state watch deploy/frozen --json",
		RunE: func(c *cobra.Command, args []string) error {
			o.keys = args
			return o.run(c.Context())
		},
	}
}

func (o *stateWatcher) run(ctx context.Context) error {
	return o.hear(ctx, hearing{
		connected: func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.heard = map[string]bool{}
		},
		frame: func(m *share.Mesh, frame wire.Message) error {
			if c, ok := frame.(*wire.StateChange); ok && o.watches(c.Key) {
				return o.changed(m, c)
			}
			return nil
		},
		greeted: o.look,
	})
}

// watches leaves out contexts, which are announced as if they were state.
func (o *stateWatcher) watches(key string) bool {
	if len(o.keys) > 0 {
		return slices.Contains(o.keys, key)
	}
	return !strings.HasPrefix(key, wire.ContextKey(""))
}

func (o *stateWatcher) changed(m *share.Mesh, c *wire.StateChange) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard[c.Key] = true
	return o.show(m, wire.StateEntry{Key: c.Key, Value: c.Value, UpdatedBy: c.UpdatedBy, UpdatedAt: wire.At(time.Now())})
}

// look compares what there is with what was shown.
func (o *stateWatcher) look(ctx context.Context, m *share.Mesh) error {
	list, err := share.Ask[*wire.StateList](ctx, m, &wire.ListState{})
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil {
		o.known = map[string]wire.StateEntry{}
		for _, e := range list.Entries {
			if !o.heard[e.Key] {
				o.known[e.Key] = e
			}
		}
		return o.sayWatching()
	}
	missing := make(map[string]bool, len(o.known))
	for key := range o.known {
		missing[key] = true
	}
	for _, e := range list.Entries {
		delete(missing, e.Key)
		was, known := o.known[e.Key]
		if !o.watches(e.Key) || o.heard[e.Key] || known && bytes.Equal(was.Value, e.Value) {
			continue
		}
		if err := o.show(m, e); err != nil {
			return err
		}
	}
	for key := range missing {
		if !o.watches(key) || o.heard[key] || isNull(o.known[key].Value) {
			continue
		}
		if err := o.show(m, wire.StateEntry{Key: key, Value: json.RawMessage("null"), UpdatedAt: wire.At(time.Now())}); err != nil {
			return err
		}
	}
	return nil
}

func isNull(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

func (o *stateWatcher) sayWatching() error {
	if o.out.JSON {
		return o.out.Answer(struct {
			Event string   `json:"event"`
			Keys  []string `json:"keys"`
		}{"ready", notNone(o.keys)})
	}
	what := "all values"
	if len(o.keys) > 0 {
		what = strings.Join(o.keys, ", ")
	}
	o.out.Say("watching %s; Ctrl-C ends", ui.CleanLine(what))
	return nil
}

// stateLine is a change for programs.
type stateLine struct {
	Event   string `json:"event"`
	Removed bool   `json:"removed,omitempty"`
	share.Value
}

func (o *stateWatcher) show(m *share.Mesh, e wire.StateEntry) error {
	if o.known != nil {
		o.known[e.Key] = e
	}
	removed := isNull(e.Value)
	v := m.OpenState(e)
	if o.out.JSON {
		return o.out.Answer(stateLine{"state_change", removed, v})
	}
	what := shown(words(v.Value), v.Origin)
	if removed {
		what = "(removed)"
	}
	who := ui.CleanLine(v.By)
	if !v.Sealed && !removed {
		who += " (unverified)"
	}
	if !o.out.Terminal() {
		return o.out.Line(o.when(v.At), ui.CleanLine(v.Key), who, what)
	}
	return o.out.Line(o.out.Dim(v.At.Local().Format("15:04:05")), o.out.Bold(ui.CleanLine(v.Key))+" "+who, indent(what))
}
