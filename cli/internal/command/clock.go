package command

import (
	"context"
	"strconv"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newClock(a *app) *cobra.Command {
	return family("clock", "Show and set the mesh's clock, for simulations",
		"Show and set the mesh's clock, for simulations. A mesh has one clock or none. Each tick moves its time by a\n"+
			"minute, and is told to everybody; at speed 1 there is one a minute, at speed 60 one a second. The clock\n"+
			"stops when the last peer leaves. claudemesh listen --ticks shows the ticks.",
		newClockShow(a), newClockSet(a),
		newClockVerb(a, "pause", "Stop the clock for a while", &wire.PauseClock{}),
		newClockVerb(a, "resume", "Have the clock run on", &wire.ResumeClock{}))
}

func newClockShow(a *app) *cobra.Command {
	return newClockVerb(a, "show", "Show what the clock says", &wire.GetClock{})
}

// newClockVerb makes a verb that asks for one thing and shows the clock.
func newClockVerb(a *app, name, short string, r wire.Request) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: name, short: short, long: short + ".", example: "claudemesh clock " + name,
		run: func(ctx context.Context, m *share.Mesh, _ []string) error { return a.clock(ctx, m, r) },
	})
}

func newClockSet(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "set SPEED", short: "Start the clock, or change its speed",
		long:    "Start the clock, or change its speed. SPEED is from 1 to 100 times that of real time.",
		example: "claudemesh clock set 60", args: exactly("SPEED"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			speed, err := parseSpeed(args[0])
			if err != nil {
				return err
			}
			return a.clock(ctx, m, &wire.SetClock{Speed: speed})
		},
	})
}

// parseSpeed refuses what a broker would quietly bring into its bounds.
func parseSpeed(typed string) (wire.Speed, error) {
	f, err := strconv.ParseFloat(typed, 64)
	if speed := wire.Speed(f); err == nil && speed == speed.Clamp() {
		return speed, nil
	}
	return 0, ui.Usagef("SPEED %q is not from %v to %v", typed, float64(wire.MinSpeed), float64(wire.MaxSpeed)).
		Hinted("claudemesh clock pause stops the clock")
}

type clockAnswer struct {
	Running   bool             `json:"running"`
	Speed     wire.Speed       `json:"speed"`
	Paused    bool             `json:"paused"`
	Tick      int64            `json:"tick"`
	SimTime   wire.TimeOrEmpty `json:"simTime"`
	StartedAt wire.TimeOrEmpty `json:"startedAt"`
}

func (a *app) clock(ctx context.Context, m *share.Mesh, r wire.Request) error {
	c, err := share.Ask[*wire.ClockStatus](ctx, m, r)
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(clockAnswer{c.Speed > 0 && !c.Paused, c.Speed, c.Paused, c.Tick, c.SimTime, c.StartedAt})
	}
	if c.Speed == 0 {
		a.out.Say("this mesh has no clock; claudemesh clock set SPEED starts one")
		return nil
	}
	state := "runs"
	if c.Paused {
		state = "paused"
	}
	return a.out.Facts([][2]string{
		{"state", state},
		{"speed", strconv.FormatFloat(float64(c.Speed), 'g', -1, 64)},
		{"tick", strconv.FormatInt(c.Tick, 10)},
		{"time", a.when(c.SimTime.Time.Time)},
		{"started", a.when(c.StartedAt.Time.Time)},
	})
}
