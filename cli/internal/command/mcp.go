package command

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/mcp"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

const (
	toolPatience = 10 * time.Second // a model should not wait longer for a broker
	maxSameDir   = 9                // servers of one directory without a name

	relayPatience = 40 * time.Second // for another peer, which the broker gives 30 seconds
)

// EnvChannel, if 1, says that the client takes whole messages as notifications.
const EnvChannel = "CLAUDEMESH_CHANNEL"

type mcpOptions struct {
	*app
	session string
	name    string
	groups  []string
	share   string
	channel bool
}

func newMCP(a *app) *cobra.Command {
	o := &mcpOptions{app: a}
	c := &cobra.Command{
		Use:   "mcp",
		Short: "Be the MCP server of an agent, and its presence in the mesh",
		Long: "Be the MCP server of an agent, over stdin and stdout, and its presence in the mesh. Programs start this;\n" +
			"claudemesh install registers it.\n\n" +
			"The session is named by --session, by the program around it, or by the directory; a server that comes back\n" +
			"under the same name is the same peer. When the client closes stdin the agent has ended, and others see it\n" +
			"leave at once; what is sent to it waits. SIGTERM keeps its place for 90 seconds, for who restarts it.\n\n" +
			"--channel (or " + EnvChannel + "=1) hands arriving messages to clients that listen to channel notifications\n" +
			"and do not declare it; without it they are told that messages wait.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	addSessionFlag(c, &o.session)
	c.Flags().StringVar(&o.name, "name", "", "the `NAME` that others see (default the member's)")
	c.Flags().StringSliceVar(&o.groups, "group", nil, "be in this `GROUP` (may be repeated; default the member's groups)")
	addShareFlag(c, &o.share)
	c.Flags().BoolVar(&o.channel, "channel", false, "the client listens to channel notifications")
	return c
}

func (o *mcpOptions) run(ctx context.Context) error {
	around, err := launchedIn(o.env.Getenv)
	if err != nil {
		return err
	}
	if len(o.groups) > 0 {
		if around.Groups, err = (&listenOptions{app: o.app, groups: o.groups}).parseGroups(); err != nil {
			return err
		}
	}
	m, err := o.chosen()
	if err != nil {
		return err
	}
	h, err := o.open(m)
	if err != nil {
		return err
	}
	defer h.close()
	answers, err := h.newAnswerer(o.share)
	if err != nil {
		return err
	}
	defer answers.close()
	if h.client, err = o.connect(h, around, answers); err != nil {
		return err
	}
	server, err := h.serve()
	if err != nil {
		return err
	}
	return h.run(ctx, server, answers.run, func(ctx context.Context) error { return o.converse(ctx, h) },
		func(ctx context.Context) error { return tellRole(ctx, h.client, around.Role) })
}

// open takes the session. Where nobody has named it, several agents in one
// directory are several peers.
func (o *mcpOptions) open(m *membership) (*host, error) {
	ids := o.sessionIDs(o.session)
	h, err := o.openHost(m, ids[0])
	if len(ids) > 1 || o.session != "" {
		return h, err
	}
	for n := 2; errors.Is(err, identity.ErrHeld) && n <= maxSameDir; n++ {
		h, err = o.openHost(m, identity.SessionID(o.env.Dir, "#"+strconv.Itoa(n)))
	}
	return h, err
}

// connect prepares the session's client. Process and directory are those of the
// agent, whose hooks report by them.
func (o *mcpOptions) connect(h *host, around launched, answers *answerer) (*peer.Client, error) {
	mesh, err := h.m.sharedMesh(nil) // it opens, and asks nothing
	if err != nil {
		return nil, err
	}
	options, err := h.options(wire.About{
		DisplayName: cmp.Or(ui.CleanLine(o.name), around.Name), PeerType: "ai", Groups: around.Groups,
		Cwd: cmp.Or(o.env.Getenv("CLAUDE_PROJECT_DIR"), o.env.Dir),
	}, func(ctx context.Context, d peer.Delivery) error { return o.hear(ctx, h, d) })
	if err != nil {
		return nil, err
	}
	options.About.PID, options.About.Channel = wire.PID(os.Getppid()), "claudemesh-mcp"
	options.About.WhileWorking = true // the mailbox keeps it for the next tool result
	options.Frame = func(ctx context.Context, frame wire.Message) error {
		if d, ok := frame.(*wire.StreamData); ok {
			return h.hearStream(ctx, mesh, d)
		}
		answers.hear(frame)
		return nil
	}
	return peer.New(options), nil
}

// hear keeps events for the agent that it has asked for; list_peers shows who
// came and went.
func (o *mcpOptions) hear(ctx context.Context, h *host, d peer.Delivery) error {
	if d.Event == wire.EventResync {
		o.out.Say("some broadcasts of the time away are lost")
	}
	m, wanted := noticeFor(d)
	if !wanted {
		return nil
	}
	_, err := h.box.Add(ctx, m)
	return err
}

// converse serves the agent until it has ended.
func (o *mcpOptions) converse(ctx context.Context, h *host) error {
	server := mcp.New(mcp.Options{
		Session: tools{h}, Mail: h.box, Version: thisVersion(o.env.Version).Version, Channel: o.channel || o.env.Getenv(EnvChannel) == "1",
		Explain: func(err error) (string, string) {
			r := h.refusal(err)
			return r.Message, toolHint(r.Hint)
		},
		Log: slog.New(slog.NewTextHandler(o.env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	in, ok := o.env.Stdin.(io.ReadCloser)
	if !ok {
		in = io.NopCloser(o.env.Stdin)
	}
	if err := server.Run(ctx, &sdk.IOTransport{Reader: in, Writer: keepOpen{o.env.Stdout}}); err != nil {
		return err
	}
	return errEnded
}

// toolHint turns a hint of the program into one of its tools. What no tool does
// is for the user: a model may have no shell.
func toolHint(hint string) string {
	hint = toolWords.Replace(hint)
	if strings.Contains(hint, "claudemesh ") || strings.Contains(hint, "--") {
		return "for your user: " + hint
	}
	return hint
}

// toolWords are what a model has in the place of what a person types.
var toolWords = strings.NewReplacer(
	"claudemesh send NAME TEXT; ", "", "TEXT says what to send; - reads it from stdin", "message says what to send",
	"claudemesh outbox --all lists yours; give 8 characters of an id or more", "give the id that send_message returned",
	"is the broker running, and its address right? claudemesh list shows it", "it is tried again by itself; if it stays away, tell your user",
	"claudemesh peers --json", "list_peers", "claudemesh peers", "list_peers", "claudemesh message-status", "message_status",
	"claudemesh state list", "list_state", "claudemesh task list", "list_tasks", "claudemesh skill list", "list_skills",
	"claudemesh vault list", "vault_list", "claudemesh recall", "recall", ", or leave --clear out", "",
	"claudemesh topic list", "list_topics", "topic join", "topic_join", "claudemesh tools list", "mcp_list",
	"claudemesh file list PEER", "peer_file_list", "claudemesh clock set SPEED", "set_clock", "--clear", "clear",
	"claudemesh topic create NAME", "topic_create",
	"invite revoke, forget, state delete, skill remove, task complete", "forget, delete_state, remove_skill, complete_task",
	"--priority now, next or low", "priority is now, next or low",
)

// keepOpen is a writer that others may close without effect.
type keepOpen struct{ io.Writer }

// Close implements io.Closer.
func (keepOpen) Close() error { return nil }

// tellRole says what part the agent plays, once it is here.
func tellRole(ctx context.Context, c *peer.Client, role string) error {
	if role == "" {
		return nil
	}
	if _, err := c.Admitted(ctx); err == nil {
		_ = c.SetTitle(ctx, role) // for others to see; nothing depends on it
	}
	return nil
}

// tools implements mcp.Session.
type tools struct{ h *host }

func (t tools) Key() string    { return t.h.client.Pubkey() }
func (t tools) Member() string { return t.h.m.mesh.PublicKey }

func (t tools) Peers(ctx context.Context) (peers []wire.PeerInfo, err error) {
	err = t.do(ctx, func(ctx context.Context) error {
		peers, err = t.h.client.ListPeers(ctx)
		return err
	})
	return peers, err
}

func (t tools) Send(ctx context.Context, m mcp.Outgoing) (mcp.Sent, error) {
	d := draft{Target: m.To, Text: m.Text, Priority: m.Priority, ReplyTo: m.ReplyTo, Clear: m.Clear}
	if err := d.check(); err != nil {
		return mcp.Sent{}, err
	}
	e, err := t.h.post(ctx, d)
	if err != nil && e.State != outbox.Waiting {
		return mcp.Sent{}, err
	}
	sent := mcp.Sent{ID: e.ID, MessageID: e.MessageID, To: cmp.Or(e.To, e.Typed), Name: e.Name, Stored: e.State == outbox.Stored}
	if err != nil {
		sent.Waits = t.h.refusal(err).Message
	}
	return sent, nil
}

func (t tools) Status(ctx context.Context, id string) (mcp.Status, error) {
	var s messageState
	err := t.do(ctx, func(ctx context.Context) (err error) {
		s, err = t.h.messageStatus(ctx, id)
		return err
	})
	return mcp.Status{
		ID: cmp.Or(s.MessageID, s.ID), Target: s.Target, State: s.State, Reason: s.Reason, Broker: s.Broker,
		StoredAt: s.StoredAt, DeliveredAt: s.DeliveredAt, SurfacedAt: s.SurfacedAt,
	}, err
}

func (t tools) SetSummary(ctx context.Context, summary string) error {
	return t.do(ctx, func(ctx context.Context) error { return t.h.setSummary(ctx, summary) })
}

func (t tools) SetStatus(ctx context.Context, s wire.Status) error {
	return t.do(ctx, func(ctx context.Context) error { return t.h.setStatus(ctx, s) })
}

func (t tools) JoinGroup(ctx context.Context, name, role string) error {
	return t.do(ctx, func(ctx context.Context) error { return t.h.client.JoinGroup(ctx, name, role) })
}

func (t tools) LeaveGroup(ctx context.Context, name string) error {
	return t.do(ctx, func(ctx context.Context) error { return t.h.client.LeaveGroup(ctx, name) })
}

func (t tools) do(ctx context.Context, f func(context.Context) error) error {
	return t.h.patiently(ctx, toolPatience, f)
}

// patiently calls f, for as long as a model should wait: not at all for a broker
// that cannot be reached.
func (h *host) patiently(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, hangUp := h.reach.while(ctx)
	defer hangUp()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return h.reach.why(f(ctx))
}

// Shared implements mcp.Session.
func (t tools) Shared() (*share.Mesh, error) { return t.h.m.sharedMesh(patient(t)) }

// patient asks for as long as a model should wait.
type patient struct{ h *host }

// Ask implements share.Asker.
func (p patient) Ask(ctx context.Context, r wire.Request) (answer wire.Message, err error) {
	limit := toolPatience
	if peer.Relayed(r) {
		limit = relayPatience
	}
	err = p.h.patiently(ctx, limit, func(ctx context.Context) error {
		answer, err = p.h.client.Ask(ctx, r)
		return err
	})
	return answer, err
}
