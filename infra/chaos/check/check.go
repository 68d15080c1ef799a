package check

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// Config says what was promised in a run.
type Config struct {
	TTL   time.Duration // of leases
	Renew time.Duration // between renewals
	Gap   time.Duration // a longer silence of Redis is an outage
	Slack time.Duration // by which a crowded machine may notice late
	Late  time.Duration // a departure announced later than this after the lease's end is late
}

// hold is how long edges settle nothing after an outage.
func (c Config) hold() time.Duration { return c.TTL + c.Renew }

// Violation is a broken promise, with the lines that show it.
type Violation struct {
	Promise string
	What    string
	Lines   []history.Record
}

// String tells it to people.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", v.Promise, v.What)
	for _, l := range v.Lines {
		fmt.Fprintf(&b, "\n    %s", l)
	}
	return b.String()
}

// Report is what a history shows.
type Report struct {
	Faults map[string]int

	Sent, Acked, Refused, Unsent int
	Delivered                    int // first deliveries, of broadcasts one for each peer
	Repeated                     int // pushes that came again
	Duplicated                   int // surfaced twice by one client
	Lost                         int // acked, and nowhere
	Forgotten                    int // the same, where Redis itself lost acknowledged writes

	Departures Departures
	Worst      time.Duration // the worst lateness that nothing excuses

	Handovers int // sessions taken over by a newer connection
	Resumes   int
	Rosters   int // lists that were compared with the truth
	Lanes     int // that were proven linearizable
	Unproven  int // that could not be in time

	Violations []Violation
	total      int
}

// Departures counts those who left.
type Departures struct {
	Due       int // stayed away for longer than any lease
	Announced int
	Early     int
	Late      int
	Missing   int // due and never announced
	False     int // announced although they were in contact, or twice
	Held      int // announced after the hold
}

// maxViolations bounds those that are kept; all are counted.
const maxViolations = 50

func (r *Report) violate(promise string, lines []history.Record, format string, args ...any) {
	r.total++
	if len(r.Violations) < maxViolations {
		r.Violations = append(r.Violations, Violation{promise, fmt.Sprintf(format, args...), lines})
	}
}

// Broken is the number of broken promises.
func (r *Report) Broken() int { return r.total }

// Check reads a history, which must be in the order of time.
func Check(c Config, all []history.Record) *Report {
	t := findTroubles(c, all)
	r := &Report{Faults: t.count}
	tr := learn(all, t)
	r.checkViews(t, tr, all)
	r.checkDepartures(c, t, tr, all)
	r.checkMessages(t, tr, all)
	r.checkRosters(c, t, tr, all)
	return r
}

// Write prints the report as a table, with the violations below it.
func (r *Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name string, cells ...string) { fmt.Fprintf(t, "%s\t%s\n", name, strings.Join(cells, "\t")) }
	n := func(name string, count int) string { return fmt.Sprintf("%s %d", name, count) }
	for _, what := range slices.Sorted(maps.Keys(r.Faults)) {
		row("fault", n(what, r.Faults[what]))
	}
	row("messages", n("sent", r.Sent), n("acked", r.Acked), n("refused", r.Refused), n("delivered", r.Delivered))
	row("", n("repeated", r.Repeated), n("duplicated", r.Duplicated), n("lost", r.Lost), n("lost by Redis", r.Forgotten))
	d := r.Departures
	row("departures", n("due", d.Due), n("announced", d.Announced), n("early", d.Early), n("late", d.Late))
	row("", n("false", d.False), n("missing", d.Missing), n("after a hold", d.Held), "worst lateness "+r.Worst.Truncate(10*time.Millisecond).String())
	row("sessions", n("resumes", r.Resumes), n("handovers", r.Handovers), n("rosters", r.Rosters), n("lanes proven", r.Lanes))
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Forgotten > 0 {
		fmt.Fprintf(w, "\n%d acked messages were lost by Redis itself, when a master with unreplicated writes or its data went.\n"+
			"EDGE_ACK_REPLICAS makes an ack wait for a replica.\n", r.Forgotten)
	}
	if r.total == 0 {
		_, err := fmt.Fprintln(w, "\nevery promise held")
		return err
	}
	fmt.Fprintf(w, "\n%d BROKEN PROMISES\n", r.total)
	for _, v := range r.Violations {
		fmt.Fprintf(w, "\n  %s\n", v)
	}
	return nil
}
