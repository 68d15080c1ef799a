package admin

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// timeout bounds a request to the broker, from dialling to the last byte.
	timeout = 10 * time.Second

	// maxAnswer bounds an answer. The largest is the list of a full mesh.
	maxAnswer = 16 << 20
)

// HTTP follows no redirects: a signature covers one address, and a body is for
// the one it was written to.
var HTTP = &http.Client{
	Timeout:       timeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ErrAddress says that a broker's address is none.
var ErrAddress = errors.New("admin: not the address of a broker")

// StatusError is an answer that no claudemesh broker gives.
type StatusError struct {
	Broker string
	Status int // 2xx: the body was not what was expected
}

// Error tells the status.
func (e *StatusError) Error() string {
	if e.Status/100 == 2 {
		return "admin: the broker's answer is not what was expected"
	}
	return fmt.Sprintf("admin: the broker answered with status %d", e.Status)
}

// Answer is what came back.
type Answer struct {
	Status int
	Body   []byte
}

// Into decodes the body of an answer, whatever its status.
func (a Answer) Into(broker string, v any) error {
	if json.Unmarshal(a.Body, v) != nil {
		return &StatusError{Broker: broker, Status: a.Status}
	}
	return nil
}

// Call sends in as JSON, nothing where it is nil. A key signs the request.
func Call(ctx context.Context, method, broker, path string, in any, key ed25519.PrivateKey) (Answer, error) {
	return send(ctx, method, broker, path, in, key, nil)
}

func send(ctx context.Context, method, broker, path string, in any, key ed25519.PrivateKey, header http.Header) (Answer, error) {
	base, err := wire.HTTPAddress(broker)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %q: %w", ErrAddress, broker, err)
	}
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return Answer{}, fmt.Errorf("admin: request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %q: %w", ErrAddress, broker, err)
	}
	if header != nil {
		req.Header = header
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != nil {
		wire.SignRequest(req, body, key, time.Now())
	}
	res, err := HTTP.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", peer.ErrUnreachable, err)
	}
	return Answer{Status: res.StatusCode, Body: answer}, nil
}
