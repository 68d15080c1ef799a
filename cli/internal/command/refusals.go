package command

import (
	"errors"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// refusals say what a broker's codes mean to a person. An empty message stands
// for the broker's own.
var refusals = map[wire.Code]explanation{
	wire.CodeUnauthorized: {
		code: ui.ExitNotMember, message: "the broker does not know you as a member of this mesh",
		hint: "join again with a new invite; the mesh may have moved",
	},
	wire.CodeRevoked: {
		code: ui.ExitNotMember, message: "you are banned from this mesh", hint: "only its owner or an admin can let you back in",
	},
	wire.CodeMeshNotFound: {
		code: ui.ExitNotMember, message: "this mesh is not there any more: it was archived",
		hint: "claudemesh leave forgets it on this machine",
	},
	wire.CodeTimestampSkew: wrongClock,
	wire.CodeExpired:       wrongClock,
	wire.CodeTTLTooLong:    wrongClock,
	wire.CodeCapacity:      {message: "the mesh is full", hint: "try again when somebody has left"},
	wire.CodeForbidden:     {hint: "claudemesh member list shows who may"},
	wire.CodeNotFound:      {hint: "it may be gone already; list what there is, and try again"},
	wire.CodeConflict:      {message: "somebody else changed it at the same time", hint: "try again"},
	wire.CodeReplayed:      {message: "the broker took this request for a repetition", hint: "try again"},
	wire.CodeRateLimited:   {hint: "wait a moment and try again"},
	wire.CodeUnavailable:   {message: "the broker cannot do this just now", hint: "try again in a moment"},
	wire.CodeFull:          {hint: "remove what is not needed any more, such as invites: claudemesh invite revoke"},
	wire.CodeOperatorToken: {
		message: "this takes the token of whoever runs the broker",
		hint:    "--operator-token-file PATH, or $" + EnvOperatorToken,
	},
	wire.CodeCreationClosed: {
		message: "no meshes can be made on this broker", hint: "ask for an invite, or choose another broker: --broker URL",
	},
}

var wrongClock = explanation{
	message: "the clocks of this machine and of the broker differ by more than a minute", hint: "set the clock of this machine",
}

// mayNot is the broker's word for a key of too low a role.
const mayNot = "this key may not do this in this mesh"

// explainRefusal words what the broker refused.
func explainRefusal(err error) *ui.Failure {
	var refused *peer.RefusedError
	if !errors.As(err, &refused) || errors.Is(err, peer.ErrBanned) {
		return explainSend(err)
	}
	e, known := refusals[refused.Code]
	message := e.message
	switch {
	case !known:
		return ui.Failf("the broker refused: %s (%s)", refused.Message, refused.Code)
	case refused.Code == wire.CodeForbidden && refused.Message == mayNot:
		message = "only the owner and the admins of this mesh can do this"
	case message == "":
		message = ui.CleanLine(refused.Message)
	}
	return &ui.Failure{Message: message, Hint: e.hint, Code: max(e.code, ui.ExitFailed), Cause: err}
}

// explainHTTP words answers that are none of a claudemesh broker.
func explainHTTP(err error) *ui.Failure {
	var odd *admin.StatusError
	switch {
	case errors.Is(err, admin.ErrAddress):
		return ui.Usagef("%s", plainWords(err)).Hinted("it looks like %s", defaultBrokerURL)
	case errors.As(err, &odd) && odd.Status == 404:
		return ui.Failf("this broker does not serve that").
			Hinted("is %s a claudemesh broker, and its version new enough?", ui.CleanLine(odd.Broker))
	case errors.As(err, &odd):
		return ui.Failf("%s", plainWords(err)).Hinted("is %s a claudemesh broker?", ui.CleanLine(odd.Broker))
	}
	return nil
}
