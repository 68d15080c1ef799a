package command

import (
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Variables by which launch tells what it starts, and everything inside, which
// session it is. A person may set them as well. None of them is a secret.
const (
	EnvMesh    = "CLAUDEMESH_MESH"    // slug of the mesh
	EnvSession = "CLAUDEMESH_SESSION" // name or UUID of the session, as --session takes it
	EnvName    = "CLAUDEMESH_NAME"    // the name that others see
	EnvRole    = "CLAUDEMESH_ROLE"    // the title in the profile
	EnvGroups  = "CLAUDEMESH_GROUPS"  // names of groups, each with :ROLE if it has one, by commas
)

// launched is the session that a command runs in. The zero value is that of
// the working directory.
type launched struct {
	Mesh    string
	Session string
	Name    string
	Role    string
	Groups  []wire.Group // nil: the member's
}

// launchedIn reads the session that the environment names.
func launchedIn(getenv func(string) string) (launched, error) {
	groups, err := parseGroupList(getenv(EnvGroups))
	if err != nil {
		return launched{}, err
	}
	return launched{
		Mesh: getenv(EnvMesh), Session: getenv(EnvSession), Name: ui.CleanLine(getenv(EnvName)),
		Role: ui.CleanLine(getenv(EnvRole)), Groups: groups,
	}, nil
}

// environ is what launchedIn reads, as NAME=value.
func (l launched) environ() []string {
	var env []string
	for _, v := range [][2]string{
		{EnvMesh, l.Mesh}, {EnvSession, l.Session}, {EnvName, l.Name}, {EnvRole, l.Role}, {EnvGroups, joinGroups(l.Groups)},
	} {
		env = append(env, v[0]+"="+v[1])
	}
	return env
}

// parseGroupList reads names of groups, by commas, each with :ROLE if it has one.
func parseGroupList(list string) ([]wire.Group, error) {
	var groups []wire.Group
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, role, _ := strings.Cut(item, ":")
		g := wire.Group{Name: trimAt(name), Role: role}
		if err := g.Check(); err != nil {
			return nil, ui.Usagef("group %q: %s", item, plainWords(err)).Hinted("groups are written NAME, or NAME:ROLE")
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func joinGroups(groups []wire.Group) string {
	var items []string
	for _, g := range groups {
		item := g.Name
		if g.Role != "" {
			item += ":" + g.Role
		}
		items = append(items, item)
	}
	return strings.Join(items, ",")
}
