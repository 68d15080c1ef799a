package commons

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// skillShelf holds the skills of the mesh: name → skillRecord.
var skillShelf = shelf{name: "skill", fields: 200, bytes: 8 << 20}

// skillRecord is one skill. It belongs to the member that shared it first.
type skillRecord struct {
	Description  string          `json:"description"`
	Instructions string          `json:"instructions"`
	Tags         []string        `json:"tags,omitempty"`
	Manifest     json.RawMessage `json:"manifest,omitempty"`
	Author       string          `json:"author"`
	AuthorKey    string          `json:"authorKey"`
	At           int64           `json:"at"` // milliseconds
}

func (s *Commons) registerSkills() {
	on(s.table, s.shareSkill)
	on(s.table, s.getSkill)
	on(s.table, s.listSkills)
	on(s.table, s.removeSkill)
}

func (s *Commons) shareSkill(ctx context.Context, who *Caller, m *wire.ShareSkill) (wire.Message, error) {
	record, err := encodeRecord(skillRecord{
		Description: m.Description, Instructions: m.Instructions, Tags: m.Tags, Manifest: m.Manifest,
		Author: who.Member.Name, AuthorKey: who.Member.Key, At: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	_, err = s.changeSkill(ctx, who, m.Name, func(string) change { return set(skillShelf, m.Name, record) })
	return &wire.SkillAck{Name: m.Name, Action: wire.SkillShared, ReqID: m.ReqID}, err
}

func (s *Commons) removeSkill(ctx context.Context, who *Caller, m *wire.RemoveSkill) (wire.Message, error) {
	was, err := s.changeSkill(ctx, who, m.Name, func(string) change { return remove(skillShelf, m.Name) })
	reply := &wire.SkillAck{Name: m.Name, Action: wire.SkillRemoved, ReqID: m.ReqID}
	if !was {
		reply.Action = wire.SkillNotFound
	}
	return reply, err
}

// changeSkill changes a skill that is the caller's own, or any as an admin. It
// reports whether there was one.
func (s *Commons) changeSkill(ctx context.Context, who *Caller, name string, f func(old string) change) (was bool, err error) {
	err = retry(ctx, func() error {
		old, err := s.get(ctx, who.Peer.Mesh, skillShelf, name)
		if err != nil {
			return err
		}
		if was = old != ""; was {
			r, err := decodeRecord[skillRecord](old)
			if err != nil {
				return err
			}
			refusal := refuse(wire.CodeForbidden, "the skill %q is %s's: only its author or an admin may change it", name, r.Author)
			if err := s.mayChange(ctx, who, r.AuthorKey, refusal); err != nil {
				return err
			}
		}
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{f(old).was(old)}})
		return err
	})
	return was, err
}

func (s *Commons) getSkill(ctx context.Context, who *Caller, m *wire.GetSkill) (wire.Message, error) {
	text, err := s.get(ctx, who.Peer.Mesh, skillShelf, m.Name)
	if err != nil || text == "" {
		return &wire.SkillData{ReqID: m.ReqID}, err
	}
	r, err := decodeRecord[skillRecord](text)
	if err != nil {
		return nil, err
	}
	if r.Manifest == nil {
		r.Manifest = json.RawMessage("null")
	}
	return &wire.SkillData{ReqID: m.ReqID, Skill: &wire.Skill{
		Name: m.Name, Description: r.Description, Instructions: r.Instructions, Tags: notNil(r.Tags), Author: r.Author,
		Manifest: r.Manifest, CreatedAt: moment(r.At),
	}}, nil
}

func (s *Commons) listSkills(ctx context.Context, who *Caller, m *wire.ListSkills) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, skillShelf)
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[skillRecord](all)
	if err != nil {
		return nil, err
	}
	reply := &wire.SkillList{Skills: []wire.SkillBrief{}, ReqID: m.ReqID}
	query := strings.ToLower(m.Query)
	for _, name := range oldestFirst(records, func(r skillRecord) int64 { return r.At }) {
		r := records[name]
		if !strings.Contains(strings.ToLower(name+"\n"+searchable(r.Description, r.Tags)), query) {
			continue
		}
		reply.Skills = append(reply.Skills, wire.SkillBrief{
			Name: name, Description: r.Description, Tags: notNil(r.Tags), Author: r.Author, CreatedAt: moment(r.At),
		})
	}
	return reply, nil
}
