package aws

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/infra/aws/sidecar"
)

var sizes = []string{"small", "medium", "large"}

// container returns one of the task, evaluated.
func (r reading) container(name string) any {
	return r.value(at(r.properties("EdgeTask"), "ContainerDefinitions", name))
}

// environment returns the variables of a container, and which are secrets.
func environment(container any) (plain, secret map[string]string) {
	plain, secret = map[string]string{}, map[string]string{}
	for _, e := range list(container, "Environment") {
		plain[text(e, "Name")] = text(e, "Value")
	}
	for _, e := range list(container, "Secrets") {
		secret[text(e, "Name")] = text(e, "ValueFrom")
	}
	return plain, secret
}

func number(t *testing.T, v any) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil {
		t.Fatalf("%v is no number", v)
	}
	return n
}

func seconds(t *testing.T, v any) time.Duration {
	t.Helper()
	return time.Duration(number(t, v)) * time.Second
}

func TestEveryVariableOfTheEdgeIsOneThatItReads(t *testing.T) {
	t.Parallel()
	var usage bytes.Buffer
	if err := edge.Usage(&usage); err != nil {
		t.Fatal(err)
	}
	read := strings.Fields(usage.String())
	plain, secret := environment(load(t).with(nil).container("edge"))
	for _, names := range []map[string]string{plain, secret} {
		for name := range names {
			if name != "GOMEMLIMIT" && !slices.Contains(read, name) {
				t.Errorf("%s is set, but no edge reads it; an edge that does not know a variable does not start", name)
			}
		}
	}
	for _, name := range []string{"EDGE_REDIS_URL", "EDGE_OPERATOR_TOKEN"} {
		if _, ok := secret[name]; !ok {
			t.Errorf("%s is not taken from a secret", name)
		}
	}
}

// An edge refuses to start with a configuration that makes no sense, so it is
// asked. The environment belongs to the process: this test runs alone.
func TestAnEdgeStartsWithTheEnvironmentOfTheTask(t *testing.T) {
	for _, creation := range list(load(t).Parameters, "MeshCreation", "AllowedValues") {
		for _, bucket := range []string{"", "bucket"} {
			t.Run(creation.(string)+" "+bucket, func(t *testing.T) {
				plain, _ := environment(load(t).with(map[string]string{
					"MeshCreation": creation.(string), "FunctionsBucket": bucket, "PublicHost": "mesh.example.com",
				}).container("edge"))
				for name, value := range plain {
					t.Setenv(name, strings.ReplaceAll(value, "${FunctionsBalancer.DNSName}", "inner.example.com"))
				}
				t.Setenv("EDGE_REDIS_URL", "rediss://:token@redis.example.com:6379")
				t.Setenv("EDGE_OPERATOR_TOKEN", strings.Repeat("t", 40))
				if _, err := edge.LoadConfig(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestTheHealthCheckIsAnsweredByAnEdge(t *testing.T) {
	t.Parallel()
	targets := load(t).properties("EdgeTargets")
	e := edgetest.Start(t)
	resp, err := http.Get(e.HTTP + text(targets, "HealthCheckPath"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := strconv.Itoa(resp.StatusCode), text(targets, "Matcher", "HttpCode"); got != want {
		t.Errorf("%s is answered %s, the balancer waits for %s", text(targets, "HealthCheckPath"), got, want)
	}
	plain, _ := environment(load(t).with(nil).container("edge"))
	if tls := plain["EDGE_TLS_CERT"] != ""; tls != (text(targets, "HealthCheckProtocol") == "HTTPS") {
		t.Error("the health check and the edge do not agree on TLS")
	}
}

func TestAnOutageOfRedisIsOutlivedByTheSockets(t *testing.T) {
	t.Parallel()
	targets := load(t).properties("EdgeTargets")
	if got := text(targets, "TargetGroupAttributes", "target_health_state.unhealthy.connection_termination.enabled", "Value"); got != "false" {
		t.Error("the balancer cuts the sockets of edges that are not ready: an outage of Redis would cut all")
	}
	patience := seconds(t, at(targets, "HealthCheckIntervalSeconds")) * time.Duration(number(t, at(targets, "UnhealthyThresholdCount")))
	if failOver := 2 * time.Minute; patience <= failOver {
		t.Errorf("edges are replaced after %v without Redis; a fail-over may take %v", patience, failOver)
	}
}

func TestADrainEndsBeforeAnybodyLosesPatience(t *testing.T) {
	t.Parallel()
	tpl, defaults := load(t), edge.DefaultConfig()
	container := tpl.with(nil).container("edge")
	plain, _ := environment(container)
	drain := defaults.DrainWithin
	if set := plain["EDGE_DRAIN_WITHIN"]; set != "" {
		var err error
		if drain, err = time.ParseDuration(set); err != nil {
			t.Fatal(err)
		}
	}
	const reconnect = 45 * time.Second // two attempts of 15 s (dial and hello), and as much between them
	if drain+reconnect >= defaults.LeaseTTL {
		t.Errorf("drain %v and reconnect %v are not below the lease of %v: a deploy would be seen as departures", drain, reconnect, defaults.LeaseTTL)
	}
	stop := seconds(t, at(container, "StopTimeout"))
	if stop <= defaults.LeaseTTL || stop > 2*time.Minute {
		t.Errorf("stopTimeout is %v; it must be above the lease of %v, and Fargate allows 2m", stop, defaults.LeaseTTL)
	}
	attributes := at(tpl.properties("EdgeTargets"), "TargetGroupAttributes")
	delay := seconds(t, at(attributes, "deregistration_delay.timeout_seconds", "Value"))
	if delay <= drain || delay >= defaults.LeaseTTL {
		t.Errorf("deregistration takes %v; it must be longer than the drain of %v, and shorter than the lease", delay, drain)
	}
	if text(attributes, "deregistration_delay.connection_termination.enabled", "Value") != "false" {
		t.Error("the balancer cuts sockets that the edge is about to close politely")
	}
	policy := at(tpl.properties("ScaleIn"), "StepScalingPolicyConfiguration")
	if cooldown := seconds(t, at(policy, "Cooldown")); cooldown < delay+stop {
		t.Errorf("edges may leave every %v, but one may take %v", cooldown, delay+stop)
	}
	if step := at(list(policy, "StepAdjustments")[0], "ScalingAdjustment"); step != "-1" {
		t.Errorf("scale-in goes by %v at once, want -1", step)
	}
}

func TestOnlyOnePolicyTakesEdgesAway(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	for _, name := range tpl.ofType("AWS::ApplicationAutoScaling::ScalingPolicy") {
		if name != "ScaleIn" && at(tpl.properties(name), "TargetTrackingScalingPolicyConfiguration", "DisableScaleIn") != "true" {
			t.Errorf("%s takes edges away too, and knows nothing of drains", name)
		}
	}
}

func TestADeployStartsAnEdgeBeforeItStopsOne(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	r := tpl.with(nil)
	deploy := r.value(at(tpl.properties("Service"), "DeploymentConfiguration"))
	if at(deploy, "MinimumHealthyPercent") != "100" {
		t.Error("a deploy may leave fewer edges than there were")
	}
	edges, _ := r.parameter("MinEdges")
	n, most := number(t, edges), number(t, at(deploy, "MaximumPercent"))
	if float64(int(n*most/100)) < n+1 {
		t.Errorf("with %v edges and at most %v %% no edge can be started: a deploy would hang", n, most)
	}
	if at(deploy, "DeploymentCircuitBreaker", "Enable") != "true" || at(deploy, "DeploymentCircuitBreaker", "Rollback") != "true" {
		t.Error("a deploy that fails is not taken back")
	}
	if at(tpl.properties("Service"), "DesiredCount") != nil {
		t.Error("DesiredCount is set: each deploy would undo what scaling has decided")
	}
}

func TestThePortIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	container := tpl.with(nil).container("edge")
	plain, _ := environment(container)
	_, port, _ := strings.Cut(plain["EDGE_ADDR"], ":")
	for where, got := range map[string]any{
		"container":      at(list(container, "PortMappings")[0], "ContainerPort"),
		"target group":   at(tpl.properties("EdgeTargets"), "Port"),
		"service":        at(list(tpl.properties("Service"), "LoadBalancers")[0], "ContainerPort"),
		"security group": at(list(tpl.properties("EdgeGroup"), "SecurityGroupIngress")[0], "FromPort"),
	} {
		if got != port {
			t.Errorf("%s: port %v, but EDGE_ADDR is %q", where, got, plain["EDGE_ADDR"])
		}
	}
	metrics, _ := environment(tpl.with(nil).container("metrics"))
	if want := "http://" + plain["EDGE_METRICS_ADDR"]; metrics["SIDECAR_EDGE"] != want {
		t.Errorf("metrics are read from %q, want %q", metrics["SIDECAR_EDGE"], want)
	}
	if !strings.HasPrefix(plain["EDGE_METRICS_ADDR"], "127.0.0.1:") {
		t.Errorf("metrics are served at %q, to others than the container beside", plain["EDGE_METRICS_ADDR"])
	}
	listener := tpl.properties("Listener")
	if text(listener, "Protocol") != "TCP" || text(listener, "Port") != "443" || text(tpl.properties("EdgeTargets"), "Protocol") != "TCP" {
		t.Error("the balancer does not pass TCP on 443 through")
	}
}

func TestTheEdgeReadsTheCertificateThatTheSidecarWrites(t *testing.T) {
	t.Parallel()
	r := load(t).with(nil)
	writer, reader := r.container("certificate"), r.container("edge")
	w, secret := environment(writer)
	e, _ := environment(reader)
	if want := w["SIDECAR_DIR"] + "/" + sidecar.CertificateFile; e["EDGE_TLS_CERT"] != want {
		t.Errorf("EDGE_TLS_CERT is %s, want %s", e["EDGE_TLS_CERT"], want)
	}
	if want := w["SIDECAR_DIR"] + "/" + sidecar.KeyFile; e["EDGE_TLS_KEY"] != want {
		t.Errorf("EDGE_TLS_KEY is %s, want %s", e["EDGE_TLS_KEY"], want)
	}
	if user, _, _ := strings.Cut(text(reader, "User"), ":"); user != w["SIDECAR_OWNER"] || user == "0" {
		t.Errorf("the edge runs as %s, the files belong to %s", user, w["SIDECAR_OWNER"])
	}
	for _, c := range []any{writer, reader} {
		if mount := list(c, "MountPoints")[0]; text(mount, "ContainerPath") != w["SIDECAR_DIR"] || text(mount, "SourceVolume") != "tls" {
			t.Errorf("%s does not mount %s", text(c, "Name"), w["SIDECAR_DIR"])
		}
	}
	if len(secret) != 2 || len(list(reader, "DependsOn")) != 1 || text(list(reader, "DependsOn")[0], "Condition") != "SUCCESS" {
		t.Error("the edge does not wait for a certificate from a secret")
	}
}

func TestAnEdgeOfEverySizeHoldsWhatIsPlannedForIt(t *testing.T) {
	t.Parallel()
	const perPeer = 2 * 20 << 10 // bytes with TLS, twice that between two collections
	tpl := load(t)
	for _, size := range sizes {
		r := tpl.with(map[string]string{"EdgeSize": size})
		of := at(tpl.Mappings, "Sizes", size)
		peers, full, memory := number(t, at(of, "Peers")), number(t, at(of, "Full")), number(t, at(of, "Memory"))
		limit := number(t, strings.TrimSuffix(text(of, "GoMemory"), "MiB"))
		files := number(t, at(list(r.container("edge"), "Ulimits")[0], "SoftLimit"))
		if limit >= memory*.9 || full*perPeer > limit*(1<<20) {
			t.Errorf("%s: %v peers need %.0f MiB, the limit is %v of %v MiB", size, full, full*perPeer/(1<<20), limit, memory)
		}
		if strangers := float64(edge.DefaultConfig().MaxStrangers); full+strangers >= files {
			t.Errorf("%s: %v sockets and %v strangers need more than %v files", size, full, strangers, files)
		}
		if peers*1.5 > full {
			t.Errorf("%s: scaling aims at %v of %v, which leaves too little while new edges start", size, peers, full)
		}
		plain, _ := environment(r.container("edge"))
		if plain["GOMEMLIMIT"] != text(of, "GoMemory") {
			t.Errorf("%s: GOMEMLIMIT is %q", size, plain["GOMEMLIMIT"])
		}
	}
	if allowed := list(tpl.Parameters, "EdgeSize", "AllowedValues"); len(allowed) != len(sizes) {
		t.Errorf("sizes are %v, tested are %v", allowed, sizes)
	}
}

func TestTheGuideNamesEveryParameter(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range load(t).Parameters {
		if !bytes.Contains(guide, []byte("`"+name+"`")) {
			t.Errorf("infra/README.md does not mention %s", name)
		}
	}
}
