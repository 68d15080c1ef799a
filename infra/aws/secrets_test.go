package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// narrow are the actions that AWS does not let anybody restrict to a resource.
var narrow = []string{
	"ecr:GetAuthorizationToken",
	"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
	"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
}

// texts reads one text or a list of them.
func texts(v any) []string {
	var all []string
	if l, ok := v.([]any); ok {
		for _, e := range l {
			all = append(all, fmt.Sprint(e))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}

// statements lists those of a role's own policies, evaluated.
func (r reading) statements(role string) []any {
	var all []any
	for _, p := range list(r.properties(role), "Policies") {
		all = append(all, list(r.value(p), "PolicyDocument", "Statement")...)
	}
	return all
}

func TestRolesMayDoWhatTheyNeedAndNothingElse(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	roles := tpl.ofType("AWS::IAM::Role")
	if len(roles) == 0 {
		t.Fatal("no roles")
	}
	for _, role := range roles {
		if managed := list(tpl.properties(role), "ManagedPolicyArns"); len(managed) > 0 {
			t.Errorf("%s has policies that AWS may widen: %v", role, managed)
		}
		trusted := list(tpl.properties(role), "AssumeRolePolicyDocument", "Statement")
		for _, s := range append(trusted, tpl.with(nil).statements(role)...) {
			for _, action := range texts(at(s, "Action")) {
				if strings.Contains(action, "*") {
					t.Errorf("%s may do %s", role, action)
				}
				if slices.Contains(texts(at(s, "Resource")), "*") && !slices.Contains(narrow, action) {
					t.Errorf("%s may do %s to everything", role, action)
				}
			}
		}
	}
}

func TestTheEdgeHasNoCredentials(t *testing.T) {
	t.Parallel()
	if role := at(load(t).properties("EdgeTask"), "TaskRoleArn"); role != nil {
		t.Errorf("the task has role %v, but nothing in it calls AWS", role)
	}
}

// readable lists the secrets that a role may read.
func (r reading) readable(role string) []string {
	var all []string
	for _, s := range r.statements(role) {
		if slices.Contains(texts(at(s, "Action")), "secretsmanager:GetSecretValue") {
			all = append(all, texts(at(s, "Resource"))...)
		}
	}
	slices.Sort(all)
	return all
}

func TestWhoIsGivenASecretMayReadItAndNoOther(t *testing.T) {
	t.Parallel()
	r := load(t).with(map[string]string{"FunctionsBucket": "b", "SecretsLayerArn": "l"})
	given := map[string]map[string]bool{"ExecutionRole": {}, "InviteRole": {}, "AdminRole": {}}
	for _, c := range list(r.properties("EdgeTask"), "ContainerDefinitions") {
		_, secret := environment(r.value(c))
		for _, from := range secret {
			name, _, _ := strings.Cut(from, ":") // what follows is a key of its JSON
			given["ExecutionRole"][name] = true
		}
	}
	for _, function := range []string{"Invite", "Admin"} {
		for _, value := range r.variables(function) {
			if name, ok := strings.CutPrefix(value, "secret:"); ok {
				given[function+"Role"][name] = true
			}
		}
	}
	for role, secrets := range given {
		want := slices.Sorted(maps.Keys(secrets))
		if got := r.readable(role); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s may read %q, is given %q", role, got, want)
		}
	}
}

// variables are those of a function, evaluated.
func (r reading) variables(function string) map[string]string {
	all := map[string]string{}
	values, _ := at(r.value(r.properties(function)), "Environment", "Variables").(map[string]any)
	for name, v := range values {
		all[name] = fmt.Sprint(v)
	}
	return all
}

// TestNoSecretStandsInTheOpen: whoever may describe a task or a function sees
// its environment.
func TestNoSecretStandsInTheOpen(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	r := tpl.with(map[string]string{"FunctionsBucket": "b", "SecretsLayerArn": "l"})
	plain := map[string]string{}
	for _, c := range list(tpl.properties("EdgeTask"), "ContainerDefinitions") {
		p, _ := environment(r.value(c))
		maps.Copy(plain, p)
	}
	for _, function := range tpl.ofType("AWS::Lambda::Function") {
		maps.Copy(plain, r.variables(function))
	}
	for name, value := range plain {
		delicate := strings.Contains(name, "TOKEN") || strings.HasSuffix(name, "_KEY") || strings.Contains(name, "REDIS_URL")
		pointer := strings.HasPrefix(value, "/") || strings.HasPrefix(value, "secret:") // a file, or a name
		if strings.Contains(value, "{{resolve:") || delicate && !pointer {
			t.Errorf("%s is %q", name, value)
		}
	}
	for name, p := range tpl.Parameters {
		if strings.Contains(name, "Token") || strings.Contains(name, "Password") {
			t.Errorf("parameter %s would be a secret that the stack shows: %v", name, p)
		}
	}
	for name, o := range tpl.Outputs {
		if strings.Contains(fmt.Sprint(r.value(o)), "{{resolve:") {
			t.Errorf("output %s shows a secret", name)
		}
	}
}

func TestLogsAreKeptForAKnownTime(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	groups := tpl.ofType("AWS::Logs::LogGroup")
	for _, name := range groups {
		if at(tpl.properties(name), "RetentionInDays") == nil {
			t.Errorf("%s is kept for ever", name)
		}
	}
	ours := func(where string, group any) {
		name := text(group, "Ref")
		if !slices.Contains(groups, name) {
			t.Errorf("%s logs into %v, which is not in the template and would be kept for ever", where, group)
		}
	}
	for _, c := range list(tpl.properties("EdgeTask"), "ContainerDefinitions") {
		ours(text(c, "Name"), at(c, "LogConfiguration", "Options", "awslogs-group"))
	}
	for _, f := range tpl.ofType("AWS::Lambda::Function") {
		ours(f, at(tpl.properties(f), "LoggingConfig", "LogGroup"))
	}
}

func TestOnlyTheBalancerIsOpenToTheWorld(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	for _, name := range tpl.ofType("AWS::EC2::SecurityGroup") {
		for _, rule := range list(tpl.properties(name), "SecurityGroupIngress") {
			if open := at(rule, "CidrIp") != nil; open != (name == "BalancerGroup") {
				t.Errorf("%s: %v", name, rule)
			}
		}
	}
	for _, name := range tpl.ofType("AWS::EC2::SubnetRouteTableAssociation") {
		p := tpl.properties(name)
		if strings.HasPrefix(text(p, "SubnetId", "Ref"), "Private") != (text(p, "RouteTableId", "Ref") == "PrivateRoutes") {
			t.Errorf("%s gives a subnet the wrong routes", name)
		}
	}
	for _, name := range tpl.ofType("AWS::EC2::Route") {
		if text(tpl.properties(name), "RouteTableId", "Ref") != "PublicRoutes" {
			t.Errorf("%s is a way out of the private subnets", name)
		}
	}
	if at(tpl.properties("Service"), "NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp") != "DISABLED" {
		t.Error("edges have public addresses")
	}
}
