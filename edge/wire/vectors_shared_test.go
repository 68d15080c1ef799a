package wire_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func testAPIKeyVector(t *testing.T, v vector) {
	input := in[struct {
		RandomHex string `json:"random_hex"`
	}](t, v)
	expected := want[struct{ Secret, Prefix, SHA256 string }](t, v)
	random, err := hex.DecodeString(input.RandomHex)
	if err != nil {
		t.Fatal(err)
	}
	if got := "cm_" + base64.RawURLEncoding.EncodeToString(random); got != expected.Secret || !wire.IsAPIKey(got) {
		t.Errorf("secret = %s, want %s, of the shape of a key", got, expected.Secret)
	}
	if got := wire.APIKeyPrefix(expected.Secret); got != expected.Prefix {
		t.Errorf("prefix = %s, want %s", got, expected.Prefix)
	}
	if got := wire.SecretHash(expected.Secret); got != expected.SHA256 {
		t.Errorf("hash = %s, want %s", got, expected.SHA256)
	}
}

func testAuditHashVector(t *testing.T, v vector) {
	input := in[struct {
		PrevHash      string          `json:"prev_hash"`
		MeshID        string          `json:"mesh_id"`
		EventType     string          `json:"event_type"`
		ActorMemberID string          `json:"actor_member_id"`
		Payload       json.RawMessage `json:"payload"`
		CreatedAt     time.Time       `json:"created_at"`
	}](t, v)
	got, err := wire.AuditHash(
		input.PrevHash, input.MeshID, input.EventType, input.ActorMemberID, input.Payload, input.CreatedAt,
	)
	if expected := want[struct{ Hash string }](t, v).Hash; err != nil || got != expected {
		t.Errorf("hash = %s, %v; want %s", got, err, expected)
	}
}
