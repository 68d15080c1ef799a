package wire_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// vectors is testdata/vectors.json. Other rooms read it too, for their groups.
type vectors struct {
	Fixtures struct {
		MeshID   string `json:"mesh_id"`
		Keypairs map[string]struct {
			Seed   string `json:"seed"`
			Public string `json:"ed25519_public"`
		} `json:"keypairs"`
	} `json:"fixtures"`
	Vectors []vector `json:"vectors"`
}

type vector struct {
	Name     string          `json:"name"`
	Group    string          `json:"group"`
	Rule     string          `json:"rule"`
	Inputs   json.RawMessage `json:"inputs"`
	Expected json.RawMessage `json:"expected"`

	keys map[string]ed25519.PrivateKey
}

// in reads the vector's inputs, want what is expected.
func in[T any](t *testing.T, v vector) T   { return unmarshal[T](t, v.Inputs) }
func want[T any](t *testing.T, v vector) T { return unmarshal[T](t, v.Expected) }

func unmarshal[T any](t *testing.T, b []byte) (out T) {
	t.Helper()
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func loadVectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	all := unmarshal[vectors](t, b)
	keys := map[string]ed25519.PrivateKey{}
	for name, pair := range all.Fixtures.Keypairs {
		seed, err := hex.DecodeString(pair.Seed)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = ed25519.NewKeyFromSeed(seed)
		if got := wire.PublicKey(keys[name]); got != pair.Public {
			t.Fatalf("public key of %s = %s, want %s", name, got, pair.Public)
		}
	}
	for i := range all.Vectors {
		all.Vectors[i].keys = keys
	}
	return all.Vectors
}

// elsewhere are the groups that this package does not decide.
var elsewhere = map[string]string{
	"ed25519_to_x25519":     "keys are converted where boxes are made: cli/internal/seal",
	"crypto_box":            "boxes are made by peers: cli/internal/seal",
	"crypto_box_open":       "boxes are opened by peers: cli/internal/seal",
	"crypto_secretbox":      "boxes are made by peers: cli/internal/seal",
	"crypto_secretbox_open": "boxes are opened by peers: cli/internal/seal",
	"sealed_box":            "boxes are made by peers: cli/internal/seal",
	"topic_key_seal":        "copies of topic keys are made by peers: cli/internal/seal",
	"vault":                 "values of the vault are sealed by peers: cli/internal/seal",
	"backup":                "backups are not offered",
	"encrypt_decision":      "what is sealed is decided by peers: cli/internal/seal",
	"plaintext_encoding":    "bodies are encoded by peers: cli/internal/seal",
	"jwt":                   "there are no tokens: requests are signed",
	"jwt_sync":              "there are no tokens: requests are signed",
	"token_bucket":          "buckets live in Redis: queue",
}

// different are the vectors whose reference behaviour was not taken over.
var different = map[string]string{}

// runners are the groups that this package decides.
var runners = map[string]func(*testing.T, vector){
	"hello":                testHelloVector,
	"hello_verify":         testHelloVerifyVector,
	"hello_session_pubkey": testHelloSessionPubkeyVector,
	"session_attestation":  testAttestationVector,
	"session_hello":        testSessionHelloVector,
	"session_hello_verify": testSessionHelloVerifyVector,
	"invite_v1":            testInviteV1Vector,
	"invite_v1_verify":     testInviteV1VerifyVector,
	"invite_v1_broker":     testInviteV1BrokerVector,
	"invite_v2":            testInviteV2Vector,
	"invite_input":         testJoinInputVector,
	"request_fingerprint":  testFingerprintVector,
	"safety_number":        testSafetyNumberVector,
	"target_class":         testTargetClassVector,
	"priority_gate":        testPriorityGateVector,
	"group_targets":        testGroupTargetsVector,
	"grants":               testGrantsVector,
	"status_write":         testStatusWriteVector,
	"audit_hash":           testAuditHashVector,
	"api_key":              testAPIKeyVector,
}

func TestEveryVectorHoldsOrIsListed(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			if reason, ok := elsewhere[v.Group]; ok {
				t.Skip(reason)
			}
			if reason, ok := different[v.Name]; ok {
				t.Skip(reason)
			}
			run, ok := runners[v.Group]
			if !ok {
				t.Fatalf("group %s is neither run nor listed", v.Group)
			}
			run(t, v)
		})
	}
}

// verdict is what most vectors expect.
type verdict struct {
	OK            bool   `json:"ok"`
	Code          string `json:"code"`
	Close         int    `json:"close"`
	SignatureStep string `json:"signature_step"`
	Status        int    `json:"status"`
	Error         string `json:"error"`
	Reason        string `json:"reason"`
}

func checkRefusal(t *testing.T, got *wire.Refusal, want verdict) {
	t.Helper()
	switch {
	case want.OK && got != nil:
		t.Fatalf("refused with %s", got.Code)
	case want.OK:
	case got == nil:
		t.Fatalf("accepted, want %s", want.Code)
	case string(got.Code) != want.Code || int(got.Close) != want.Close || got.Reason != want.Code:
		t.Fatalf("refused with %s, close %d %s; want %s, close %d", got.Code, got.Close, got.Reason, want.Code, want.Close)
	}
}
