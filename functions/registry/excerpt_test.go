package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestAnExcerptSaysWhatTheRegistrySays holds what other rooms' scripts read to
// what [Store.Admission] and [Store.Grants] answer.
func TestAnExcerptSaysWhatTheRegistrySays(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	mesh := newMesh(t, s)
	members, err := s.Members(t.Context(), mesh.ID)
	if err != nil || len(members) == 0 {
		t.Fatal(members, err)
	}
	memberKey := members[0].Key
	if _, err := s.SetGrants(t.Context(), mesh.ID, memberKey, wire.Grants{key(2): {wire.CapDM}}); err != nil {
		t.Fatal(err)
	}
	read := func(hash, field string) string {
		text, err := s.c.Raw().HGet(t.Context(), hash, field).Result()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var fields []string
	for field, value := range s.c.Raw().HGetAll(t.Context(), s.MeshKey(mesh.ID)).Val() {
		fields = append(fields, field, value)
	}
	e := Excerpt{
		Member: read(s.MembersKey(mesh.ID), memberKey), Grants: read(s.GrantsKey(mesh.ID), memberKey), Mesh: fields,
	}
	m, member, grants, err := e.Decode(mesh.ID, strings.ToUpper(memberKey))
	if err != nil || m.Name != mesh.Name || member.ID != members[0].ID || member.Key != memberKey || len(grants[key(2)]) != 1 {
		t.Errorf("%+v, %+v, %v, %v", m, member, grants, err)
	}
	e.Grants = ""
	if _, _, grants, err := e.Decode(mesh.ID, memberKey); err != nil || grants != nil {
		t.Errorf("without grants: %v, %v", grants, err)
	}
	for name, broken := range map[string]Excerpt{
		"member": {Member: "x", Mesh: fields}, "grants": {Member: e.Member, Grants: "x", Mesh: fields}, "mesh": {Member: e.Member},
	} {
		if _, _, _, err := broken.Decode(mesh.ID, memberKey); err == nil || name == "mesh" && !errors.Is(err, ErrNoMesh) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
