package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/aws/sidecar"
)

// reported lists the metrics that something writes into our namespace.
func (tpl template) reported() []string {
	var names []string
	for _, m := range sidecar.Metrics {
		names = append(names, m.Name)
	}
	for _, f := range tpl.ofType("AWS::Logs::MetricFilter") {
		for _, m := range list(tpl.properties(f), "MetricTransformations") {
			names = append(names, fmt.Sprint(tpl.with(nil).value(at(m, "MetricName"))))
		}
	}
	return names
}

// asked collects the metrics that v asks for in our namespace, with the names
// of their dimensions.
func asked(v any, found func(metric string, dimensions []any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			asked(e, found)
		}
	case map[string]any:
		if v["Namespace"] == sidecar.Namespace {
			found(text(v, "MetricName"), list(v, "Dimensions"))
		}
		for _, e := range v {
			asked(e, found)
		}
	}
}

func TestEveryMetricThatIsWatchedIsReported(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	reported, n := tpl.reported(), 0
	for name, resource := range tpl.Resources {
		asked(tpl.with(nil).value(at(resource, "Properties")), func(metric string, dimensions []any) {
			n++
			if !slices.Contains(reported, metric) {
				t.Errorf("%s watches %s, which nobody reports", name, metric)
			}
			filtered := strings.HasPrefix(metric, "${AWS::StackName}")
			if !filtered && (len(dimensions) != 1 || text(dimensions[0], "Name") != sidecar.Dimension) {
				t.Errorf("%s watches %s by %v, it is reported by %s", name, metric, dimensions, sidecar.Dimension)
			}
		})
	}
	if n < 8 {
		t.Errorf("found %d metrics in the template; did the search break?", n)
	}
	plain, _ := environment(tpl.with(nil).container("metrics"))
	if plain["SIDECAR_FLEET"] != "${AWS::StackName}" {
		t.Errorf("the sidecar reports as %s, alarms watch the stack's name", plain["SIDECAR_FLEET"])
	}
}

func TestEveryAlarmReachesSomebodyAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	for _, name := range tpl.ofType("AWS::CloudWatch::Alarm") {
		p := tpl.properties(name)
		if len(list(p, "AlarmActions")) == 0 {
			t.Errorf("%s wakes nobody", name)
		}
		if len(text(p, "AlarmDescription")) < 20 || text(p, "TreatMissingData") == "" {
			t.Errorf("%s does not say what it means, or what silence means", name)
		}
	}
}

// watchedAtLeast are the things that have to have an alarm.
var watchedAtLeast = []string{
	"LateDepartures", "Sockets", "DeepestLane", "InboxRefusals", "MeshRefusals", "UncertainCloses", "AdmissionRefusals",
	"Evictions", "DatabaseMemoryUsagePercentage", "EngineCPUUtilization", "ReplicationLag", "CurrConnections",
	"Url5xxCount", "Throttles",
	"HTTPCode_Target_5XX_Count", // what a function answers by the balancer inside
	"HTTPCode_ELB_5XX_Count",    // what that one answers for a function that failed
}

func TestWhatMattersHasAnAlarm(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	var all strings.Builder
	for _, name := range tpl.ofType("AWS::CloudWatch::Alarm") {
		fmt.Fprintln(&all, tpl.with(nil).value(tpl.properties(name)))
	}
	for _, metric := range watchedAtLeast {
		if !strings.Contains(all.String(), metric) {
			t.Errorf("no alarm watches %s", metric)
		}
	}
}

func TestTheDashboardIsJSONAndDrawsWhatIsReported(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	for bucket, want := range map[string]int{"": 6, "bucket": 7} {
		r := tpl.with(map[string]string{"FunctionsBucket": bucket})
		body := fmt.Sprint(r.value(at(tpl.properties("Dashboard"), "DashboardBody")))
		var board struct {
			Widgets []struct {
				Properties struct {
					Title   string
					Metrics [][]any
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &board); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if len(board.Widgets) != want {
			t.Errorf("with bucket %q: %d widgets, want %d", bucket, len(board.Widgets), want)
		}
		for _, w := range board.Widgets {
			for _, m := range w.Properties.Metrics {
				if m[0] == sidecar.Namespace && (!slices.Contains(tpl.reported(), m[1].(string)) || m[2] != sidecar.Dimension) {
					t.Errorf("%s draws %v, which nobody reports", w.Properties.Title, m)
				}
			}
		}
	}
}
