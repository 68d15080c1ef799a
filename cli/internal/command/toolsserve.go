package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/toolhost"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

type toolsServeOptions struct {
	*app
	name  string
	about string
}

func newToolsServe(a *app) *cobra.Command {
	o := &toolsServeOptions{app: a}
	c := &cobra.Command{
		Use: "serve NAME -- PROGRAM [ARGUMENT...]", Short: "Offer the tools of an MCP server to the mesh",
		Long: "Offer the tools of an MCP server to the mesh, until Ctrl-C. PROGRAM is the server, spoken to over stdin and\n" +
			"stdout. Every member can use every tool of it, with what arguments they like: offer only what they may do.",
		Example: "  claudemesh tools serve notes -- npx -y some-mcp-server ./notes",
		Args: func(c *cobra.Command, args []string) error {
			if at := c.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return ui.Usagef("NAME, and behind -- the program, are missing").Hinted("%s", c.UseLine())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return o.run(c.Context(), args[1:])
		},
	}
	c.Flags().StringVar(&o.about, "description", "", "what the tools are for, in `WORDS` (default what the server says)")
	return c
}

// toolServer is a server that is offered, over one connection.
type toolServer struct {
	*toolsServeOptions
	host   *toolhost.Host
	client *peer.Client
	calls  chan *wire.MCPCallForward
}

func (o *toolsServeOptions) run(ctx context.Context, program []string) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	host, err := toolhost.Start(ctx, thisVersion(o.env.Version).Version, program, o.env.Dir, o.env.Stderr)
	if err != nil {
		return ui.Failf("%s is no MCP server that starts: %s", program[0], ui.CleanLine(err.Error())).
			Hinted("try it by itself; it has to speak over stdin and stdout")
	}
	defer host.Close()
	s := &toolServer{toolsServeOptions: o, host: host, calls: make(chan *wire.MCPCallForward, maxAsked)}
	options, err := m.options(wire.About{SessionID: "once-" + wire.NewID(wire.ShortID), Cwd: o.env.Dir, Transient: true})
	if err != nil {
		return err
	}
	greeted := make(chan struct{}, 1)
	options.Greeted = func(*wire.HelloAck) { signalTo(greeted) }
	options.Frame = func(_ context.Context, frame wire.Message) error {
		if call, ok := frame.(*wire.MCPCallForward); ok {
			select {
			case s.calls <- call:
			default: // it times out
			}
		}
		return nil
	}
	options.Retry = o.retrying(plainWords)
	s.client = peer.New(options)
	return s.serve(ctx, greeted)
}

// serve runs until ctx ends, or the server does.
func (s *toolServer) serve(ctx context.Context, greeted <-chan struct{}) error {
	g, side := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.client.Run(side); err != nil {
			return err
		}
		return errEnded
	})
	g.Go(func() error {
		ended := make(chan error, 1)
		go func() { ended <- s.host.Wait() }()
		select {
		case <-side.Done():
			_ = s.host.Close() // its end is what we wait for next
			<-ended
			return nil
		case <-ended:
			return ui.Failf("the MCP server has ended").Hinted("its own words, if any, stand above")
		}
	})
	g.Go(func() error { return s.register(side, greeted) })
	g.Go(func() error { return s.answer(side) })
	if err := g.Wait(); err != nil && context.Cause(ctx) == nil && !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

// register offers the tools on each connection: with the last one's lease the
// offer may have ended.
func (s *toolServer) register(ctx context.Context, greeted <-chan struct{}) error {
	r := &wire.MCPRegister{ServerName: s.name, Description: cmp.Or(s.about, s.host.About(), s.name), Tools: s.host.Tools()}
	for said := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-greeted:
		}
		ack, err := share.Ask[*wire.MCPRegisterAck](ctx, s.client, r)
		switch {
		case err != nil && (gone(err) || ctx.Err() != nil):
			continue // the next connection says so again
		case err != nil:
			return err
		case said:
			continue
		}
		said = true
		if s.out.JSON {
			err = s.out.Answer(struct {
				Event  string `json:"event"`
				Server string `json:"server"`
				Tools  int    `json:"tools"`
			}{"ready", ack.ServerName, ack.ToolCount})
		} else {
			s.out.Say("every member can use %s of %s; Ctrl-C ends that", offered(ack.ToolCount), ui.CleanLine(ack.ServerName))
		}
		if err != nil {
			return err
		}
	}
}

// answer answers calls, several at a time.
func (s *toolServer) answer(ctx context.Context) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case call := <-s.calls:
			calls.Go(func() { s.answerOne(ctx, call) })
		}
	}
}

func (s *toolServer) answerOne(ctx context.Context, call *wire.MCPCallForward) {
	if call.ServerName != s.name {
		return
	}
	s.out.Say("%s uses %s", ui.CleanLine(call.CallerName), ui.CleanLine(call.ToolName))
	out := &wire.MCPCallResponse{CallID: call.CallID}
	result, err := s.host.Call(ctx, call.ToolName, call.Args)
	if err != nil {
		out.Error = ui.Cut(plainWords(err), 1000)
	} else {
		out.Result = json.RawMessage(result)
	}
	_ = s.client.Respond(ctx, out) // a lost connection loses the answer, and the caller is told
}
