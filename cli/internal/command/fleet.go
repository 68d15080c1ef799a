package command

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type fleetOptions struct {
	*app
	broker   string
	operator string
}

func newFleet(a *app) *cobra.Command {
	o := &fleetOptions{app: a}
	c := &cobra.Command{
		Use:   "fleet",
		Short: "Show the edges of a broker: sockets, versions, lateness",
		Long: "Show the edges of a broker, for whoever runs it: how many sockets each holds, its version, how late it last\n" +
			"noticed a departure, and when it was last heard of. It takes the operator's token, from a file or from the\n" +
			"environment.",
		Example: "  claudemesh fleet --broker wss://mesh.example/ws --operator-token-file token",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	c.Flags().StringVar(&o.broker, "broker", "", "address of the broker, as `URL` (default the mesh's, else $"+EnvBrokerURL+")")
	addOperatorFlag(c, &o.operator)
	return c
}

type fleetAnswer struct {
	Edges []wire.FleetEdge `json:"edges"`
}

// address chooses the broker: the one named, that of the mesh, or the usual one
// where no mesh is joined.
func (o *fleetOptions) address() string {
	if o.broker != "" {
		return o.broker
	}
	if m, err := o.chosen(); err == nil {
		return m.mesh.BrokerURL
	}
	return cmp.Or(o.env.Getenv(EnvBrokerURL), defaultBrokerURL)
}

func (o *fleetOptions) run(ctx context.Context) error {
	token, err := o.needsOperator(o.operator)
	if err != nil {
		return err
	}
	var key ed25519.PrivateKey // any will do: the token is what counts
	if key, err = identity.NewKey(); err != nil {
		return err
	}
	client := o.client(o.address(), key)
	client.Operator = token
	edges, err := client.Fleet(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(edges, func(a, b wire.FleetEdge) int { return strings.Compare(a.Edge, b.Edge) })
	if o.out.JSON {
		return o.out.Answer(fleetAnswer{append([]wire.FleetEdge{}, edges...)})
	}
	if len(edges) == 0 {
		o.out.Say("no edge is alive")
		return nil
	}
	sockets := 0
	var rows [][]string
	for _, e := range edges {
		count, late := "", ""
		if e.Sockets != nil {
			sockets += *e.Sockets
			count = strconv.Itoa(*e.Sockets)
		}
		if e.LateMs != nil {
			late = o.millis(*e.LateMs)
		}
		rows = append(rows, []string{ui.CleanLine(e.Edge), ui.CleanLine(e.Version), count, late, o.ago(e)})
	}
	if err := o.table([]string{"EDGE", "VERSION", "SOCKETS", "LATE", "HEARD OF"}, rows); err != nil {
		return err
	}
	o.out.Say("%d %s, %d %s", len(edges), plural(len(edges), "edge", "edges"), sockets, plural(sockets, "socket", "sockets"))
	return nil
}

func (o *fleetOptions) millis(ms int64) string {
	if o.out.Terminal() {
		return strconv.FormatInt(ms, 10) + " ms"
	}
	return strconv.FormatInt(ms, 10)
}

func (o *fleetOptions) ago(e wire.FleetEdge) string {
	if !o.out.Terminal() {
		return stamp(e.SeenAt.Time)
	}
	return age(time.Duration(e.AgeMs)*time.Millisecond) + " ago"
}
