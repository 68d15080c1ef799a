package serve_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// An extension is AWS's, which serves secrets to the function beside it.
type extension struct {
	secrets map[string]string
	invoked atomic.Bool
	asked   atomic.Int32 // since it was invoked
	broken  atomic.Bool
}

// ServeHTTP turns everybody away until there is an event, as the real one does:
// Lambda tells it of the first event when it tells the function.
func (e *extension) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secret, known := e.secrets[r.URL.Query().Get("secretId")]
	switch {
	case !e.invoked.Load() || e.asked.Add(1) <= 2:
		http.Error(w, "not ready to serve traffic, please wait", http.StatusBadRequest)
	case e.broken.Load() || !known || r.Header.Get("X-Aws-Parameters-Secrets-Token") != "session":
		http.Error(w, "an unexpected error occurred while executing request", http.StatusInternalServerError)
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": secret})
	}
}

func withExtension(t *testing.T, e *extension) []string {
	t.Helper()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT=" + at.Port(), "AWS_SESSION_TOKEN=session",
		"FUNCTIONS_REDIS_URL=secret:arn:redis", "FUNCTIONS_MESH_CREATION=token", "FUNCTIONS_OPERATOR_TOKEN=secret:arn:operator",
	}
}

// TestSecretsAreAskedForWhenTheFirstEventIsThere: while the function starts, the
// extension does not answer yet.
func TestSecretsAreAskedForWhenTheFirstEventIsThere(t *testing.T) {
	t.Parallel()
	e := &extension{secrets: map[string]string{"arn:redis": redistest.Start(t).URL(), "arn:operator": "correct horse battery"}}
	rt := start(t, "admin", 1, withExtension(t, e)...)
	select {
	case <-rt.asked:
	case <-rt.exited:
		t.Fatal("the function ended before its first event")
	}
	e.invoked.Store(true)
	e.broken.Store(true)
	if a := rt.invoke(createEvent(t, functionstest.Key()), lambdaTimeout); a.Status != 503 || a.Header["Retry-After"] == "" {
		t.Errorf("without secrets: %+v", a)
	}
	e.broken.Store(false)
	if a := rt.invoke(createEvent(t, functionstest.Key()), lambdaTimeout); a.Status != 403 || !strings.Contains(a.Body, "operator_token") {
		t.Errorf("with secrets, and a request without the operator's token: %+v", a)
	}
}

// TestASecretThatIsNoneIsAnsweredFor: what comes out of a secret is checked like
// what stands in the environment.
func TestASecretThatIsNoneIsAnsweredFor(t *testing.T) {
	t.Parallel()
	e := &extension{secrets: map[string]string{"arn:redis": redistest.Start(t).URL(), "arn:operator": "short"}}
	e.invoked.Store(true)
	rt := start(t, "admin", 1, withExtension(t, e)...)
	if a := rt.invoke(createEvent(t, functionstest.Key()), lambdaTimeout); a.Status != 503 {
		t.Errorf("with an operator's token that anybody guesses: %+v", a)
	}
}
