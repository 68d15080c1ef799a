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
	wire.CodeMeshLost: {
		message: "the broker has lost the data of this mesh", hint: "ask its owner: claudemesh mesh restore puts back a backup",
	},
	wire.CodeRevoked: {
		code: ui.ExitNotMember, message: "you are banned from this mesh", hint: "only its owner or an admin can let you back in",
	},
	wire.CodeMeshNotFound: {
		code: ui.ExitNotMember, message: "this mesh is not there any more: it was archived",
		hint: "claudemesh leave forgets it on this machine",
	},
	wire.CodeTimestampSkew:      wrongClock,
	wire.CodeExpired:            wrongClock,
	wire.CodeTTLTooLong:         wrongClock,
	wire.CodeCapacity:           {message: "the mesh is full", hint: "try again when somebody has left"},
	wire.CodeForbidden:          {hint: "claudemesh member list shows who may"},
	wire.CodeNotFound:           {hint: "it may be gone already; list what there is, and try again"},
	wire.CodeConflict:           {message: "somebody else changed it at the same time", hint: "try again"},
	wire.CodeReplayed:           {message: "the broker took this request for a repetition", hint: "try again"},
	wire.CodeRateLimited:        {hint: "wait a moment and try again"},
	wire.CodeUnavailable:        {message: "the broker cannot do this just now", hint: "try again in a moment"},
	wire.CodeFull:               {hint: "remove what is not needed any more: invite revoke, forget, state delete, skill remove, task complete"},
	wire.CodeInvalidArgument:    {code: ui.ExitUsage, hint: "say it shorter, or with other characters"},
	wire.CodeUnknownType:        {message: "the broker does not know this request", hint: "it may be an older one"},
	wire.CodeNotSupported:       {hint: "another broker may serve it"},
	wire.CodeTaskNotClaimable:   {hint: "claudemesh task list shows which are open or stale"},
	wire.CodeTaskNotFound:       {hint: "claudemesh task list shows those there are"},
	wire.CodeTopicNotFound:      {hint: "claudemesh topic list shows the topics, topic join enters one"},
	wire.CodeRecipientNotJoined: {hint: "claudemesh topic members shows who is in it"},
	wire.CodeInvalidArgs:        {code: ui.ExitUsage, hint: "claudemesh apikey create --help"},
	wire.CodeInvalidCron:        {code: ui.ExitUsage, hint: "five fields, such as \"0 9 * * 1\": minute, hour, day of month, month, day of week"},
	wire.CodeInvalidWebhook:     {code: ui.ExitUsage, hint: "claudemesh webhook create NAME, with a short name"},
	wire.CodeWebhookExists:      {message: "there is a webhook of that name", hint: "claudemesh webhook delete ends it"},
	wire.CodeNoClock:            {message: "this mesh has no clock", hint: "claudemesh clock set SPEED starts one"},
	wire.CodeAddressRefused:     {hint: "only addresses on the public internet are looked at"},
	wire.CodePeerNotFound:       {code: ui.ExitAway, message: "that peer is not here", hint: "claudemesh peers shows who is"},
	wire.CodeVaultError:         {hint: "claudemesh vault list shows those there are"},
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

// wrongOperator is for who gave a token. The table's words are for who gave none.
var wrongOperator = explanation{
	message: "this is not the token of whoever runs the broker",
	hint:    "it is what the broker has as EDGE_OPERATOR_TOKEN; a broker without one takes none",
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
	if errors.Is(err, admin.ErrOperator) {
		e = wrongOperator
	}
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
