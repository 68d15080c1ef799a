package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/claudecode"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// explanation says of one kind of error what it means to a person.
type explanation struct {
	err     error
	code    int
	message string
	hint    string
}

var explanations = []explanation{
	{
		identity.ErrManyMeshes, ui.ExitUsage, "several meshes are joined",
		"choose one with --mesh SLUG; claudemesh list shows them",
	},
	{
		identity.ErrHeld, ui.ExitFailed, "another process listens for this directory's session",
		"end it, or listen as a second one: claudemesh listen --session NAME",
	},
	{peer.ErrBanned, ui.ExitNotMember, "you are banned from this mesh", "only its owner or an admin can let you back in"},
	{peer.ErrArchived, ui.ExitNotMember, "this mesh was archived by its owner", "claudemesh leave forgets it here"},
	{peer.ErrKicked, ui.ExitFailed, "an admin removed you from the mesh for now", "join in again when it was cleared up"},
	{
		peer.ErrReplaced, ui.ExitFailed, "another connection took this session over",
		"two processes share one session's key; is this a copied home directory?",
	},
	{
		peer.ErrNoRecipient, ui.ExitAway, "nobody in the mesh has that key, or it is your own",
		"claudemesh peers shows who is here",
	},
	{
		peer.ErrNoTopicKey, ui.ExitAway, "nobody has sealed the topic's key for you yet",
		"somebody who has it must be here, or say something there: ask them, and try again",
	},
	{
		share.ErrClearTopic, ui.ExitFailed, "the topic has no key: the broker reads what is said there",
		"say it all the same with --clear, or make a topic with a key: claudemesh topic create NAME",
	},
	{peer.ErrInboxFull, ui.ExitAway, "too much is waiting for this recipient already", "try again when it was read"},
	{peer.ErrBlocked, ui.ExitFailed, "the recipient does not take messages from you", "ask them for a grant by other means"},
	{peer.ErrRateLimited, ui.ExitFailed, "sending too fast: 60 messages a minute, 10 at once", "wait a moment and send again"},
	{peer.ErrUnavailable, ui.ExitFailed, "the broker could not store the message", "try again in a moment"},
	{peer.ErrTooLarge, ui.ExitFailed, "the message is too large", "a message holds about 48,000 bytes of text; send a link to the rest"},
	{
		peer.ErrNoAck, ui.ExitFailed, "the broker did not confirm the message; it may have arrived",
		"ask the recipient before sending it again",
	},
	{peer.ErrNoAnswer, ui.ExitFailed, "the broker did not answer", "it may be an older one that does not know this request"},
	{
		peer.ErrUncertain, ui.ExitFailed, "the connection was lost before the broker answered: the change may have been made or not",
		"look before you do it again",
	},
	{share.ErrEmpty, ui.ExitUsage, "the text is empty", "say something to keep"},
	{share.ErrTooLarge, ui.ExitFailed, "it is too large for what the mesh keeps", "keep the beginning, or say where the rest is"},
	{
		share.ErrMarked, ui.ExitUsage, "a text in clear must not begin with cm1:, which marks sealed ones",
		"begin it with another word, or leave --clear out",
	},
	{
		share.ErrOtherID, ui.ExitFailed, "this broker gives ids of its own, so that nobody can open what was sealed for it",
		"write it in clear with --clear, or use a broker that is newer",
	},
	{peer.ErrDisconnected, ui.ExitFailed, "the connection was lost", "try again"},
	{
		seal.ErrNoKey, ui.ExitFailed, "this mesh's root key is not on this machine, so groups can be neither written nor read",
		"ask for an invite made without --no-key, and claudemesh join LINK again",
	},
	{
		seal.ErrPassphrase, ui.ExitUsage, "the passphrase is shorter than 12 characters",
		"a few random words are easy to remember and hard to guess",
	},
	{seal.ErrBadKey, ui.ExitUsage, "that is not a public key", "claudemesh peers --json shows keys"},
	{seal.ErrBadGroup, ui.ExitUsage, "that is not the name of a group", "groups are written @name, everybody is *"},
	{wire.ErrInviteExpired, ui.ExitFailed, "the invite is over", "ask for a new one: claudemesh invite"},
	{wire.ErrInviteSignature, ui.ExitFailed, "the invite was altered: its signature is wrong", "ask for the link again"},
	{
		wire.ErrForeignInvite, ui.ExitFailed, "the broker handed out another invite than the one this link was made for",
		"do not use it: somebody may stand between you and the mesh; tell who sent you the link",
	},
	{wire.ErrInviteMalformed, ui.ExitUsage, "that is not an invite link", "it looks like ic://join/…; copy all of it"},
	{wire.ErrJoinInput, ui.ExitUsage, "that is not an invite link", "it looks like ic://join/…; copy all of it"},
	{
		outbox.ErrFull, ui.ExitFailed, "too many messages wait in the outbox already",
		"claudemesh outbox lists them, outbox cancel ID takes one back",
	},
	{outbox.ErrNotFound, ui.ExitFailed, "no such message is in the outbox", "claudemesh outbox --all lists them"},
	{outbox.ErrAmbiguous, ui.ExitFailed, "several messages begin like that", "give more of the id"},
	{outbox.ErrSent, ui.ExitFailed, "it was sent already", "claudemesh message-status ID tells how far it got"},
	{context.DeadlineExceeded, ui.ExitFailed, "the broker took too long", "try again"},
	{errInterrupted, ui.ExitFailed, "interrupted", ""},
	{context.Canceled, ui.ExitFailed, "interrupted", ""},
	// The connection heard of the interrupt before what waited on it did.
	{peer.ErrStopped, ui.ExitFailed, "interrupted", ""},
}

// explain turns an error into words and an exit code.
func (a *app) explain(err error) *ui.Failure {
	var f *ui.Failure
	if errors.As(err, &f) {
		return f
	}
	if !a.began {
		return ui.Usagef("%s", plainWords(err)).Hinted("claudemesh --help")
	}
	for _, special := range []func(error) *ui.Failure{explainAway, explainFile, explainMesh, explainRefusal, explainHTTP, explainLocal, explainTool} {
		if f := special(err); f != nil {
			return f
		}
	}
	for _, e := range explanations {
		if errors.Is(err, e.err) {
			return &ui.Failure{Message: e.message, Hint: e.hint, Code: e.code, Cause: err}
		}
	}
	if errors.Is(err, peer.ErrUnreachable) {
		return unreachableFailure(err)
	}
	return ui.Failf("%s", plainWords(err))
}

func explainFile(err error) *ui.Failure {
	var loose *identity.LooseModeError
	switch {
	case errors.As(err, &loose):
		return ui.Failf("%s can be read by others (mode %04o), and it holds keys", loose.Path, loose.Mode).
			Hinted("chmod 600 %s; if somebody may have read it, join again with new keys", loose.Path)
	case errors.Is(err, claudecode.ErrShape):
		return ui.Failf("%s", plainWords(err)).
			Hinted("it was left as it is; put it right, or see how to register by hand: claudemesh install --print")
	case errors.Is(err, identity.ErrCorrupt):
		return ui.Failf("%s", plainWords(err)).
			Hinted("it was left as it is; put it right, move it away, or bring back a backup: claudemesh restore FILE")
	case errors.Is(err, identity.ErrNoHome):
		return ui.Failf("the home directory is unknown").Hinted("set HOME, or %s", identity.EnvConfigDir)
	case errors.Is(err, identity.ErrBadName):
		return ui.Failf("%s", plainWords(err)).Hinted("claudemesh rename SLUG NEW gives the mesh a name of a-z, 0-9 and -")
	}
	return nil
}

func explainMesh(err error) *ui.Failure {
	if !errors.Is(err, identity.ErrNoMesh) {
		return nil
	}
	if _, name, named := strings.Cut(err.Error(), "mesh: "); named {
		return ui.Failf("no mesh %q is joined", name).Hinted("claudemesh list shows those that are").Coded(ui.ExitNotMember)
	}
	return ui.Failf("no mesh joined yet").
		Hinted("claudemesh join LINK, or claudemesh create NAME").Coded(ui.ExitNotMember)
}

// explainSend words a refused message of no known kind.
func explainSend(err error) *ui.Failure {
	var refused *peer.SendError
	if errors.As(err, &refused) && errors.Unwrap(refused) == nil {
		return ui.Failf("the broker refused the message: %s", refused.Text)
	}
	return nil
}

// packageNames open the messages of our own errors; a person has no use for them.
var packageNames = strings.NewReplacer(
	"peer: ", "", "identity: ", "", "seal: ", "", "wire: ", "", "ui: ", "", "claudecode: ", "", "outbox: ", "",
	"mailbox: ", "", "local: ", "", "receipt: ", "", "admin: ", "",
	"toolhost: ", "", "folder: ", "", "share: ", "",
)

func plainWords(err error) string { return packageNames.Replace(fmt.Sprint(err)) }
