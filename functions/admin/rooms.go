package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/signed"
)

// What administration needs of the rooms that hold peers and messages. A route
// whose room is not given is not served.
type (
	// Presence tells who is here. Dismiss ends the attachments that no edge
	// holds a socket for, as far as which says: those in their grace, and those
	// of edges that have died. Sockets are closed by their edges.
	Presence interface {
		Present(ctx context.Context, mesh string) ([]Present, error)
		Dismiss(ctx context.Context, mesh string, which func(Present) bool) error
	}

	// Queue tells what waits, without what it says.
	Queue interface {
		Waiting(ctx context.Context, mesh, inbox, lane string, after uint64, limit int) ([]wire.Envelope, error)
		DeadLetters(ctx context.Context, mesh string, limit int) ([]wire.DeadLetter, error)
	}

	// Depths tells how much waits in each inbox of a mesh.
	Depths interface {
		Depths(ctx context.Context, mesh string) ([]wire.InboxDepth, error)
	}

	// Office moves a dead letter back into the inbox it was for, or throws it
	// away. Both return [ErrNoMessage]; Requeue also [ErrFull] and [ErrNobody].
	Office interface {
		Requeue(ctx context.Context, mesh, messageID string) error
		DropDead(ctx context.Context, mesh, messageID string) error
	}

	// Fleet lists the edges that are alive.
	Fleet interface {
		Edges(ctx context.Context) ([]wire.FleetEdge, error)
	}
)

var (
	// ErrNoMessage says that no dead letter has that id.
	ErrNoMessage = errors.New("admin: no such message")

	// ErrFull says that the inbox, or the mesh, takes no more messages.
	ErrFull = errors.New("admin: inbox or mesh is full")

	// ErrNobody says that nobody may read that inbox any more.
	ErrNobody = errors.New("admin: nobody reads the inbox")
)

// Present is one connection, by the member it belongs to. ID is its PEER.
type Present struct {
	ID, Member string
	wire.Presence
}

func (h *handler) queue(w http.ResponseWriter, r *signed.Request) error {
	found, err := h.Depths.Depths(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, wire.QueueResponse{Inboxes: append([]wire.InboxDepth{}, found...)})
	return nil
}

// lanes in the order in which an idle recipient gets them.
var lanes = []string{"now", "next", "low"}

func (h *handler) inbox(w http.ResponseWriter, r *signed.Request) error {
	limit, err := intQuery(r, "limit", 50, maxPage)
	if err != nil {
		return err
	}
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 53); err != nil {
			return invalid(errors.New("after must be a seq"))
		}
	}
	key := r.PathValue("key")
	if !isInboxKey(key) {
		return invalid(errors.New("inbox must be a key, or the id of a connection"))
	}
	asked := lanes
	switch lane := r.URL.Query().Get("lane"); lane {
	case "":
	case "now", "next", "low":
		asked = []string{lane}
	default:
		return invalid(errors.New("lane must be now, next or low"))
	}
	out := wire.InboxResponse{Messages: []wire.Envelope{}}
	for _, lane := range asked {
		found, err := h.Queue.Waiting(r.Context(), r.Mesh.ID, key, lane, after, limit-len(out.Messages))
		if err != nil {
			return err
		}
		if out.Messages = append(out.Messages, found...); len(out.Messages) >= limit {
			break
		}
	}
	door.JSON(w, http.StatusOK, out)
	return nil
}

// isInboxKey accepts member and session keys, and the ids of connections that
// claim a key: "c" or "m" and 40 hex characters.
func isInboxKey(s string) bool {
	if wire.IsLowerKey(s) {
		return true
	}
	return len(s) == 41 && (s[0] == 'c' || s[0] == 'm') && wire.IsLowerKey(s[1:]+"000000000000000000000000")
}

func (h *handler) deadLetters(w http.ResponseWriter, r *signed.Request) error {
	limit, err := intQuery(r, "limit", 50, maxPage)
	if err != nil {
		return err
	}
	found, err := h.Queue.DeadLetters(r.Context(), r.Mesh.ID, limit)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, wire.DeadLettersResponse{DeadLetters: append([]wire.DeadLetter{}, found...)})
	return nil
}

func (h *handler) requeue(w http.ResponseWriter, r *signed.Request) error {
	return h.dead(w, r, h.Office.Requeue, h.reg.NoteRequeued)
}

func (h *handler) dropDead(w http.ResponseWriter, r *signed.Request) error {
	return h.dead(w, r, h.Office.DropDead, h.reg.NoteDropped)
}

// dead does something to a dead letter, and tells it in the audit log: first
// the deed, since a line about what did not happen would be a lie.
func (h *handler) dead(w http.ResponseWriter, r *signed.Request, do, note func(ctx context.Context, mesh, id string) error) error {
	id := r.PathValue("message")
	if kind, _, ok := wire.ParseMessageID(id); !ok || kind != wire.KindDirect || len(id) != wire.LongID {
		return invalid(errors.New("message must be the whole id of a direct message"))
	}
	err := do(r.Context(), r.Mesh.ID, id)
	switch {
	case errors.Is(err, ErrNoMessage):
		return signed.Refuse(http.StatusNotFound, wire.CodeNotFound, "no such dead letter")
	case errors.Is(err, ErrNobody):
		return signed.Refuse(http.StatusNotFound, wire.CodeNotFound, "nobody may read that inbox any more")
	case errors.Is(err, ErrFull):
		return signed.Refuse(http.StatusConflict, wire.CodeFull, "the inbox or the mesh is full; have it read first")
	case err != nil:
		return err
	}
	return done(w, note(r.Context(), r.Mesh.ID, id))
}

func (h *handler) fleet(w http.ResponseWriter, r *signed.Request) error {
	found, err := h.Fleet.Edges(r.Context())
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, wire.FleetResponse{Edges: append([]wire.FleetEdge{}, found...)})
	return nil
}
