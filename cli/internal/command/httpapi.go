package command

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// httpTimeout bounds a request to the broker, from dialling to the last byte.
const httpTimeout = 10 * time.Second

// httpClient follows no redirects: a signature covers one address, and a body
// is for the one it was written to.
var httpClient = &http.Client{
	Timeout:       httpTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// call sends body as JSON and returns the answer and its status. A key signs
// the request.
func call(ctx context.Context, method, broker, path string, body any, key ed25519.PrivateKey) ([]byte, int, error) {
	base, err := wire.HTTPAddress(broker)
	if err != nil {
		return nil, 0, ui.Usagef("broker address %q: %s", broker, plainWords(err)).Hinted("it looks like %s", defaultBrokerURL)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, 0, fmt.Errorf("request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(data))
	if err != nil {
		return nil, 0, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != nil {
		wire.SignRequest(req, data, key, time.Now())
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxHTTPBody))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
	}
	return answer, res.StatusCode, nil
}

// callSigned is [call] for our own endpoints: it decodes the answer into out,
// and a refusal into an error.
func callSigned(ctx context.Context, method, broker, path string, in, out any, key ed25519.PrivateKey) error {
	answer, status, err := call(ctx, method, broker, path, in, key)
	if err != nil {
		return err
	}
	if status/100 == 2 {
		if err := json.Unmarshal(answer, out); err != nil {
			return ui.Failf("the broker's answer is not what was expected").Hinted("is %s a claudemesh broker?", broker)
		}
		return nil
	}
	var refusal wire.HTTPError
	if json.Unmarshal(answer, &refusal) != nil || refusal.Error.Code == "" {
		return ui.Failf("the broker answered with status %d", status).
			Hinted("is %s a claudemesh broker that allows this?", broker)
	}
	return &peer.RefusedError{Code: refusal.Error.Code, Message: refusal.Error.Message}
}
