package share

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/edge/wire/recall"
)

// Context is what a member says it works on.
type Context struct {
	By       string    `json:"by"` // by the broker's word
	Summary  string    `json:"summary"`
	Files    []string  `json:"files"`
	Findings []string  `json:"findings"`
	Tags     []string  `json:"tags"`
	At       time.Time `json:"at"`
	Origin
}

// contextBody is what is sealed of it. It stands in the summary, so it is
// listed as a whole.
type contextBody struct {
	Summary  string   `json:"summary"`
	Files    []string `json:"filesRead,omitempty"`
	Findings []string `json:"keyFindings,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// ShareContext replaces our member's context.
func (m *Mesh) ShareContext(ctx context.Context, c Context) error {
	r := &wire.ShareContext{Summary: c.Summary, FilesRead: c.Files, KeyFindings: c.Findings, Tags: c.Tags}
	body := contextBody{c.Summary, c.Files, c.Findings, c.Tags}
	if err := m.seal(purposeContext, "", body, &r.Summary, &r.Tags, wire.MaxContextSummary); err != nil {
		return err
	}
	if !m.Clear {
		r.FilesRead, r.KeyFindings = nil, nil
	}
	return Do(ctx, m, r)
}

// Contexts returns every member's context, newest first. Of those in clear only
// the newest have files and findings.
func (m *Mesh) Contexts(ctx context.Context) ([]Context, error) {
	r, err := Ask[*wire.ContextList](ctx, m, &wire.ListContexts{})
	if err != nil {
		return nil, err
	}
	all, clear := make([]Context, 0, len(r.Contexts)), false
	for i := range r.Contexts {
		c := m.openContext(&r.Contexts[i])
		all, clear = append(all, c), clear || !c.Sealed
	}
	if clear {
		err = m.fillContexts(ctx, all)
	}
	return all, err
}

// FindContexts searches contexts, their authors' names included, best first.
func (m *Mesh) FindContexts(ctx context.Context, query string, limit int) ([]Context, error) {
	all, err := m.Contexts(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(all))
	for i := range all {
		c := &all[i]
		texts[i] = strings.Join(slices.Concat([]string{c.By, c.Summary}, c.Files, c.Findings, c.Tags), "\n")
	}
	found := make([]Context, 0, limit)
	for _, i := range recall.Best(query, texts, limit) {
		found = append(found, all[i])
	}
	return found, nil
}

func (m *Mesh) openContext(w *wire.ContextBrief) Context {
	body := contextBody{Summary: w.Summary, Tags: w.Tags}
	o := m.unseal(purposeContext, "", w.Summary, &body)
	return Context{
		By: w.PeerName, Summary: body.Summary, Files: notNil(body.Files), Findings: notNil(body.Findings),
		Tags: notNil(body.Tags), At: o.when(w.UpdatedAt), Origin: o,
	}
}

// fillContexts adds what lists leave out of contexts in clear.
func (m *Mesh) fillContexts(ctx context.Context, all []Context) error {
	r, err := Ask[*wire.ContextResults](ctx, m, &wire.GetContext{})
	if err != nil {
		return err
	}
	for i := range all {
		for _, w := range r.Contexts {
			if !all[i].Sealed && w.PeerName == all[i].By && w.Summary == all[i].Summary {
				all[i].Files, all[i].Findings = notNil(w.FilesRead), notNil(w.KeyFindings)
			}
		}
	}
	return nil
}
