package share

import "testing"

// Asked for one skill, the broker hands out another one, as sealed as the first.
func TestALyingBrokerCannotPassOneSkillOffAsAnother(t *testing.T) {
	t.Parallel()
	b, ana, ben := stage(t)
	for _, name := range []string{"deploy", "wipe"} {
		if err := ana.ShareSkill(t.Context(), Skill{Name: name, Description: "d", Instructions: "steps of " + name}); err != nil {
			t.Fatal(err)
		}
	}
	b.skills["deploy"] = b.skills["wipe"]
	s, _, err := ben.Skill(t.Context(), "deploy")
	if err != nil || s.Problem == "" || s.Instructions != "" || s.Name != "deploy" {
		t.Errorf("got %+v, %v", s, err)
	}
}
