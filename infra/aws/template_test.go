package aws

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A template is a CloudFormation template with intrinsic functions in their
// long form, {"Ref": "Name"}. All scalars are strings, as AWS sees them.
type template struct {
	Parameters, Mappings, Conditions, Rules, Resources, Outputs map[string]any
}

var shared = sync.OnceValues(func() (template, error) {
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		return template{}, err
	}
	return parse(text)
})

func load(t *testing.T) template {
	t.Helper()
	tpl, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func parse(text []byte) (template, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return template{}, err
	}
	if len(doc.Content) == 0 {
		return template{}, errors.New("empty")
	}
	v, err := decode(doc.Content[0])
	if err != nil {
		return template{}, err
	}
	top, _ := v.(map[string]any)
	section := func(name string) map[string]any {
		m, _ := top[name].(map[string]any)
		return m
	}
	return template{
		Parameters: section("Parameters"), Mappings: section("Mappings"), Conditions: section("Conditions"),
		Rules: section("Rules"), Resources: section("Resources"), Outputs: section("Outputs"),
	}, nil
}

// decode turns a node into maps, slices and strings.
func decode(n *yaml.Node) (any, error) {
	v, err := decodePlain(n)
	name, short := strings.CutPrefix(n.Tag, "!")
	if err != nil || !short || strings.HasPrefix(name, "!") {
		return v, err
	}
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: v}, nil
	case "GetAtt":
		resource, attribute, _ := strings.Cut(fmt.Sprint(v), ".")
		return map[string]any{"Fn::GetAtt": []any{resource, attribute}}, nil
	default:
		return map[string]any{"Fn::" + name: v}, nil
	}
}

func decodePlain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := decode(c)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return decodeMap(n)
	default:
		return nil, fmt.Errorf("line %d: an alias, which CloudFormation does not know", n.Line)
	}
}

func decodeMap(n *yaml.Node) (any, error) {
	m := map[string]any{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("line %d: %s stands there twice", n.Content[i].Line, key)
		}
		v, err := decode(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		m[key] = v
	}
	return m, nil
}

// at follows names and list indices from v. It returns nil where a step leads
// nowhere.
func at(v any, path ...string) any {
	for _, step := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			v = nil
			for _, e := range x { // a list of things with a name is entered by name
				if at(e, "Name") == step || at(e, "Key") == step {
					v = e
				}
			}
		default:
			return nil
		}
	}
	return v
}

func list(v any, path ...string) []any {
	l, _ := at(v, path...).([]any)
	return l
}

func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

// properties returns those of a resource.
func (tpl template) properties(name string) any { return at(tpl.Resources, name, "Properties") }

// ofType lists the resources of a type, sorted.
func (tpl template) ofType(types ...string) []string {
	var names []string
	for name, r := range tpl.Resources {
		if slices.Contains(types, text(r, "Type")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A reading evaluates intrinsic functions under given parameters. What only
// AWS knows stays as ${Resource.Attribute}.
type reading struct {
	template
	given map[string]string
}

func (tpl template) with(given map[string]string) reading { return reading{tpl, given} }

func (r reading) parameter(name string) (string, bool) {
	if v, ok := r.given[name]; ok {
		return v, true
	}
	p, ok := r.Parameters[name]
	if !ok {
		return "", false
	}
	if d, has := at(p, "Default").(string); has {
		return d, true
	}
	return "${" + name + "}", true
}

// holds evaluates a condition, by name or written out.
func (r reading) holds(c any) bool {
	switch c := c.(type) {
	case string:
		return r.holds(r.Conditions[c])
	case map[string]any:
		if args, ok := c["Fn::Not"].([]any); ok {
			return !r.holds(args[0])
		}
		if args, ok := c["Fn::Equals"].([]any); ok {
			return r.value(args[0]) == r.value(args[1])
		}
		return r.holds(c["Condition"])
	}
	return false
}

// value evaluates v as far as it can be known.
func (r reading) value(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, r.value(e))
		}
		return out
	case map[string]any:
		for name, arg := range v {
			if len(v) == 1 && (name == "Ref" || strings.HasPrefix(name, "Fn::")) {
				return r.intrinsic(name, arg)
			}
		}
		out := map[string]any{}
		for name, e := range v {
			out[name] = r.value(e)
		}
		return out
	}
	return v
}

func (r reading) intrinsic(name string, arg any) any {
	args, _ := arg.([]any)
	switch name {
	case "Ref":
		if v, ok := r.parameter(arg.(string)); ok {
			return v
		}
		return "${" + arg.(string) + "}"
	case "Fn::GetAtt":
		return fmt.Sprintf("${%s.%s}", args[0], args[1])
	case "Fn::If":
		if r.holds(args[0]) {
			return r.value(args[1])
		}
		return r.value(args[2])
	case "Fn::FindInMap":
		return at(r.Mappings, fmt.Sprint(args[0]), fmt.Sprint(r.value(args[1])), fmt.Sprint(args[2]))
	case "Fn::Sub":
		return r.substitute(arg)
	}
	return map[string]any{name: r.value(arg)}
}

func (r reading) substitute(arg any) string {
	pattern, _ := arg.(string)
	names := map[string]any{}
	if args, ok := arg.([]any); ok {
		pattern = args[0].(string)
		names, _ = args[1].(map[string]any)
	}
	for _, name := range placeholders(pattern) {
		v, ok := r.parameter(name)
		if own, isOwn := names[name]; isOwn {
			v, ok = fmt.Sprint(r.value(own)), true
		}
		if ok {
			pattern = strings.ReplaceAll(pattern, "${"+name+"}", v)
		}
	}
	return pattern
}

// placeholders lists the names in ${} of a text to substitute in.
func placeholders(pattern string) []string {
	var names []string
	for _, part := range strings.Split(pattern, "${")[1:] {
		if name, _, closed := strings.Cut(part, "}"); closed && !strings.HasPrefix(name, "!") {
			names = append(names, name)
		}
	}
	return names
}
