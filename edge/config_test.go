package edge

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAnEmptyEnvironmentGivesTheDefaults(t *testing.T) {
	got, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if want := DefaultConfig(); got != want {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestEveryProblemOfTheConfigurationIsNamedAtOnce(t *testing.T) {
	for name, value := range map[string]string{
		"EDGE_REDIS_URL": "", "EDGE_LEASE_TTL": "10s", "EDGE_RENEW_EVERY": "9s", "EDGE_DRAIN_WITHIN": "30s",
		"EDGE_SEND_RATE": "0", "EDGE_FUNCTIONS": "elsewhere", "EDGE_MESH_CREATION": "token",
		"EDGE_OPERATOR_TOKEN": "tiny-token", "EDGE_TLS_CERT": "cert.pem", "EDGE_TYPO": "1",
		"EDGE_WATCH_ALLOW":    "10.0.0.0/8, 10.0.0.1",
		"EDGE_PROXY_PROTOCOL": "yes",
	} {
		t.Setenv(name, value)
	}
	_, err := LoadConfig()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"EDGE_REDIS_URL", "EDGE_RENEW_EVERY", "EDGE_DRAIN_WITHIN", "EDGE_SEND_RATE", "EDGE_FUNCTIONS",
		"EDGE_OPERATOR_TOKEN", "EDGE_TLS_CERT", "EDGE_TYPO", "EDGE_WATCH_ALLOW",
		"EDGE_PROXY_PROTOCOL",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "tiny-token") {
		t.Error("the error tells a secret")
	}
}

func TestASecretNeverShows(t *testing.T) {
	c := DefaultConfig()
	c.OperatorToken = "hunter2hunter2hunter2"
	if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.OperatorToken); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}

func TestUsageListsEveryVariable(t *testing.T) {
	var b bytes.Buffer
	if err := Usage(&b); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(b.String(), "EDGE_"), reflect.TypeFor[Config]().NumField(); got < want {
		t.Errorf("%d of %d variables:\n%s", got, want, b.String())
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if f.Tag.Get("desc") == "" {
			t.Errorf("%s has no description", f.Name)
		}
	}
}
