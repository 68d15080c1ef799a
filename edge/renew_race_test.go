package edge

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/presence"
)

// TestALeaseMayBeRestoredBeforeItsPeerIsGreeted has the renewer act on a
// connection as soon as it is known, which is before it is given its token. It
// is for the race detector.
func TestALeaseMayBeRestoredBeforeItsPeerIsGreeted(t *testing.T) {
	t.Parallel()
	_, c := quietFeed(t)
	c.server.tokens = newTokenKeys([]string{strings.Repeat("k", minResumeKey)})
	c.kind, c.member.Key, c.held.Generation = presence.KindClaim, strings.Repeat("ab", 32), "1"
	c.peer.Mesh = strings.Repeat("m", 32)
	a := &admission{session: strings.Repeat("cd", 32)}
	var both sync.WaitGroup
	both.Go(func() { c.server.renewer.settle(t.Context(), c, presence.Restored, time.Now()) })
	both.Go(func() {
		if c.resumeToken(a) == "" {
			t.Error("no token")
		}
	})
	both.Wait()
}
