package wire_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

type auditVector struct {
	Name   string
	Inputs struct {
		PrevHash      string          `json:"prev_hash"`
		MeshID        string          `json:"mesh_id"`
		EventType     string          `json:"event_type"`
		ActorMemberID string          `json:"actor_member_id"`
		Payload       json.RawMessage `json:"payload"`
		CreatedAt     time.Time       `json:"created_at"`
	}
	Expected struct{ Hash string }
}

func TestAuditHashesAreThoseOfTheVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts struct {
		Vectors []json.RawMessage
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, raw := range parts.Vectors {
		if !strings.Contains(string(raw), `"audit_hash"`) {
			continue
		}
		var v auditVector
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		got, err := wire.AuditHash(v.Inputs.PrevHash, v.Inputs.MeshID, v.Inputs.EventType, v.Inputs.ActorMemberID, v.Inputs.Payload, v.Inputs.CreatedAt)
		if err != nil || got != v.Expected.Hash {
			t.Errorf("%s: got %s, %v", v.Name, got, err)
		}
		found++
	}
	if found != 3 {
		t.Errorf("%d vectors", found)
	}
}
