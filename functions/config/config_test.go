package config_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/functions/config"
)

func TestASecretIsFetchedFromTheExtension(t *testing.T) {
	t.Setenv("AWS_SESSION_TOKEN", "session")
	extension := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/secretsmanager/get" || r.Header.Get("X-Aws-Parameters-Secrets-Token") != "session" ||
			r.URL.Query().Get("secretId") != "arn:aws:secretsmanager:eu-central-1:1:secret:redis" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"ARN":"x","SecretString":"rediss://:pw@host:6379"}`))
	}))
	t.Cleanup(extension.Close)
	at, err := url.Parse(extension.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", at.Port())
	t.Setenv("FUNCTIONS_REDIS_URL", "secret:arn:aws:secretsmanager:eu-central-1:1:secret:redis")
	named, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	c, err := named.Resolve(t.Context())
	if err != nil || c.RedisURL != "rediss://:pw@host:6379" {
		t.Fatalf("got %v", err)
	}
	named.OperatorToken = "secret:arn:other"
	if _, err := named.Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "FUNCTIONS_OPERATOR_TOKEN") {
		t.Errorf("a missing secret: %v", err)
	}
}

func TestAddressesFollowFromThePublicOne(t *testing.T) {
	t.Parallel()
	for public, want := range map[string][2]string{
		"":                           {"", ""},
		"https://mesh.example":       {"https://mesh.example", "wss://mesh.example/ws"},
		"wss://mesh.example:8443/ws": {"https://mesh.example:8443", "wss://mesh.example:8443/ws"},
		"http://127.0.0.1:7900":      {"http://127.0.0.1:7900", "ws://127.0.0.1:7900/ws"},
	} {
		c := config.Config{PublicURL: public}
		if got := [2]string{c.WebURL(), c.BrokerURL()}; got != want {
			t.Errorf("%q: got %q, want %q", public, got, want)
		}
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := config.Usage(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"FUNCTIONS_ADDR", "FUNCTIONS_REDIS_URL", "FUNCTIONS_PUBLIC_URL", "FUNCTIONS_MESH_CREATION", "FUNCTIONS_OPERATOR_TOKEN", "FUNCTIONS_PROXIES",
	} {
		if !strings.Contains(b.String(), name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
}
