package commons_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

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
	for i := range 250 {
		status, body := call(t, e, "", "POST", webhookPath(hooks[i%len(hooks)]), `{}`)
		if status == http.StatusTooManyRequests {
			return
		}
		if status != http.StatusOK {
			t.Fatal(status, body)
		}
	}
	t.Error("250 calls of ten webhooks, and none was refused")
}
