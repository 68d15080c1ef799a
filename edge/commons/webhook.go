package commons

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/queue"
)

var (
	// webhookShelf holds the webhooks: name → webhookRecord.
	webhookShelf = shelf{name: "webhook", fields: 100, bytes: 128 << 10}

	// webhookSecretShelf finds them: hash of the secret → name.
	webhookSecretShelf = shelf{name: "webhook-secret", fields: 100, bytes: 64 << 10}

	// webhookLimit bounds the calls of one webhook.
	webhookLimit = registry.Limit{Name: "webhook", Burst: 30, PerMinute: 60}

	// webhooksLimit bounds those of all webhooks of one member, which would
	// otherwise be its way around the limit of what it sends.
	webhooksLimit = registry.Limit{Name: "webhooks", Burst: 60, PerMinute: 180}
)

// webhookWithin bounds one call of a webhook.
const webhookWithin = 8 * time.Second

// webhookRecord is an address that others may call. Whoever reads it cannot
// call it: the secret is shown once, and only its hash is kept.
type webhookRecord struct {
	Hash string `json:"hash"`
	By   string `json:"by"` // member key
	At   int64  `json:"at"` // milliseconds
}

func (s *Commons) registerWebhooks() {
	on(s.table, s.createWebhook)
	on(s.table, s.listWebhooks)
	on(s.table, s.deleteWebhook)
}

// webhookURL is the address of a webhook, relative where the edge does not know
// its own.
func (s *Commons) webhookURL(mesh, secret string) string {
	path := "/hook/" + mesh + "/" + secret
	base, err := url.Parse(s.opt.PublicURL)
	if err != nil || base.Host == "" {
		return path
	}
	scheme := map[string]string{"ws": "http", "wss": "https"}[base.Scheme]
	if scheme == "" {
		scheme = base.Scheme
	}
	return scheme + "://" + base.Host + path
}

func (s *Commons) createWebhook(ctx context.Context, who *Caller, m *wire.CreateWebhook) (wire.Message, error) {
	secret := wire.NewWebhookSecret()
	hash := wire.SecretHash(secret)
	record, err := encodeRecord(webhookRecord{Hash: hash, By: who.Member.Key, At: time.Now().UnixMilli()})
	if err != nil {
		return nil, err
	}
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{
		set(webhookShelf, m.Name, record).was(""), set(webhookSecretShelf, hash, m.Name),
	}})
	if errors.Is(err, errConflict) {
		return nil, refuse(wire.CodeWebhookExists, "there is a webhook of this name")
	}
	return &wire.WebhookAck{Name: m.Name, URL: s.webhookURL(who.Peer.Mesh, secret), Secret: secret, ReqID: m.ReqID}, err
}

// listWebhooks shows no addresses: whoever knows one can speak to the whole
// mesh, and nobody here knows it any more.
func (s *Commons) listWebhooks(ctx context.Context, who *Caller, m *wire.ListWebhooks) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, webhookShelf)
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[webhookRecord](all)
	if err != nil {
		return nil, err
	}
	reply := &wire.WebhookList{Webhooks: []wire.Webhook{}, ReqID: m.ReqID}
	for _, name := range oldestFirst(records, func(r webhookRecord) int64 { return r.At }) {
		reply.Webhooks = append(reply.Webhooks, wire.Webhook{Name: name, Active: true, CreatedAt: moment(records[name].At)})
	}
	return reply, nil
}

func (s *Commons) deleteWebhook(ctx context.Context, who *Caller, m *wire.DeleteWebhook) (wire.Message, error) {
	return &wire.WebhookAck{Name: m.Name, ReqID: m.ReqID}, retry(ctx, func() error {
		old, err := s.get(ctx, who.Peer.Mesh, webhookShelf, m.Name)
		if err != nil || old == "" {
			return err
		}
		r, err := decodeRecord[webhookRecord](old)
		if err != nil {
			return err
		}
		refusal := refuse(wire.CodeForbidden, "only who made a webhook, or an admin, can end it")
		if err := s.mayChange(ctx, who, r.By, refusal); err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{
			remove(webhookShelf, m.Name).was(old), remove(webhookSecretShelf, r.Hash),
		}})
		return err
	})
}

// A called webhook is one whose secret was right.
type calledWebhook struct{ mesh, name, maker string }

// findWebhook finds the webhook of a secret. One whose maker is no member any
// more is none.
func (s *Commons) findWebhook(ctx context.Context, mesh, secret string) (*calledWebhook, error) {
	if !wire.IsMeshID(mesh) || !wire.IsLowerKey(secret) { // 64 hex, as a key
		return nil, nil
	}
	hash := wire.SecretHash(secret)
	name, err := s.get(ctx, mesh, webhookSecretShelf, hash)
	if err != nil || name == "" {
		return nil, err
	}
	text, err := s.get(ctx, mesh, webhookShelf, name)
	if err != nil || text == "" {
		return nil, err
	}
	r, err := decodeRecord[webhookRecord](text)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(r.Hash), []byte(hash)) != 1 {
		return nil, nil
	}
	_, _, err = s.registry.Admission(ctx, mesh, r.By)
	if errors.Is(err, registry.ErrNoMesh) || errors.Is(err, registry.ErrNotMember) || errors.Is(err, registry.ErrRevoked) {
		return nil, nil
	}
	return &calledWebhook{mesh, name, r.By}, err
}

// ServeWebhook answers [wire.RouteWebhook]: what a stranger says goes to the
// whole mesh, marked as such.
func (s *Commons) ServeWebhook(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), webhookWithin)
	defer cancel()
	answer := func(status int, text string) { answerJSON(w, status, wire.WebhookResponse{Error: text}) }
	hook, err := s.findWebhook(ctx, r.PathValue("mesh"), r.PathValue("secret"))
	if err == nil && hook == nil {
		answer(http.StatusUnauthorized, wire.WebhookUnauthorized)
		return
	}
	if err == nil {
		err = s.takeToken(ctx, w, webhookLimit, hook.mesh+":"+wire.SecretHash(hook.name)[:16])
	}
	if err == nil {
		err = s.takeToken(ctx, w, webhooksLimit, hook.mesh+":"+hook.maker)
	}
	var body []byte
	if err == nil {
		body, err = webhookBody(w, r)
	}
	n := 0
	if err == nil {
		n, err = s.pushWebhook(ctx, hook, body)
	}
	var tooBig *http.MaxBytesError
	var refused *Refusal
	switch {
	case err == nil:
		answerJSON(w, http.StatusOK, wire.WebhookResponse{OK: true, Delivered: &n})
	case errors.As(err, &tooBig):
		answer(http.StatusRequestEntityTooLarge, wire.HookTooLarge)
	case errors.As(err, &refused) && refused.Code == wire.CodeRateLimited:
		answer(http.StatusTooManyRequests, refused.Message)
	case errors.As(err, &refused):
		answer(http.StatusBadRequest, refused.Message)
	default:
		s.log.WarnContext(ctx, "webhook", "mesh", r.PathValue("mesh"), "err", err)
		answer(http.StatusInternalServerError, wire.WebhookFailed)
	}
}

// webhookBody reads a JSON object or list, on one line.
func webhookBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxHTTPBody))
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		return nil, err
	}
	var body bytes.Buffer
	if err != nil || !utf8.Valid(raw) || json.Compact(&body, raw) != nil {
		return nil, refuse(wire.CodeMalformedFrame, wire.WebhookNotJSON)
	}
	if !strings.ContainsAny(body.String()[:1], "{[") {
		return nil, refuse(wire.CodeInvalidArgument, wire.WebhookNotObject)
	}
	return body.Bytes(), nil
}

// pushWebhook tells the mesh, and counts the connections that are told.
func (s *Commons) pushWebhook(ctx context.Context, hook *calledWebhook, body []byte) (int, error) {
	told := entry{kind: queue.KindEvent, event: hook.name, flags: queue.FlagWebhook, body: string(body)}
	if _, _, err := s.apply(ctx, act{mesh: hook.mesh, entries: []entry{told}}); err != nil {
		return 0, err
	}
	peers, err := s.presence.Roster(ctx, hook.mesh)
	if err != nil {
		s.log.WarnContext(ctx, "count who hears a webhook", "err", err)
	}
	return len(peers), nil
}
