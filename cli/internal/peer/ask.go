package peer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// ErrUncertain says that the connection was lost while a change was on its way:
// it may have been made. It wraps [ErrDisconnected].
var ErrUncertain = fmt.Errorf("%w; the change may have been made or not", ErrDisconnected)

// repeatable are the requests that change nothing, so they are asked again when
// their connection is lost before the answer.
var repeatable = map[wire.Type]bool{
	wire.TypeGetState: true, wire.TypeListState: true, wire.TypeRecall: true,
	wire.TypeGetContext: true, wire.TypeListContexts: true, wire.TypeListTasks: true,
	wire.TypeGetSkill: true, wire.TypeListSkills: true, wire.TypeVaultList: true, wire.TypeVaultGet: true,
	wire.TypeMeshInfo: true, wire.TypeListStreams: true, wire.TypeListScheduled: true,
	wire.TypeTopicList: true, wire.TypeTopicMembers: true, wire.TypeTopicHistory: true,
	wire.TypeTopicKey: true, wire.TypeTopicPendingSeals: true, wire.TypeNotifications: true,
	wire.TypeAPIKeyList: true, wire.TypeMCPList: true, wire.TypeWatchList: true, wire.TypeListWebhooks: true,
	wire.TypeAuditQuery: true, wire.TypeAuditVerify: true, wire.TypeGetClock: true,
	wire.TypeListBans: true, wire.TypeGetGrants: true,
}

// Ask sends a request, which must not carry a _reqId, and returns what answers
// it. A refusal is a [*RefusedError], also where the request could never be
// acted on and so was not sent. Where a connection is lost, what only reads is
// asked again on the next one; a change is not: its error is [ErrUncertain].
func (c *Client) Ask(ctx context.Context, r wire.Request) (wire.Message, error) {
	frame, err := wire.Encode(r)
	if err != nil {
		return nil, err
	}
	if err := checkRequest(frame); err != nil {
		return nil, err
	}
	quiet, err := c.unanswered(ctx, r)
	if err != nil {
		return nil, err
	}
	if quiet {
		return &wire.OK{}, c.tellFrame(ctx, frame)
	}
	for {
		answer, err := c.exchange(ctx, c.patience(r), func(id wire.ReqID) ([]byte, error) { return withReqID(frame, id), nil })
		switch {
		case errors.Is(err, ErrDisconnected) && repeatable[r.FrameType()]:
			continue // it waits for the next connection
		case errors.Is(err, ErrDisconnected):
			return nil, ErrUncertain
		case err != nil:
			return nil, err
		}
		if refusal, ok := answer.(*wire.ErrorFrame); ok {
			return nil, &RefusedError{Code: refusal.Code, Message: refusal.Message}
		}
		return answer, nil
	}
}

// relayed are the requests that another peer answers. The broker says when that
// has taken too long.
var relayed = map[wire.Type]bool{wire.TypeMCPCall: true, wire.TypePeerFileRequest: true, wire.TypePeerDirRequest: true}

// Relayed reports whether r is answered by another peer.
func Relayed(r wire.Request) bool { return relayed[r.FrameType()] }

func (c *Client) patience(r wire.Request) time.Duration {
	if Relayed(r) {
		return c.t.relayed
	}
	return c.t.request
}

// checkRequest refuses what a broker would refuse without looking further.
func checkRequest(frame []byte) error {
	_, err := wire.Decode(frame)
	var bad *wire.DecodeError
	if errors.As(err, &bad) {
		return &RefusedError{Code: bad.Code, Message: bad.Reason}
	}
	return err
}

// silent are the requests that existing brokers do not answer.
var silent = map[wire.Type]bool{
	wire.TypeSetState: true, wire.TypeUnsubscribe: true, wire.TypePublish: true, wire.TypeTopicJoin: true,
	wire.TypeTopicLeave: true, wire.TypeTopicMarkRead: true, wire.TypeMCPUnregister: true,
}

// unanswered reports whether r gets no answer from the broker we are connected
// to: ours say which edge they are.
func (c *Client) unanswered(ctx context.Context, r wire.Request) (bool, error) {
	if !silent[r.FrameType()] {
		return false, nil
	}
	ack, err := c.Admitted(ctx)
	return err == nil && ack.Edge == "", err
}

// withReqID adds a request id to a frame that has none.
func withReqID(frame []byte, id wire.ReqID) []byte {
	open := frame[:len(frame)-1] // no frame is empty: it has its type
	return append(open[:len(open):len(open)], `,"_reqId":`+strconv.Quote(string(id))+`}`...)
}
