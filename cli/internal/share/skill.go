package share

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Skill is a way to do something, in words for an agent.
type Skill struct {
	Name         string    `json:"name"`
	Description  string    `json:"description"`
	Tags         []string  `json:"tags"`
	Instructions string    `json:"instructions,omitempty"` // not of a list
	By           string    `json:"by"`                     // by the broker's word
	At           time.Time `json:"at"`
	Origin
}

// skillBody is what is sealed of it for lists.
type skillBody struct {
	Description string   `json:"description"`
	Tags        []string `json:"tags,omitempty"`
}

// ShareSkill gives the mesh a skill, in place of ours of that name. Name,
// Description, Tags and Instructions of s are read.
func (m *Mesh) ShareSkill(ctx context.Context, s Skill) error {
	r := &wire.ShareSkill{Name: s.Name, Description: s.Description, Tags: s.Tags, Instructions: s.Instructions}
	body := skillBody{s.Description, s.Tags}
	if err := m.seal(purposeSkill, s.Name, body, &r.Description, &r.Tags, wire.MaxDescription); err != nil {
		return err
	}
	if err := m.seal(purposeSteps, s.Name, s.Instructions, &r.Instructions, nil, wire.MaxInstructions); err != nil {
		return err
	}
	return Do(ctx, m, r)
}

// Skill returns one skill; ok is false if there is none.
func (m *Mesh) Skill(ctx context.Context, name string) (s Skill, ok bool, err error) {
	r, err := Ask[*wire.SkillData](ctx, m, &wire.GetSkill{Name: name})
	if err != nil || r.Skill == nil {
		return Skill{}, false, err
	}
	w := r.Skill
	s = m.openSkill(&wire.SkillBrief{
		Name: w.Name, Description: w.Description, Tags: w.Tags, Author: w.Author, CreatedAt: w.CreatedAt,
	})
	s.Instructions = w.Instructions
	steps := m.unseal(purposeSteps, w.Name, w.Instructions, &s.Instructions)
	s.Problem = cmp.Or(s.Problem, steps.Problem)
	if w.Name != name {
		s.Name, s.Problem = name, "the broker gave another skill than that"
	}
	if s.Problem == "" && (steps.Sealed != s.Sealed || steps.Author != s.Author) {
		s.Problem = "its description and its instructions are from two different hands"
	}
	if s.Problem != "" {
		s.Instructions = "" // half of a skill is none
	}
	return s, true, nil
}

// Skills returns the skills in which the query stands, or all, oldest first.
func (m *Mesh) Skills(ctx context.Context, query string) ([]Skill, error) {
	r, err := Ask[*wire.SkillList](ctx, m, &wire.ListSkills{})
	if err != nil {
		return nil, err
	}
	found, query := []Skill{}, strings.ToLower(query)
	for i := range r.Skills {
		s := m.openSkill(&r.Skills[i])
		text := strings.Join(append([]string{s.Name, s.Description}, s.Tags...), "\n")
		if strings.Contains(strings.ToLower(text), query) {
			found = append(found, s)
		}
	}
	return found, nil
}

// RemoveSkill drops a skill, and reports whether there was one.
func (m *Mesh) RemoveSkill(ctx context.Context, name string) (bool, error) {
	r, err := Ask[*wire.SkillAck](ctx, m, &wire.RemoveSkill{Name: name})
	return err == nil && r.Action == wire.SkillRemoved, err
}

func (m *Mesh) openSkill(w *wire.SkillBrief) Skill {
	body := skillBody{w.Description, w.Tags}
	o := m.unseal(purposeSkill, w.Name, w.Description, &body)
	return Skill{
		Name: w.Name, Description: body.Description, Tags: notNil(body.Tags), By: w.Author, At: o.when(w.CreatedAt), Origin: o,
	}
}
