package config

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	secretPrefix = "secret:"
	secretWithin = 3 * time.Second
	secretAgain  = 20 * time.Millisecond
	maxSecret    = 64 << 10

	// The AWS extension "Parameters and Secrets" serves secrets to the function
	// beside it, on this port unless told otherwise.
	extensionPort     = "2773"
	extensionPortName = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"
)

// isName says that what stands there is where the secret is.
func (s Secret) isName() bool { return strings.HasPrefix(string(s), secretPrefix) }

// Resolve returns c with every value secret:ARN replaced by the secret of that
// name, which it asks of the extension that AWS offers as a layer. A secret
// written into the environment itself would be shown to whoever may look at the
// function. The extension answers from the first event on, not before.
func (c Config) Resolve(ctx context.Context) (Config, error) {
	ctx, cancel := context.WithTimeout(ctx, secretWithin)
	defer cancel()
	var errs []error
	for name, value := range map[string]*Secret{
		"FUNCTIONS_REDIS_URL": &c.RedisURL, "FUNCTIONS_OPERATOR_TOKEN": &c.OperatorToken,
		"FUNCTIONS_EDGE_TOKEN": &c.EdgeToken,
	} {
		if !value.isName() {
			continue
		}
		text, err := fetchSecret(ctx, strings.TrimPrefix(string(*value), secretPrefix))
		if err != nil {
			errs = append(errs, fmt.Errorf("functions: config: %s: %w", name, err))
			continue
		}
		*value = Secret(text)
	}
	return c, errors.Join(append(errs, c.check())...)
}

var errNotReady = errors.New("the extension is not ready")

// fetchSecret asks until the extension is ready, which it is told at the same
// moment as the function that there is an event.
func fetchSecret(ctx context.Context, arn string) (string, error) {
	again := time.NewTicker(secretAgain)
	defer again.Stop()
	for {
		text, err := askSecret(ctx, arn)
		if !errors.Is(err, errNotReady) {
			return text, err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-again.C:
		}
	}
}

func askSecret(ctx context.Context, arn string) (string, error) {
	at := url.URL{
		Scheme: "http", Host: "127.0.0.1:" + cmp.Or(os.Getenv(extensionPortName), extensionPort),
		Path: "/secretsmanager/get", RawQuery: url.Values{"secretId": {arn}}.Encode(),
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", fmt.Errorf("ask for the secret: %w", err)
	}
	r.Header.Set("X-Aws-Parameters-Secrets-Token", os.Getenv("AWS_SESSION_TOKEN"))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask for the secret (is the extension's layer there?): %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSecret))
	if answer.StatusCode == http.StatusBadRequest && strings.Contains(string(body), "not ready") {
		return "", errNotReady
	}
	var out struct{ SecretString string }
	err = errors.Join(err, json.Unmarshal(body, &out))
	if answer.StatusCode != http.StatusOK || err != nil || out.SecretString == "" {
		return "", fmt.Errorf("the extension has no such secret: status %d", answer.StatusCode)
	}
	return out.SecretString, nil
}
