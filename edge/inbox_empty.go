package edge

import "context"

// skipEmpty takes the lanes of fresh inboxes for read if nothing waits in any:
// one question instead of one a lane, for nearly everybody who comes.
func (c *conn) skipEmpty(ctx context.Context) error {
	looked := c.box.fresh()
	if len(looked) == 0 {
		return nil
	}
	keys := make([]string, 0, len(looked))
	for _, x := range looked {
		keys = append(keys, x.key)
	}
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	empty, err := c.server.queue.Empty(ctx, c.peer.Mesh, keys)
	if err == nil && empty {
		c.box.took(looked)
	}
	return err
}

// freshInbox is an inbox that was never looked into, and how often its lanes
// had been rung for when somebody was about to.
type freshInbox struct {
	index int
	key   string
	rings []int
}

// fresh lists the inboxes that this connection reads and has not looked into.
func (b *box) fresh() (out []freshInbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.inboxes {
		x := &b.inboxes[i]
		f := freshInbox{index: i, key: x.key}
		for _, l := range x.lanes {
			if x.best && l.stale && l.after == 0 {
				f.rings = append(f.rings, l.rings)
			}
		}
		if len(x.lanes) > 0 && len(f.rings) == len(x.lanes) {
			out = append(out, f)
		}
	}
	return out
}

// took marks what was looked into, but for the lanes rung for meanwhile.
func (b *box) took(looked []freshInbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range looked {
		lanes := b.inboxes[f.index].lanes
		for j := range lanes {
			if lanes[j].rings == f.rings[j] {
				lanes[j].stale = false
			}
		}
	}
}
