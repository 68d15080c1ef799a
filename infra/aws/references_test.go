package aws

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackName", "AWS::URLSuffix",
}

// A finder collects what refers to something that is not there.
type finder struct {
	template
	problems []string
	used     map[string]bool
}

// broken lists the references of a template that lead nowhere, and what
// nothing refers to.
func (tpl template) broken() []string {
	f := &finder{template: tpl, used: map[string]bool{}}
	for name, c := range tpl.Conditions {
		f.look("condition "+name, c, nil)
	}
	for name, r := range tpl.Rules {
		f.look("rule "+name, r, nil)
	}
	for _, section := range []map[string]any{tpl.Resources, tpl.Outputs} {
		for name, r := range section {
			f.lookAt(name, r)
		}
	}
	for _, section := range []map[string]any{tpl.Parameters, tpl.Mappings, tpl.Conditions} {
		for name := range section {
			if !f.used[name] {
				f.say(name, "nothing uses it")
			}
		}
	}
	slices.Sort(f.problems)
	return f.problems
}

func (f *finder) say(where, format string, args ...any) {
	f.problems = append(f.problems, where+": "+fmt.Sprintf(format, args...))
}

// lookAt looks at a resource or an output.
func (f *finder) lookAt(name string, r any) {
	var under []string // conditions that hold where we are
	if c := text(r, "Condition"); c != "" {
		f.condition(name, c)
		under = []string{c}
	}
	for _, on := range append(list(r, "DependsOn"), at(r, "DependsOn")) {
		if resource, ok := on.(string); ok && f.Resources[resource] == nil {
			f.say(name, "depends on %s, which is no resource", resource)
		}
	}
	f.look(name, at(r, "Properties"), under)
	f.look(name, at(r, "Value"), under)
}

func (f *finder) condition(where, name string) {
	f.used[name] = true
	if f.Conditions[name] == nil {
		f.say(where, "condition %s does not exist", name)
	}
}

// look walks through v, where the conditions under hold.
func (f *finder) look(where string, v any, under []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			f.look(where, e, under)
		}
	case map[string]any:
		for name, arg := range v {
			f.follow(where, name, arg, under)
		}
	}
}

func (f *finder) follow(where, name string, arg any, under []string) {
	args, _ := arg.([]any)
	switch name {
	case "Ref":
		f.reference(where, fmt.Sprint(arg), under)
	case "Fn::GetAtt":
		f.resource(where, fmt.Sprint(args[0]), under)
	case "Fn::Sub":
		f.sub(where, arg, under)
	case "Fn::If":
		condition := fmt.Sprint(args[0])
		f.condition(where, condition)
		f.look(where, args[1], append(slices.Clone(under), condition))
		f.look(where, args[2], under)
	case "Fn::FindInMap":
		f.find(where, args)
		f.look(where, args, under)
	default:
		f.look(where, arg, under)
	}
}

func (f *finder) reference(where, name string, under []string) {
	if f.Parameters[name] != nil {
		f.used[name] = true
	} else if !slices.Contains(pseudo, name) {
		f.resource(where, name, under)
	}
}

// resource checks that a resource exists whenever it is referred to.
func (f *finder) resource(where, name string, under []string) {
	r := f.Resources[name]
	if r == nil {
		f.say(where, "%s does not exist", name)
		return
	}
	if c := text(r, "Condition"); c != "" && !slices.Contains(under, c) {
		f.say(where, "%s exists only under condition %s", name, c)
	}
}

func (f *finder) sub(where string, arg any, under []string) {
	pattern, _ := arg.(string)
	var own any
	if args, ok := arg.([]any); ok {
		pattern, own = fmt.Sprint(args[0]), args[1]
		f.look(where, own, under)
	}
	for _, name := range placeholders(pattern) {
		resource, _, attribute := strings.Cut(name, ".")
		switch {
		case at(own, name) != nil:
		case attribute:
			f.resource(where, resource, under)
		default:
			f.reference(where, name, under)
		}
	}
	names, _ := own.(map[string]any)
	for name := range names {
		if !strings.Contains(pattern, "${"+name+"}") {
			f.say(where, "%s is given to a text that does not use it", name)
		}
	}
}

func (f *finder) find(where string, args []any) {
	name, key := fmt.Sprint(args[0]), fmt.Sprint(args[2])
	f.used[name] = true
	entries, _ := f.Mappings[name].(map[string]any)
	if len(entries) == 0 {
		f.say(where, "mapping %s does not exist", name)
	}
	for entry, values := range entries {
		if at(values, key) == nil {
			f.say(where, "mapping %s has no %s for %s", name, key, entry)
		}
	}
}

func TestEveryReferenceLeadsSomewhereAndNothingIsUnused(t *testing.T) {
	t.Parallel()
	for _, problem := range load(t).broken() {
		t.Error(problem)
	}
}

// TestABrokenTemplateIsFoundBroken keeps the test above from passing because it
// does not look.
func TestABrokenTemplateIsFoundBroken(t *testing.T) {
	t.Parallel()
	for broken, want := range map[string]string{
		"A: {Properties: {X: !Ref Nowhere}}":                                                       "A: Nowhere does not exist",
		"A: {Properties: {X: [!GetAtt B.Arn]}}":                                                    "A: B does not exist",
		"A: {Properties: {X: !Sub 'x${B}'}}":                                                       "A: B does not exist",
		"A: {Properties: {X: !Sub ['x${B}', {C: c, B: b}]}}":                                       "A: C is given to a text that does not use it",
		"A: {Properties: {X: !If [No, a, b]}}":                                                     "A: condition No does not exist",
		"A: {Properties: {X: !FindInMap [M, a, k]}}":                                               "A: mapping M does not exist",
		"A: {DependsOn: [B]}":                                                                      "A: depends on B, which is no resource",
		"A: {Properties: {X: !Ref B}}\n  B: {Condition: C}\nConditions: {C: !Not [x]}":             "A: B exists only under condition C",
		"A: {Properties: {}}\nParameters: {P: {Type: String}}":                                     "P: nothing uses it",
		"A: {Properties: {X: !FindInMap [M, a, k]}}\nMappings: {M: {a: {k: 1}, b: {}}}":            "A: mapping M has no k for b",
		"A: {Properties: {X: !If [C, x, !Ref B]}}\n  B: {Condition: C}\nConditions: {C: !Not [x]}": "A: B exists only under condition C",
	} {
		tpl, err := parse([]byte("Resources:\n  " + broken))
		if err != nil {
			t.Errorf("%s: %v", broken, err)
			continue
		}
		if got := tpl.broken(); !slices.Equal(got, []string{want}) {
			t.Errorf("%s:\ngot  %q\nwant %q", broken, got, want)
		}
	}
}

func TestWhatCloudFormationDoesNotReadIsNotRead(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"Resources: {A: &a {}, B: *a}", "Resources: {A: {}, A: {}}", "", "\t"} {
		if _, err := parse([]byte(broken)); err == nil {
			t.Errorf("%q is read without an error", broken)
		}
	}
}

// TestCfnLintHasNothingToSay knows every property of every resource, which the
// other tests do not. It is a Python program that not every machine has.
func TestCfnLintHasNothingToSay(t *testing.T) {
	t.Parallel()
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("cfn-lint is not installed: properties and types of AWS resources were not checked")
	}
	// A wrapper without its program behind it is no installation either.
	if out, err := exec.CommandContext(t.Context(), lint, "--version").CombinedOutput(); err != nil {
		t.Skipf("cfn-lint does not run: %s", out)
	}
	cmd := exec.CommandContext(t.Context(), lint, "--", "template.yaml")
	cmd.Env = append(os.Environ(), "PYTHONWARNINGS=ignore")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
