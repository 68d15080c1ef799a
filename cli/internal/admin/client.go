package admin

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Client makes signed requests to a broker.
type Client struct {
	Broker   string
	Key      ed25519.PrivateKey
	Operator string               // the operator's token; empty for who is none
	Busy     func() (stop func()) // called around each request; may be nil
}

// ErrOperator says that the broker does not take the operator's token that was
// sent. One who sent none is only refused.
var ErrOperator = errors.New("admin: operator's token refused")

// do makes a request and decodes its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	if c.Busy != nil {
		defer c.Busy()()
	}
	header := make(http.Header)
	if c.Operator != "" {
		header.Set(wire.HeaderOperatorToken, c.Operator)
	}
	answer, err := send(ctx, method, c.Broker, path, in, c.Key, header)
	switch {
	case err != nil:
		return err
	case answer.Status/100 != 2:
		return c.refusal(answer)
	case out == nil:
		return nil
	}
	return answer.Into(c.Broker, out)
}

func (c *Client) refusal(a Answer) error {
	var answer wire.HTTPError
	if json.Unmarshal(a.Body, &answer) != nil || answer.Error.Code == "" {
		return &StatusError{Broker: c.Broker, Status: a.Status}
	}
	refused := &peer.RefusedError{Code: answer.Error.Code, Message: answer.Error.Message}
	if refused.Code == wire.CodeOperatorToken && c.Operator != "" {
		return fmt.Errorf("%w: %w", ErrOperator, refused)
	}
	return refused
}

// CreateMesh makes a mesh whose owner is the key that signs.
func (c *Client) CreateMesh(ctx context.Context, in *wire.CreateMeshRequest) (out wire.CreateMeshResponse, err error) {
	err = c.do(ctx, http.MethodPost, "/v1/meshes", in, &out)
	return out, err
}

// Meshes tells to which meshes the key belongs.
func (c *Client) Meshes(ctx context.Context) ([]wire.MeshOfMine, error) {
	var out wire.MeshesResponse
	err := c.do(ctx, http.MethodGet, "/v1/meshes", nil, &out)
	return out.Meshes, err
}

// Fleet lists the edges that are alive. It takes the operator's token.
func (c *Client) Fleet(ctx context.Context) ([]wire.FleetEdge, error) {
	var out wire.FleetResponse
	err := c.do(ctx, http.MethodGet, "/v1/fleet", nil, &out)
	return out.Edges, err
}
