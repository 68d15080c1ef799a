package command

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newStream(a *app) *cobra.Command {
	return family("stream", "Publish data to whoever listens now",
		"Publish data to whoever listens now. Nothing is kept: for what others should find later there are topics and\n"+
			"the state.",
		newStreamCreate(a), newStreamList(a), newStreamPublish(a), newStreamListen(a))
}

func newStreamCreate(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "create NAME", short: "Make a stream known",
		long:    "Make a stream known, so that others see it in the list. Publishing and listening need no more than a name.",
		example: "claudemesh stream create builds", args: exactly("NAME"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			made, err := share.Ask[*wire.StreamCreated](ctx, m, &wire.CreateStream{Name: args[0]})
			if err != nil {
				return err
			}
			if a.out.JSON {
				return a.out.Answer(streamAnswer{ID: made.ID, Name: made.Name})
			}
			return a.out.Line(made.ID)
		},
	})
}

type streamAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newStreamList(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "list", short: "Show the streams, and how many listen",
		long:    "Show the streams that were made known, and how many listen to each.",
		example: "claudemesh stream list --json",
		run:     func(ctx context.Context, m *share.Mesh, _ []string) error { return a.streamList(ctx, m) },
	})
}

func (a *app) streamList(ctx context.Context, m *share.Mesh) error {
	answer, err := share.Ask[*wire.StreamList](ctx, m, &wire.ListStreams{})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Streams []wire.Stream `json:"streams"`
		}{notNone(answer.Streams)})
	}
	if len(answer.Streams) == 0 {
		a.out.Say("no stream was made known yet; claudemesh stream create NAME")
		return nil
	}
	var rows [][]string
	for _, s := range answer.Streams {
		rows = append(rows, []string{
			ui.CleanLine(s.Name), strconv.Itoa(s.SubscriberCount), ui.CleanLine(s.CreatedBy), a.when(s.CreatedAt.Time),
		})
	}
	return a.table([]string{"STREAM", "LISTEN", "BY", "SINCE"}, rows)
}

// notNone makes an absent list an empty one, which programs can walk over.
func notNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func newStreamPublish(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "publish STREAM DATA", short: "Give data to who listens now",
		long: "Give data to who listens now. DATA is JSON, or else a text; with - it is read from stdin. It is sealed for\n" +
			"the members before it leaves.",
		example: `claudemesh stream publish builds '{"ok":true}'`, args: exactly("STREAM", "DATA"), writes: true,
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			data, err := o.streamData(args[1])
			if err != nil {
				return err
			}
			if err := m.Publish(ctx, args[0], data); err != nil {
				return err
			}
			if !a.out.JSON {
				return nil
			}
			return a.out.Answer(struct {
				Stream string `json:"stream"`
				Sealed bool   `json:"sealed"`
			}{args[0], !m.Clear})
		},
	})
}

// streamData reads what is published: JSON, or a text.
func (o *sharing) streamData(typed string) (json.RawMessage, error) {
	if typed == "-" {
		data, err := io.ReadAll(io.LimitReader(o.env.Stdin, wire.MaxStreamData+1))
		if err != nil {
			return nil, ui.Failf("cannot read stdin: %v", err)
		}
		typed = strings.TrimSuffix(string(data), "\n")
	}
	if json.Valid([]byte(typed)) {
		return json.RawMessage(typed), nil
	}
	return json.Marshal(typed)
}

type streamListenOptions struct {
	*app
	streams []string
}

func newStreamListen(a *app) *cobra.Command {
	o := &streamListenOptions{app: a}
	return &cobra.Command{
		Use: "listen STREAM...", Short: "Show what is published, as it is published",
		Long: "Show what is published, as it is published, until Ctrl-C. It listens as the member and unseen; what the\n" +
			"connection misses while it is away is lost. With --json each line is an object, the first has event \"ready\".",
		Example: "  claudemesh stream listen builds --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly("STREAM")(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.streams = args
			return o.run(c.Context())
		},
	}
}

func (o *streamListenOptions) run(ctx context.Context) error {
	said := false
	return o.hear(ctx, hearing{
		frame: func(m *share.Mesh, frame wire.Message) error {
			if d, ok := frame.(*wire.StreamData); ok {
				return o.showData(m, d)
			}
			return nil
		},
		// On each connection: the last one's lease may be over.
		greeted: func(ctx context.Context, m *share.Mesh) error {
			for _, name := range o.streams {
				if _, err := share.Ask[*wire.Subscribed](ctx, m, &wire.Subscribe{Stream: name}); err != nil {
					return err
				}
			}
			if said {
				return nil
			}
			said = true
			return o.sayListening()
		},
	})
}

func (o *streamListenOptions) sayListening() error {
	if o.out.JSON {
		return o.out.Answer(struct {
			Event   string   `json:"event"`
			Streams []string `json:"streams"`
		}{"ready", o.streams})
	}
	o.out.Say("listening to %s; Ctrl-C ends", strings.Join(o.streams, ", "))
	return nil
}

type streamLine struct {
	Event       string          `json:"event"` // stream_data
	Stream      string          `json:"stream"`
	Data        json.RawMessage `json:"data"`
	PublishedBy string          `json:"publishedBy"`
	share.Origin
}

func (o *streamListenOptions) showData(m *share.Mesh, d *wire.StreamData) error {
	data, origin := m.OpenStream(d)
	if o.out.JSON {
		return o.out.Answer(streamLine{"stream_data", d.Stream, data, d.PublishedBy, origin})
	}
	what := ui.Clean(string(data))
	if origin.Problem != "" {
		what = "(data that could not be opened: " + origin.Problem + ")"
	}
	who := ui.CleanLine(d.PublishedBy)
	if !origin.Sealed {
		who += " (unverified)"
	}
	if !o.out.Terminal() {
		return o.out.Line(stamp(time.Now()), ui.CleanLine(d.Stream), who, what)
	}
	return o.out.Line(o.out.Dim(time.Now().Format("15:04:05")), o.out.Bold(ui.CleanLine(d.Stream))+" "+who, indent(what))
}
