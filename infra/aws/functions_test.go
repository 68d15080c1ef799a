package aws

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/functions/config"
	"github.com/claudemesh/claudemesh/infra/aws/pack"
)

// functions is the template with functions of their own.
func functions(t *testing.T) reading {
	t.Helper()
	return load(t).with(map[string]string{
		"FunctionsBucket": "b", "SecretsLayerArn": "l", "PublicHost": "mesh.example.com",
	})
}

// routes reads the constants Route… of edge/wire: name, method and path.
func routes(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../edge/wire/routes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Route") {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			all[spec.Names[0].Name], _ = strconv.Unquote(lit.Value)
		}
		return true
	})
	return all
}

// target tells which target group the inner balancer asks for a path.
func (r reading) target(wanted string) string {
	rules := r.ofType("AWS::ElasticLoadBalancingV2::ListenerRule")
	slices.SortFunc(rules, func(a, b string) int {
		x, _ := strconv.Atoi(text(r.properties(a), "Priority"))
		y, _ := strconv.Atoi(text(r.properties(b), "Priority"))
		return cmp.Compare(x, y)
	})
	to := list(r.properties("FunctionsListener"), "DefaultActions")
	for _, rule := range slices.Backward(rules) {
		for _, pattern := range texts(at(list(r.properties(rule), "Conditions")[0], "PathPatternConfig", "Values")) {
			if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(wanted, prefix) {
				to = list(r.properties(rule), "Actions")
			}
		}
	}
	return text(to[0], "TargetGroupArn", "Ref")
}

func TestPathsLeadToTheFunctionThatServesThem(t *testing.T) {
	t.Parallel()
	r := functions(t)
	edges := []string{"RouteHealth", "RouteReady", "RouteHookStatus"}
	invites := []string{"RouteJoin", "RouteClaim", "RouteInvitePage", "RouteInvitePreview"}
	all := routes(t)
	if len(all) < 10 {
		t.Fatalf("found %d routes in edge/wire; did they move?", len(all))
	}
	for name, route := range all {
		want := "AdminTargets"
		if slices.Contains(invites, name) {
			want = "InviteTargets"
		}
		if slices.Contains(edges, name) {
			continue
		}
		_, target, _ := strings.Cut(route, " ")
		if got := r.target(path.Clean(strings.NewReplacer("{", "", "}", "").Replace(target))); got != want {
			t.Errorf("%s (%s) leads to %s, want %s", name, route, got, want)
		}
	}
}

func TestFunctionsRunAsTheyAreBuiltAndBounded(t *testing.T) {
	t.Parallel()
	r := functions(t)
	all := r.ofType("AWS::Lambda::Function")
	if !slices.Equal(all, []string{"Admin", "Invite"}) {
		t.Fatalf("functions are %v", all)
	}
	for _, name := range all {
		p := r.value(r.properties(name))
		if text(p, "Runtime") != "provided.al2023" || text(p, "Handler") != "bootstrap" || list(p, "Architectures")[0] != "arm64" {
			t.Errorf("%s is not run as bootstrap on arm64", name)
		}
		if n, _ := strconv.Atoi(text(p, "ReservedConcurrentExecutions")); n < 1 || n > 100 {
			t.Errorf("%s may run %d times at once", name, n)
		}
		if target := list(r.value(r.properties(name+"Targets")), "Targets"); text(target[0], "Id") != "${"+name+".Arn}" {
			t.Errorf("%sTargets leads to %v", name, target)
		}
		if len(list(p, "VpcConfig", "SubnetIds")) != 3 {
			t.Errorf("%s cannot reach Redis in every zone", name)
		}
		if text(p, "Role") != "${"+name+"Role.Arn}" {
			t.Errorf("%s runs as %s, want its own role", name, text(p, "Role"))
		}
	}
}

func TestTheZipsAreTheOnesThatAreDeployed(t *testing.T) {
	t.Parallel()
	r, all := functions(t), load(t).ofType("AWS::Lambda::Function")
	if len(all) != len(pack.Functions) {
		t.Errorf("%v are packed, %v deployed", pack.Functions, all)
	}
	for _, name := range all {
		p := r.properties(name)
		arch, _ := list(p, "Architectures")[0].(string)
		key := text(load(t).Parameters, text(p, "Code", "S3Key", "Ref"), "Default")
		if want := pack.File(strings.ToLower(name), arch); key != want {
			t.Errorf("%s for %s is deployed from %q, but packed as %q", name, arch, key, want)
		}
		if text(p, "Handler") != pack.Bootstrap {
			t.Errorf("%s starts %q, but the zip holds %q", name, text(p, "Handler"), pack.Bootstrap)
		}
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil || !bytes.Contains(makefile, []byte("go run ./infra/aws/cmd/pack -out bin/lambda\n")) {
		t.Errorf("make lambda does not pack into bin/lambda, where infra/README.md says it does; %v", err)
	}
}

func TestEveryVariableOfTheFunctionsIsOneThatTheyRead(t *testing.T) {
	t.Parallel()
	var usage bytes.Buffer
	if err := config.Usage(&usage); err != nil {
		t.Fatal(err)
	}
	r := functions(t)
	for _, f := range []string{"Invite", "Admin"} {
		for name := range r.variables(f) {
			if !slices.Contains(strings.Fields(usage.String()), name) {
				t.Errorf("%s: %s is set, but no function reads it", f, name)
			}
		}
	}
}

// The environment belongs to the process, so this test runs alone.
func TestFunctionsStartWithTheirEnvironment(t *testing.T) {
	for _, f := range []string{"Invite", "Admin"} {
		t.Run(f, func(t *testing.T) {
			for name, value := range functions(t).variables(f) {
				t.Setenv(name, value)
			}
			if _, err := config.Load(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheGuideListsTheVariablesOfTheFunctions(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	r := functions(t)
	for _, f := range []string{"Invite", "Admin"} {
		for name := range r.variables(f) {
			if !strings.HasPrefix(name, "FUNCTIONS_") || !bytes.Contains(guide, []byte("| `"+name+"` |")) {
				t.Errorf("%s: %s is not in the table of infra/README.md", f, name)
			}
		}
	}
}

func TestEdgesForwardToTheInnerBalancerOrServeThemselves(t *testing.T) {
	t.Parallel()
	with, _ := environment(functions(t).container("edge"))
	without, _ := environment(load(t).with(nil).container("edge"))
	if with["EDGE_FUNCTIONS"] != "http://${FunctionsBalancer.DNSName}" || without["EDGE_FUNCTIONS"] != "inprocess" {
		t.Errorf("EDGE_FUNCTIONS is %q with functions, %q without", with["EDGE_FUNCTIONS"], without["EDGE_FUNCTIONS"])
	}
	group := list(load(t).properties("FunctionsBalancerGroup"), "SecurityGroupIngress")
	if len(group) != 1 || text(group[0], "SourceSecurityGroupId", "Ref") != "EdgeGroup" {
		t.Errorf("the inner balancer is open to %v", group)
	}
}
