package command

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/claudecode"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

type installOptions struct {
	*app
	root         *cobra.Command
	scope        string
	program      string
	print        bool
	dry          bool
	noHooks      bool
	noCompletion bool
}

func newInstall(a *app) *cobra.Command {
	o := &installOptions{app: a}
	c := &cobra.Command{
		Use:   "install",
		Short: "Make Claude Code, and your shell, know claudemesh",
		Long: "Make Claude Code, and your shell, know claudemesh:\n\n" +
			"  the MCP server    in ~/.claude.json, for you, or for this directory alone\n" +
			"                    (--scope local), or in .mcp.json here (--scope project)\n" +
			"  status hooks      in ~/.claude/settings.json: working while a prompt is\n" +
			"                    worked on, then idle\n" +
			"  shell completion  for bash and fish, where the shell looks for it\n\n" +
			"Doing it again changes nothing; claudemesh uninstall takes out exactly this. What a changed file was\n" +
			"before stays beside it under NAME" + claudecode.BackupSuffix + ".\n\n" +
			"For other MCP clients --print shows what to paste.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.root = c.Root()
			return o.run()
		},
	}
	c.Flags().StringVar(&o.scope, "scope", string(claudecode.ScopeUser), "for `WHOM` to register the MCP server: user, project or local")
	c.Flags().StringVar(&o.program, "command", "", "the `PROGRAM` to register (default this one)")
	c.Flags().BoolVar(&o.print, "print", false, "print the command and the JSON that register the MCP server, and change nothing")
	c.Flags().BoolVar(&o.dry, "dry-run", false, "show what would be changed, and change nothing")
	c.Flags().BoolVar(&o.noHooks, "no-hooks", false, "leave the status hooks out")
	c.Flags().BoolVar(&o.noCompletion, "no-completion", false, "leave shell completion out")
	return c
}

func (o *installOptions) run() error {
	scope := claudecode.Scope(o.scope)
	if !scope.Valid() {
		return ui.Usagef("there is no scope %q", o.scope).Hinted("--scope user, project or local")
	}
	program, err := o.self(scope)
	if err != nil {
		return err
	}
	server := claudecode.Server{Type: "stdio", Command: program, Args: o.mcpArgs(), Env: map[string]string{}}
	if o.print {
		return o.show(scope, server)
	}
	changes, err := o.change(scope, server)
	if err != nil {
		return err
	}
	if err := o.showChanges(changes, o.dry); err != nil {
		return err
	}
	if !o.dry {
		o.out.Say("Claude Code starts claudemesh from its next session on; claudemesh doctor checks all of it")
	}
	return nil
}

// change makes all changes. Both files of Claude Code are looked at before one
// is written, so that a refusal changes nothing.
func (o *installOptions) change(scope claudecode.Scope, server claudecode.Server) ([]claudecode.Change, error) {
	home, err := o.claudeHome()
	if err != nil {
		return nil, err
	}
	registered, err := home.Register(scope, o.env.Dir, server, true)
	if err != nil {
		return nil, err
	}
	changes := []claudecode.Change{registered}
	if !o.noHooks {
		hooks, err := home.AddHooks(o.forHooks(server), o.dry)
		if err != nil {
			return nil, err
		}
		changes = append(changes, hooks...)
	}
	if !o.dry {
		if _, err := home.Register(scope, o.env.Dir, server, false); err != nil {
			return nil, err
		}
	}
	if o.noCompletion {
		return changes, nil
	}
	completion, err := o.installCompletion()
	return append(changes, completion...), err
}

// self is how this program is to be started. What a project shares must not
// name a path of this machine.
func (o *installOptions) self(scope claudecode.Scope) (string, error) {
	if o.program != "" {
		return o.program, nil
	}
	if scope == claudecode.ScopeProject {
		return "claudemesh", nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", ui.Failf("this program's own path is unknown: %v", err).Hinted("name it: --command PATH")
	}
	if strings.Contains(path, string(filepath.Separator)+"_npx"+string(filepath.Separator)) {
		return "", ui.Failf("this claudemesh lies in the cache of npx, which may be emptied at any time").
			Hinted("npm install -g claudemesh, then claudemesh install")
	}
	return path, nil
}

// forHooks is how hooks start this program. They stand in the user's own
// settings whatever the scope, so that scopes installed one after the other
// agree about them.
func (o *installOptions) forHooks(server claudecode.Server) string {
	if own, err := o.self(claudecode.ScopeUser); err == nil {
		return own
	}
	return server.Command
}

func (o *installOptions) mcpArgs() []string {
	if o.mesh == "" {
		return []string{"mcp"}
	}
	return []string{"mcp", "--mesh", o.mesh}
}

type printAnswer struct {
	Command    []string                     `json:"command"` // registers with Claude Code
	MCPServers map[string]claudecode.Server `json:"mcpServers"`
}

// show prints how to register by hand.
func (o *installOptions) show(scope claudecode.Scope, server claudecode.Server) error {
	command := append([]string{"claude", "mcp", "add", "--scope", string(scope), claudecode.ServerName, "--", server.Command}, server.Args...)
	servers := map[string]claudecode.Server{claudecode.ServerName: server}
	if o.out.JSON {
		return o.out.Answer(printAnswer{Command: command, MCPServers: servers})
	}
	text, err := json.MarshalIndent(map[string]any{"mcpServers": servers}, "", "  ")
	if err != nil {
		return err
	}
	o.out.Say("for Claude Code, run the command; for other MCP clients, paste the JSON into their configuration")
	return o.out.Text(strings.Join(command, " ") + "\n\n" + string(text) + "\n")
}

// claudeHome is where Claude Code keeps its files.
func (a *app) claudeHome() (claudecode.Home, error) {
	home, err := a.home()
	if err != nil {
		return claudecode.Home{}, err
	}
	return claudecode.NewHome(home, a.env.Getenv), nil
}

func (a *app) home() (string, error) {
	if home := a.env.Getenv("HOME"); home != "" {
		return home, nil
	}
	return "", ui.Failf("the home directory is unknown").Hinted("set HOME")
}

type changesAnswer struct {
	Changes []claudecode.Change `json:"changes"`
	DryRun  bool                `json:"dryRun"`
}

// changeWords say of an action what was done, and what would be.
var changeWords = map[string][2]string{
	claudecode.Added:   {"added", "would add"},
	claudecode.Updated: {"updated", "would update"},
	claudecode.Removed: {"removed", "would remove"},
	claudecode.Kept:    {"as it was", "as it is"},
}

func (a *app) showChanges(changes []claudecode.Change, dry bool) error {
	if a.out.JSON {
		if changes == nil {
			changes = []claudecode.Change{}
		}
		return a.out.Answer(changesAnswer{changes, dry})
	}
	var rows [][]string
	for _, c := range changes {
		words := changeWords[c.Action]
		word := words[0]
		if dry {
			word = words[1]
		}
		rows = append(rows, []string{word, c.What, a.shortPath(c.Path)})
	}
	return a.out.Table([]string{"DONE", "WHAT", "WHERE"}, rows)
}

// shortPath is a path as people write it.
func (a *app) shortPath(path string) string {
	home, err := a.home()
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); err == nil && ok && a.out.Terminal() {
		return "~" + string(filepath.Separator) + rest
	}
	return path
}

// completionFile is where the user's shell looks for completions; empty if
// there is no such place.
func (a *app) completionFile() (shell, path string, err error) {
	home, err := a.home()
	if err != nil {
		return "", "", err
	}
	switch shell = filepath.Base(a.env.Getenv("SHELL")); shell {
	case "bash":
		data := cmp.Or(a.env.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share"))
		path = filepath.Join(data, "bash-completion", "completions", "claudemesh")
	case "fish":
		config := cmp.Or(a.env.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config"))
		path = filepath.Join(config, "fish", "completions", "claudemesh.fish")
	}
	return shell, path, nil
}
