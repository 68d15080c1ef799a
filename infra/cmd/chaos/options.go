package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos"
)

// parse reads the flags. again is the history to check instead of a run.
func parse(args []string) (o chaos.Options, again string, err error) {
	o = chaos.DefaultOptions()
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.Uint64Var(&o.Seed, "seed", 0, "repeats the run with this `number`; 0 takes a random one")
	minutes := fs.Float64("minutes", 5, "how `long` there are faults")
	fs.StringVar(&o.Scenario, "scenario", o.Scenario, "one of\n"+strings.Join(chaos.Scenarios(), "\n"))
	fs.IntVar(&o.Edges, "edges", o.Edges, "")
	fs.IntVar(&o.Peers, "peers", o.Peers, "")
	fs.IntVar(&o.PerMesh, "per-mesh", o.PerMesh, "peers of one mesh")
	fs.Float64Var(&o.Rate, "rate", o.Rate, "messages a second, of all peers")
	fs.DurationVar(&o.TTL, "lease", o.TTL, "how long a lost peer is kept; renewals and drains follow")
	fs.DurationVar(&o.FaultEvery, "fault-every", o.FaultEvery, "`time` between faults, about")
	fs.IntVar(&o.AckReplicas, "ack-replicas", 0, "EDGE_ACK_REPLICAS of the edges")
	fs.DurationVar(&o.Skew, "skew", 20*time.Second, "by how much the clocks of edges are wrong")
	single := fs.Bool("single", false, "one Redis instead of a cluster, and links to it that can be cut")
	fs.StringVar(&o.EdgeBinary, "edge", beside("edge"), "the edge's `binary`")
	fs.StringVar(&o.PeerBinary, "loadpeer", beside("loadpeer"), "the peers' `binary`")
	fs.StringVar(&o.History, "history", "", "`file` for the history")
	fs.StringVar(&again, "check", "", "check this `history` and run nothing")
	if err := fs.Parse(args); err != nil {
		return o, "", err
	}
	o.For = time.Duration(*minutes * float64(time.Minute))
	o.Install = true
	o.Backend = func(ctx context.Context) (chaos.Backend, error) { return chaos.StartCluster(ctx, 0) }
	if *single {
		o.Backend = nil
	}
	if o.TTL != 90*time.Second {
		o.Renew, o.Drain = o.TTL/3, min(o.Drain, o.TTL/3)
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.History == "" {
		o.History = filepath.Join(os.TempDir(), fmt.Sprintf("claudemesh-chaos-%d.jsonl", o.Seed))
	}
	return o, again, nil
}

// beside is the path of a program that was built together with this one.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func run(ctx context.Context, o chaos.Options, again string) (broken bool, err error) {
	if again != "" {
		report, err := chaos.CheckFile(again, o)
		if err != nil {
			return false, err
		}
		return report.Broken() > 0, report.Write(os.Stdout)
	}
	fmt.Printf("SCENARIO=%s SEED=%d, history in %s\n", o.Scenario, o.Seed, o.History)
	report, err := chaos.Run(ctx, o)
	if err != nil {
		return false, err
	}
	fmt.Println()
	return report.Broken() > 0, report.Write(os.Stdout)
}
