package command

import (
	"context"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newWatch(a *app) *cobra.Command {
	return family("watch", "Hear of it when a page changes",
		"Hear of it when a page changes. The broker looks at the address every so often, and tells the session of this\n"+
			"directory; a watch ends with its session. Addresses that are not on the public internet are refused.",
		newWatchAdd(a), newWatchList(a), newWatchRemove(a))
}

type watchOptions struct {
	sharing
	mode, extract, on, label string
	every                    string
	headers                  []string
}

func newWatchAdd(a *app) *cobra.Command {
	o := &watchOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "add URL", short: "Watch an address",
		long: "Watch an address, for the session that runs in this directory. The first look is what later ones are\n" +
			"compared with. What you give here the broker sees: leave out what is secret.",
		example: "claudemesh watch add https://ci.example/b --json-path state --on match:failed",
		args:    exactly("URL"), owned: true,
		run: func(ctx context.Context, m *share.Mesh, args []string) error { return o.add(ctx, m, args[0]) },
	})
	c.Flags().StringVar(&o.mode, "mode", "", "`WHAT` is compared: hash of the page (default), status, or json")
	c.Flags().StringVar(&o.extract, "json-path", "", "compare the value at this `PATH` of a JSON page, such as build.state")
	c.Flags().StringVar(&o.on, "on", wire.WatchChange, "`WHEN` to tell: change, match:TEXT or not_match:TEXT")
	c.Flags().StringVar(&o.label, "label", "", "a `NAME` for the watch")
	c.Flags().StringVar(&o.every, "every", "30s", "how `OFTEN` to look, from 5s on")
	c.Flags().StringArrayVar(&o.headers, "header", nil, "a `HEADER: VALUE` of the request (may be repeated)")
	return c
}

func (o *watchOptions) request(url string) (*wire.Watch, error) {
	r := &wire.Watch{URL: url, Mode: wire.WatchMode(o.mode), Extract: o.extract, NotifyOn: o.on, Label: o.label}
	if o.extract != "" && o.mode == "" {
		r.Mode = wire.WatchJSON
	}
	switch {
	case r.Mode != "" && !r.Mode.Valid():
		return nil, ui.Usagef("there is no mode %q", o.mode).Hinted("--mode hash, json or status")
	case r.Mode == wire.WatchJSON && r.Extract == "":
		return nil, ui.Usagef("--mode json compares one value").Hinted("--json-path build.state")
	case o.on != wire.WatchChange && !strings.HasPrefix(o.on, wire.WatchMatch) && !strings.HasPrefix(o.on, wire.WatchNotMatch):
		return nil, ui.Usagef("--on %q is no condition", o.on).Hinted("--on change, match:TEXT or not_match:TEXT")
	}
	every, err := parseLong(o.every)
	if err != nil || every.Seconds() < wire.MinWatchInterval {
		return nil, ui.Usagef("--every %q is not 5s or more", o.every).Hinted("--every 30s, or 10m")
	}
	r.Interval = every.Seconds()
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, ui.Usagef("--header %q has no colon", h).Hinted(`--header "Accept: application/json"`)
		}
		if r.Headers == nil {
			r.Headers = make(map[string]string)
		}
		r.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return r, nil
}

type watchAnswer struct {
	ID       string         `json:"id"`
	URL      string         `json:"url"`
	Mode     wire.WatchMode `json:"mode"`
	Interval float64        `json:"interval"`
}

func (o *watchOptions) add(ctx context.Context, m *share.Mesh, url string) error {
	r, err := o.request(url)
	if err != nil {
		return err
	}
	made, err := share.Ask[*wire.WatchAck](ctx, m, r)
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(watchAnswer{made.WatchID, made.URL, made.Mode, made.Interval})
	}
	o.out.Say("the session of this directory is told; claudemesh watch remove %s ends it", ui.CleanLine(made.WatchID))
	return o.out.Line(ui.CleanLine(made.WatchID))
}

func newWatchList(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "list", short: "Show what the session watches", long: "Show what the session of this directory watches, and what was seen last.",
		example: "claudemesh watch list --json", owned: true,
		run: func(ctx context.Context, m *share.Mesh, _ []string) error { return a.watchList(ctx, m) },
	})
}

func (a *app) watchList(ctx context.Context, m *share.Mesh) error {
	answer, err := share.Ask[*wire.WatchListResult](ctx, m, &wire.WatchList{})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Watches []wire.WatchInfo `json:"watches"`
		}{notNone(answer.Watches)})
	}
	if len(answer.Watches) == 0 {
		a.out.Say("the session watches nothing; claudemesh watch add URL")
		return nil
	}
	var rows [][]string
	for _, w := range answer.Watches {
		rows = append(rows, []string{
			ui.CleanLine(w.ID), text(w.Label), string(w.Mode), strconv.FormatFloat(w.Interval, 'g', -1, 64) + "s",
			a.moment(w.LastCheck), lastSeen(w), ui.CleanLine(w.URL),
		})
	}
	return a.table([]string{"ID", "LABEL", "MODE", "EVERY", "LOOKED", "SAW", "URL"}, rows)
}

// text is what an optional text says, on one line.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return ui.CleanLine(*s)
}

func lastSeen(w wire.WatchInfo) string {
	switch {
	case w.LastError != "":
		return "failed: " + ui.CleanLine(w.LastError)
	case w.LastValue != nil:
		return text(w.LastValue)
	}
	return text(w.LastHash)
}

func newWatchRemove(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "remove ID", short: "Watch an address no longer", long: "Watch an address no longer. ID is what watch list shows.",
		example: "claudemesh watch remove 4rT2", args: exactly("ID"), owned: true,
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			ended, err := share.Ask[*wire.WatchAck](ctx, m, &wire.Unwatch{WatchID: args[0]})
			switch {
			case err != nil:
				return err
			case ended.URL == "":
				return ui.Failf("the session has no watch %q", args[0]).Hinted("claudemesh watch list shows what it watches")
			case a.out.JSON:
				return a.out.Answer(struct {
					ID  string `json:"id"`
					URL string `json:"url"`
				}{args[0], ended.URL})
			}
			a.out.Say("%s is not watched any more", ui.CleanLine(ended.URL))
			return nil
		},
	})
}
