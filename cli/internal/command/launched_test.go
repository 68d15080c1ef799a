package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/google/go-cmp/cmp"
)

func TestWhatLaunchPutsIntoTheEnvironmentIsReadBack(t *testing.T) {
	t.Parallel()
	want := launched{
		Mesh: "acme", Session: "two", Name: "the api", Role: "reviewer",
		Groups: []wire.Group{{Name: "backend", Role: "lead"}, {Name: "ops"}},
	}
	env := map[string]string{}
	for _, v := range withEnv([]string{"PATH=/bin", EnvName + "=older"}, want.environ()) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	got, err := launchedIn(func(name string) string { return env[name] })
	if diff := cmp.Diff(want, got); err != nil || diff != "" || env["PATH"] != "/bin" {
		t.Errorf("%v %s", err, diff)
	}
	none := withEnv([]string{EnvName + "=older", EnvRole + "=older"}, launched{}.environ())
	if len(none) > 0 {
		t.Errorf("an empty value is %v", none)
	}
	if _, err := launchedIn(func(string) string { return ":x" }); err == nil {
		t.Error("a group without a name is taken")
	}
}

func TestGroupsAreListedByNameWithThosePresent(t *testing.T) {
	t.Parallel()
	got := groupsOf([]wire.PeerInfo{
		{DisplayName: "bob", Pubkey: "b", MemberPubkey: "mb", Groups: []wire.Group{{Name: "ops"}, {Name: "api", Role: "lead"}}},
		{DisplayName: "ana", Pubkey: "a", MemberPubkey: "me", Groups: []wire.Group{{Name: "ops"}}},
	}, "me")
	want := []listedGroup{
		{Name: "api", Peers: []groupMember{{Name: "bob", Pubkey: "b", Role: "lead"}}},
		{Name: "ops", Mine: true, Peers: []groupMember{{Name: "ana", Pubkey: "a"}, {Name: "bob", Pubkey: "b"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if none := groupsOf(nil, "me"); none == nil || len(none) > 0 {
		t.Errorf("no groups are %#v, which JSON shows otherwise", none)
	}
}

// TestEveryVerbIsInAChapterAndSaysWhatItDoes reads help as a newcomer does.
func TestEveryVerbIsInAChapterAndSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "")
	out, _, _ := m.run("help")
	if strings.Contains(out, "Additional Commands") {
		t.Errorf("a verb is in no chapter:\n%s", out)
	}
	for _, c := range chapters {
		for verb := range strings.FieldsSeq(c.verbs) {
			help, talk, code := m.run("help", verb)
			if code != 0 || talk != "" || len(help) < 40 {
				t.Errorf("help %s: exit %d %q", verb, code, help+talk)
			}
			long := slices.Collect(strings.Lines(help))
			for _, line := range long {
				if verb != "completion" && len([]rune(line)) > widestLines+1 {
					t.Errorf("help %s has a line of %d: %s", verb, len(line), line)
				}
			}
		}
	}
}
