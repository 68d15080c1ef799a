package e2e

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// files lists the module's files by their slash-separated path, without what
// is not ours to word: test data, and what tools and runs leave behind.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".data", "bin", "testdata", "node_modules"}, d.Name()):
			return fs.SkipDir
		case d.Type().IsRegular():
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func filesLike(t *testing.T, pattern string) []string {
	t.Helper()
	return slices.DeleteFunc(files(t), func(name string) bool {
		ok, err := path.Match(pattern, path.Base(name))
		return !ok || err != nil
	})
}

func at(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }

func TestTheTopLevelNamesTheRoomsAndNothingElse(t *testing.T) {
	t.Parallel()
	agreed := []string{
		"edge", "presence", "queue", "functions", "cli", "infra",
		"go.mod", "go.sum", "Makefile", "README.md", "LICENSE",
	}
	leftBehind := []string{"bin", "coverage.out", "coverage.html"} // by make; git ignores them
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, ".") && !slices.Contains(agreed, name) && !slices.Contains(leftBehind, name) {
			t.Errorf("%s is at the top\nwhy not: ls there explains the system; each name must be a room or what every Go project has", name)
		}
	}
}

func TestEveryPackageHasOneDocInDocGo(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		var documented []string
		for _, name := range p.GoFiles {
			if f := parse(t, filepath.Join(p.Dir, name), parser.PackageClauseOnly); f.Doc != nil {
				documented = append(documented, name)
			}
		}
		switch {
		case len(documented) != 1:
			t.Errorf("%s: package docs in %q, want one\nwhy: the go command joins several in the order of file names", p.room(), documented)
		case documented[0] != "doc.go" && !p.isMain():
			t.Errorf("%s: the package doc is in %s, want doc.go\nwhy: a room's manual is found without searching", p.room(), documented[0])
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		if p.isMain() {
			continue
		}
		for _, name := range p.GoFiles {
			f := parse(t, filepath.Join(p.Dir, name), 0)
			for _, d := range f.Decls {
				for _, bare := range undocumented(d, f.Comments) {
					t.Errorf("%s/%s: %s has no comment\nwhy: what another room may use, another person will read", p.room(), name, bare)
				}
			}
		}
	}
}

// wellKnown are methods whose meaning the standard library has fixed.
var wellKnown = []string{
	"String", "GoString", "Error", "Unwrap", "LogValue",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
}

// undocumented lists the exported names that a declaration introduces without
// a word. A comment on a group of constants or variables covers it, and so does
// one inside that names them: "MaxInbox and MaxInboxBytes bound …".
func undocumented(d ast.Decl, comments []*ast.CommentGroup) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		speaksForItself := d.Recv != nil && slices.Contains(wellKnown, d.Name.Name)
		if d.Name.IsExported() && d.Doc == nil && !speaksForItself && (d.Recv == nil || isExported(d.Recv.List[0].Type)) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var bare []string
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					bare = append(bare, s.Name.Name)
				}
			case *ast.ValueSpec:
				name := s.Names[0]
				named := slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool {
					return c.Pos() > d.Pos() && c.End() < s.Pos() && strings.Contains(c.Text(), name.Name)
				})
				if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil && !named {
					bare = append(bare, name.Name)
				}
			}
		}
		return bare
	}
	return nil
}

// isExported reports whether a method's receiver can be named from elsewhere.
func isExported(receiver ast.Expr) bool {
	switch e := receiver.(type) {
	case *ast.StarExpr:
		return isExported(e.X)
	case *ast.IndexExpr:
		return isExported(e.X)
	case *ast.Ident:
		return e.IsExported()
	}
	return false
}

func parse(t *testing.T, name string, mode parser.Mode) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, mode|parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNoFileIsTooLongToRead(t *testing.T) {
	t.Parallel()
	const longest = 500
	for _, name := range slices.Concat(filesLike(t, "*.go"), filesLike(t, "*.lua")) {
		if n := bytes.Count(read(t, at(name)), []byte("\n")); n > longest {
			t.Errorf("%s has %d lines, at most %d are agreed\nwhy: a file is about one thing", name, n, longest)
		}
	}
}

// TestTestsDoNotSleep allows sleeping in a synctest bubble, where it is how
// virtual time passes.
func TestTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	for _, name := range filesLike(t, "*_test.go") {
		ast.Inspect(parse(t, at(name), 0), func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			switch {
			case ok && isCall(call, "synctest", "Test"):
				return false
			case ok && isCall(call, "time", "Sleep"):
				t.Errorf("%s sleeps\nwhy not: too short on a busy machine and too long on any other; wait for what is meant to happen", name)
			}
			return true
		})
	}
}

func isCall(call *ast.CallExpr, pkg, name string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}

func TestNothingIsLeftForLater(t *testing.T) {
	t.Parallel()
	// Written so that this file does not find itself.
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	for _, name := range files(t) {
		text := read(t, at(name))
		if strings.HasPrefix(name, "coverage.") || path.Base(name) == "go.sum" || bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		if found := later.Find(text); found != nil {
			t.Errorf("%s says %s\nwhy not: an issue has an owner and an end; a note in the code has neither", name, found)
		}
	}
}

var (
	shebang  = regexp.MustCompile(`^#!lua( flags=(allow-oom|no-writes|no-writes,allow-oom))?\n`)
	luaInput = regexp.MustCompile(`\b(KEYS|ARGV)\b`)
	luaAlien = regexp.MustCompile(`\b(cmsgpack|struct|bit)\.|\bredis\.(setresp|set_repl|breakpoint)\b`)
	luaRings = regexp.MustCompile(`(?i)['"]S?PUBLISH['"]`)
)

func TestEveryScriptOpensWithItsContract(t *testing.T) {
	t.Parallel()
	for _, name := range filesLike(t, "*.lua") {
		if path.Base(path.Dir(name)) != "lua" {
			t.Errorf("%s is not in a directory lua\nwhy not: scripts are ROOM/lua/VERB.lua, beside the keys they touch", name)
		}
		text := string(read(t, at(name)))
		contract, code := splitLua(shebang.ReplaceAllString(text, ""))
		if contract == "" {
			t.Errorf("%s does not open with a comment\nwhy: a script is called by position; its contract is all that says what goes where", name)
		}
		inputs := luaInput.FindAllString(code, -1)
		if len(inputs) == 0 {
			continue // a fragment, placed into scripts that have a contract
		}
		if !shebang.MatchString(text) {
			t.Errorf("%s has no shebang, or one with other flags\nwhy: without flags Redis guesses from the first command whether a script may run when memory is short", name)
		}
		for _, said := range append(slices.Compact(slices.Sorted(slices.Values(inputs))), "eturn") {
			if !strings.Contains(contract, said) {
				t.Errorf("%s: its contract does not tell %s", name, strings.Replace(said, "eturn", "what it returns", 1))
			}
		}
	}
}

func TestScriptsUseWhatEveryRedisOffers(t *testing.T) {
	t.Parallel()
	for _, name := range filesLike(t, "*.lua") {
		_, code := splitLua(string(read(t, at(name))))
		if alien := luaAlien.FindString(code); alien != "" {
			t.Errorf("%s uses %s\nwhy not: scripts run on Redis, on Valkey and on the imitation of `make run`; plain Lua 5.1, redis.call, cjson and sha1hex are what they share", name, alien)
		}
		if luaRings.MatchString(code) && !strings.HasPrefix(name, "infra/redis/lua/") {
			t.Errorf("%s publishes by itself\nwhy not: bell() is the one place that knows how a bell is rung, so that it can change to sharded channels", name)
		}
	}
}

// splitLua parts the comment a script opens with from the rest, and drops the
// other comments.
func splitLua(text string) (contract, code string) {
	open := true
	var head, rest strings.Builder
	for line := range strings.Lines(text) {
		comment := strings.HasPrefix(strings.TrimSpace(line), "--")
		open = open && comment
		switch {
		case open:
			head.WriteString(line)
		case !comment:
			rest.WriteString(line)
		}
	}
	return head.String(), rest.String()
}
