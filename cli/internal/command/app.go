package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

// Variables that the program reads, beside those of package identity.
const (
	EnvBrokerURL     = "CLAUDEMESH_BROKER_URL"
	defaultBrokerURL = "ws://127.0.0.1:7900/ws"
)

// Env is the world as a command sees it.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Dir            string // absolute working directory
	Version        string // that the release was given; empty for other builds
}

// FromOS returns the world of this process.
func FromOS() Env {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/" // gone under our feet; its session is lost with it
	}
	return Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Dir: dir,
	}
}

// Signals returns a context that ends with a signal: an interrupt is a person
// who leaves, a SIGTERM is a supervisor who may start us again, so the peer's
// place is kept. A second signal kills.
func Signals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-ctx.Done():
		case s := <-signals:
			signal.Stop(signals)
			if s == syscall.SIGTERM {
				cancel(peer.ErrKeepPlace)
			}
			cancel(errInterrupted)
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

var errInterrupted = errors.New("interrupted")

// app is what the verbs share.
type app struct {
	env   Env
	out   *ui.Printer
	mesh  string // --mesh
	began bool   // arguments were right; what fails now is no usage error
}

// Run runs the program and returns its exit code.
func Run(ctx context.Context, env Env) int {
	a := &app{env: env, out: ui.New(env.Stdout, env.Stderr, env.Getenv)}
	root := newRoot(a)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ui.ExitOK
	}
	f := a.explain(err)
	a.out.Fail(f)
	return f.Code
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "claudemesh",
		Short: "Talk to the peers of a mesh",
		Long: "Talk to the peers of a mesh, through a broker that cannot read what you say.\n\n" +
			"Begin with: claudemesh create NAME, or claudemesh join LINK.",
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.began = true
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return ui.Usagef("%s", plainWords(err)).Hinted("%s --help", c.CommandPath())
	})
	root.PersistentFlags().BoolVar(&a.out.JSON, "json", false, "answer in JSON, for programs")
	root.PersistentFlags().StringVar(&a.mesh, "mesh", "", "the `SLUG` of the mesh, where several are joined")
	// It fails only for flags that are not there.
	_ = root.RegisterFlagCompletionFunc("mesh", a.completeSlug)
	root.AddCommand(
		newCreate(a), newInvite(a), newJoin(a), newPeers(a), newSend(a), newListen(a), newInbox(a),
		newSummary(a), newStatus(a), newList(a), newMesh(a), newVersion(a), newOutbox(a), newMessageStatus(a), newMCP(a),
		newInstall(a), newUninstall(a), newHook(a), newLaunch(a), newGroups(a), newVerify(a), newRename(a), newLeave(a),
		newBackup(a), newRestore(a), newDoctor(a), newTop(a), newExitCodes(a),
		newMember(a), newKick(a), newDisconnect(a), newGrant(a), newRevoke(a), newBlock(a), newUnblock(a), newGrants(a),
		newQueue(a), newAudit(a), newFleet(a),
		newState(a), newRemember(a), newRecall(a), newForget(a), newContext(a), newTask(a), newSkill(a), newVault(a), newInfo(a),
		newTopic(a), newNotifications(a), newStream(a), newSchedule(a), newRemind(a), newWatch(a), newClock(a), newWebhook(a),
		newAPIKey(a), newFile(a), newTools(a), newBan(a), newUnban(a), newBans(a),
	)
	arrangeHelp(root, a.out)
	return root
}

func (a *app) store() (*identity.Store, error) { return identity.Open(a.env.Getenv) }

// noArgs and exactly check arguments in our own voice.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 && c.HasSubCommands() {
		return ui.Usagef("unknown command %q", args[0]).Hinted("%s --help", c.CommandPath())
	}
	return exactly()(c, args)
}

// atMost allows one argument, or none.
func atMost(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return exactly(name)(c, args)
	}
}

func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return ui.Usagef("%s is missing", names[len(args)]).Hinted("%s", c.UseLine())
		case len(args) > len(names):
			return ui.Usagef("too many arguments").Hinted("%s", c.UseLine())
		}
		return nil
	}
}
