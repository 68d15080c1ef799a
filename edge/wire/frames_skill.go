package wire

import (
	"cmp"
	"encoding/json"
)

// ShareSkill gives the mesh a skill, replacing one of that name.
type ShareSkill struct {
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	Instructions string          `json:"instructions"`
	Tags         []string        `json:"tags,omitempty"`
	Manifest     json.RawMessage `json:"manifest,omitempty"`
	ReqID        ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeShareSkill.
func (ShareSkill) FrameType() Type { return TypeShareSkill }

// RequestID returns the _reqId.
func (m ShareSkill) RequestID() ReqID { return m.ReqID }

func (m *ShareSkill) validate() error {
	return cmp.Or(
		checkName("name", m.Name, MaxName),
		checkText("description", m.Description, MaxDescription),
		checkRequired("instructions", m.Instructions, MaxInstructions),
		checkTags(m.Tags),
		checkJSON("manifest", m.Manifest, MaxContent),
	)
}

// SkillAck says what became of a skill.
type SkillAck struct {
	Name   string      `json:"name"`
	Action SkillAction `json:"action"`
	ReqID  ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeSkillAck.
func (SkillAck) FrameType() Type { return TypeSkillAck }

// InReplyTo returns the _reqId of what was asked.
func (m SkillAck) InReplyTo() ReqID { return m.ReqID }

// SkillAction is what became of a skill.
type SkillAction string

// What can become of a skill.
const (
	SkillShared   SkillAction = "shared"
	SkillRemoved  SkillAction = "removed"
	SkillNotFound SkillAction = "not_found"
)

// GetSkill asks for one skill.
type GetSkill struct {
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeGetSkill.
func (GetSkill) FrameType() Type { return TypeGetSkill }

// RequestID returns the _reqId.
func (m GetSkill) RequestID() ReqID { return m.ReqID }

func (m *GetSkill) validate() error { return checkName("name", m.Name, MaxName) }

// SkillData has the skill, null if there is none of that name.
type SkillData struct {
	Skill *Skill `json:"skill"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeSkillData.
func (SkillData) FrameType() Type { return TypeSkillData }

// InReplyTo returns the _reqId of what was asked.
func (m SkillData) InReplyTo() ReqID { return m.ReqID }

// Skill is a way to do something, in words for an agent.
type Skill struct {
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	Instructions string          `json:"instructions"`
	Tags         []string        `json:"tags"`
	Author       string          `json:"author"` // name of the member
	Manifest     json.RawMessage `json:"manifest"`
	CreatedAt    Time            `json:"createdAt"`
}

// ListSkills asks for the skills of the mesh, or those that match.
type ListSkills struct {
	Query string `json:"query,omitempty"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeListSkills.
func (ListSkills) FrameType() Type { return TypeListSkills }

// RequestID returns the _reqId.
func (m ListSkills) RequestID() ReqID { return m.ReqID }

func (m *ListSkills) validate() error { return checkText("query", m.Query, MaxQuery) }

// SkillList has the skills in brief.
type SkillList struct {
	Skills []SkillBrief `json:"skills"`
	ReqID  ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeSkillList.
func (SkillList) FrameType() Type { return TypeSkillList }

// InReplyTo returns the _reqId of what was asked.
func (m SkillList) InReplyTo() ReqID { return m.ReqID }

// SkillBrief is a skill without its instructions.
type SkillBrief struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	Author      string   `json:"author"`
	CreatedAt   Time     `json:"createdAt"`
}

// RemoveSkill drops a skill.
type RemoveSkill struct {
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeRemoveSkill.
func (RemoveSkill) FrameType() Type { return TypeRemoveSkill }

// RequestID returns the _reqId.
func (m RemoveSkill) RequestID() ReqID { return m.ReqID }

func (m *RemoveSkill) validate() error { return checkName("name", m.Name, MaxName) }
