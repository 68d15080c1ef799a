package claudecode

import (
	"encoding/json"
	"path/filepath"
	"reflect"
)

// Scope says for whom an MCP server is registered.
type Scope string

// The scopes, as Claude Code names them.
const (
	ScopeUser    Scope = "user"    // everywhere, for this user
	ScopeProject Scope = "project" // in this directory, for everybody who works on it
	ScopeLocal   Scope = "local"   // in this directory, for this user
)

// Valid reports whether s is one of the three.
func (s Scope) Valid() bool { return s == ScopeUser || s == ScopeProject || s == ScopeLocal }

// ServerName is the name under which the MCP server is registered.
const ServerName = "claudemesh"

// Server is an MCP server that is started as a process.
type Server struct {
	Type    string            `json:"type"`
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
}

// Home is where Claude Code of one user keeps its files.
type Home struct {
	state    string // .claude.json
	settings string // settings.json
}

// NewHome returns the home that the environment names.
func NewHome(home string, getenv func(string) string) Home {
	if dir := getenv("CLAUDE_CONFIG_DIR"); dir != "" {
		return Home{state: filepath.Join(dir, ".claude.json"), settings: filepath.Join(dir, "settings.json")}
	}
	return Home{state: filepath.Join(home, ".claude.json"), settings: filepath.Join(home, ".claude", "settings.json")}
}

// place is where the servers of a scope are registered.
func (h Home) place(scope Scope, dir string) (file string, path []string) {
	switch scope {
	case ScopeProject:
		return filepath.Join(dir, ".mcp.json"), []string{"mcpServers"}
	case ScopeLocal:
		return h.state, []string{"projects", dir, "mcpServers"}
	case ScopeUser:
	}
	return h.state, []string{"mcpServers"}
}

// Register registers the server in a scope, unless it only should be seen what
// that would do.
func (h Home) Register(scope Scope, dir string, server Server, dry bool) (Change, error) {
	file, path := h.place(scope, dir)
	path = append(path, ServerName)
	d, err := open(file)
	if err != nil {
		return Change{}, err
	}
	change := Change{Action: Added, What: "MCP server", Path: file}
	old, ok, err := find(d.text, path...)
	if err != nil {
		return Change{}, err
	}
	if ok {
		change.Action = Updated
		var now Server
		if json.Unmarshal(d.text[old.value:old.end], &now) == nil && reflect.DeepEqual(now, server) {
			change.Action = Kept
			return change, nil
		}
	}
	if d.text, err = set(d.text, server, path...); err != nil || dry {
		return change, err
	}
	return change, d.save()
}

// Unregister takes the server out of a scope. Its action is empty if it was not
// there.
func (h Home) Unregister(scope Scope, dir string, dry bool) (Change, error) {
	file, path := h.place(scope, dir)
	d, err := open(file)
	if err != nil {
		return Change{}, err
	}
	old, ok, err := find(d.text, append(path, ServerName)...)
	if err != nil || !ok {
		return Change{}, err
	}
	d.text = prune(remove(d.text, old), path...)
	change := Change{Action: Removed, What: "MCP server", Path: file}
	if dry {
		return change, nil
	}
	return change, d.save()
}

// Registered returns the scopes in which the server is registered for a
// directory, and how it is started in the narrowest of them, which counts.
func (h Home) Registered(dir string) ([]Scope, Server, error) {
	var scopes []Scope
	var server Server
	for _, scope := range []Scope{ScopeUser, ScopeProject, ScopeLocal} {
		file, path := h.place(scope, dir)
		d, err := open(file)
		if err != nil {
			return nil, Server{}, err
		}
		entry, ok, err := find(d.text, append(path, ServerName)...)
		if err != nil {
			return nil, Server{}, err
		}
		if ok {
			scopes = append(scopes, scope)
			_ = json.Unmarshal(d.text[entry.value:entry.end], &server) // of another shape: no command
		}
	}
	return scopes, server, nil
}
