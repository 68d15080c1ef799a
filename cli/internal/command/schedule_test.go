package command

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 24, 17, 30, 0, 0, time.FixedZone("here", 3600))
	for typed, want := range map[string]string{
		"18:00":                "2026-12-24T18:00:00+01:00",
		"17:30":                "2026-12-25T17:30:00+01:00",
		"2026-12-31 23:59":     "2026-12-31T23:59:00+01:00",
		"2026-12-31T23:59":     "2026-12-31T23:59:00+01:00",
		"2026-12-24T17:00:00Z": "2026-12-24T17:00:00Z",
	} {
		if at, err := parseMoment(typed, now); err != nil || at.Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", typed, at, err)
		}
	}
	for _, typed := range []string{"", "tomorrow", "25:00", "2026-12-24 17:29", "18"} {
		if at, err := parseMoment(typed, now); err == nil {
			t.Errorf("%q: %v", typed, at)
		}
	}
}

func TestExactlyOneFlagSaysWhen(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for _, o := range []scheduleOptions{{}, {in: "1m", at: "18:00"}, {in: "1m", cron: "* * * * *"}, {in: "-1m"}, {in: "soon"}} {
		if at, err := o.when(now); err == nil {
			t.Errorf("%+v: %v", o, at)
		}
	}
	if at, err := (&scheduleOptions{in: "2m"}).when(now); err != nil || at != wire.MillisAt(now.Add(2*time.Minute)) {
		t.Errorf("%v, %v", at, err)
	}
}
