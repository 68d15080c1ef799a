package commons_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// A member sends a message of its own under the client id that its scheduled
// message will have, so that the job would fail for a day.
func TestAScheduleWhoseIDIsTakenIsGivenUpAndNotTriedForEver(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	id := schedule(ana, bob.Key(), "x", time.Second)
	ana.Send(bob.Key(), "mine", func(s *wire.Send) {
		s.ClientMessageID, s.RequestFingerprint = "schedule-"+id+"-0", "f"
	})
	var failed wire.ScheduleFailure
	if err := json.Unmarshal(ana.Event(wire.EventScheduleFailed).EventData, &failed); err != nil || failed.ScheduledID != id {
		t.Errorf("told: %+v %v", failed, err)
	}
	if l := ask[*wire.ScheduledList](ana, &wire.ListScheduled{ReqID: reqID()}).Messages; len(l) != 0 {
		t.Errorf("still scheduled: %+v", l)
	}
}

// Each webhook has a limit, but a member may make a hundred of them.
func TestAMembersManyWebhooksAreNoWayAroundTheLimitOfWhatItSends(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	hooks := make([]*wire.WebhookAck, 10)
	for i := range hooks {
		hooks[i] = newWebhook(ana, fmt.Sprint("h", i))
	}
	storm(t, 250, 60, 180, func(i int) int {
		status, _ := call(t, e, "", "POST", webhookPath(hooks[i%len(hooks)]), `{}`)
		return status
	})
}

// storm makes n calls, several at once, of which no more may be granted than
// the bucket held and what has run into it meanwhile: how fast the machine is
// does not matter.
func storm(t *testing.T, n, burst, perMinute int, try func(i int) int) {
	t.Helper()
	var granted, refused atomic.Int32
	var all errgroup.Group
	all.SetLimit(8)
	begun := time.Now()
	for i := range n {
		all.Go(func() error {
			switch status := try(i); status {
			case http.StatusOK:
				granted.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
			default:
				return fmt.Errorf("call %d: %d", i, status)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	most := burst + int(time.Since(begun).Minutes()*float64(perMinute)) + 1
	if got := int(granted.Load()); got > most || got < min(n, burst) {
		t.Errorf("granted %d of %d calls, refused %d; at least %d, at most %d may be", got, n, refused.Load(), min(n, burst), most)
	}
}
