package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type auditOptions struct {
	*app
	limit  int
	before string
	anew   bool
}

func newAudit(a *app) *cobra.Command {
	o := &auditOptions{app: a}
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what in a mesh, and verify the log",
		Long: "Show who changed what in a mesh: the newest entries, the very newest at the end. The broker keeps 10,000 of\n" +
			"them, chained by hashes; audit verify follows the chain. For the owner and admins.",
		Example: "  claudemesh audit --limit 20\n  claudemesh audit verify",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.list(c.Context()) },
	}
	addLimitFlag(c, &o.limit)
	c.Flags().StringVar(&o.before, "before", "", "only entries that are older than this `ID`")
	c.AddCommand(newAuditVerify(o))
	return c
}

type auditAnswer struct {
	Entries []wire.AuditEntry `json:"entries"` // oldest first
	Total   int               `json:"total"`
}

func (o *auditOptions) list(ctx context.Context) error {
	if err := checkLimit(o.limit); err != nil {
		return err
	}
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	page, err := mesh.Audit(ctx, o.before, o.limit)
	if err != nil {
		return err
	}
	slices.Reverse(page.Entries)
	if o.out.JSON {
		return o.out.Answer(auditAnswer{append([]wire.AuditEntry{}, page.Entries...), page.Total})
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, e := range page.Entries {
		who := cmp.Or(all.byID(e.Actor), e.Actor)
		rows = append(rows, []string{
			o.when(e.CreatedAt.Time), ui.CleanLine(who), ui.CleanLine(strings.ReplaceAll(e.EventType, "_", " ")),
			o.about(all, e.Payload), o.usual(ui.CleanLine(e.ID), ui.CleanLine(e.ID)),
		})
	}
	if first := page.Entries; len(first) == o.limit && page.Total > len(first) {
		o.out.Say("%d entries in all; older ones: claudemesh audit --before %s", page.Total, ui.CleanLine(first[0].ID))
	}
	return o.table([]string{"WHEN", "WHO", "DID", "ABOUT", "ID"}, rows)
}

// aboutFirst are the fields of an entry that a person looks for.
var aboutFirst = []string{"target", "targetPubkey", "pubkey", "inviteId"}

// about says what an entry is about: names for keys that are known, then the
// rest as it is.
func (o *auditOptions) about(all *roll, payload json.RawMessage) string {
	fields := make(map[string]any)
	numbers := json.NewDecoder(bytes.NewReader(payload))
	numbers.UseNumber()
	if numbers.Decode(&fields) != nil || !o.out.Terminal() {
		return ui.CleanLine(string(payload))
	}
	var words []string
	for _, name := range aboutFirst {
		if text, ok := fields[name].(string); ok {
			words = append(words, o.value(all, name, text))
			delete(fields, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		words = append(words, ui.CleanLine(name)+"="+o.value(all, name, fields[name]))
	}
	return strings.Join(words, " ")
}

func (o *auditOptions) value(all *roll, name string, v any) string {
	switch v := v.(type) {
	case string:
		switch {
		case len(v) == 64:
			return all.who(v)
		case wire.IsMeshID(v):
			return cmp.Or(ui.CleanLine(all.byID(v)), short(v))
		}
		return ui.CleanLine(v)
	case json.Number:
		if at, err := v.Int64(); err == nil && name == "expiresAt" {
			return o.day(time.Unix(at, 0))
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return ui.CleanLine(string(raw))
}

func newAuditVerify(o *auditOptions) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Recompute the log's chain of hashes on this machine",
		Long: "Recompute the log's chain of hashes on this machine. Where it ends is remembered: when you verify again, what\n" +
			"you have seen must still be there, so that a broker cannot write the log anew. A mesh that was restored from\n" +
			"a backup begins a new log, which --anew accepts.",
		Example: "  claudemesh audit verify --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.verify(c.Context()) },
	}
	c.Flags().BoolVar(&o.anew, "anew", false, "forget what was seen of the log before")
	return c
}

type auditVerdict struct {
	Valid    bool   `json:"valid"`
	Entries  int    `json:"entries"`
	Complete bool   `json:"complete"`         // from the mesh's beginning
	SeenAt   string `json:"seenAt,omitempty"` // the entry up to which it was verified before
	BrokenAt string `json:"brokenAt,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func (o *auditOptions) verify(ctx context.Context) error {
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	entries, err := mesh.AuditAll(ctx)
	if err != nil {
		return err
	}
	seen := mesh.m.mesh.AuditSeen
	if o.anew {
		seen = nil
	}
	verdict := judge(mesh.ID, entries, seen)
	if verdict.Valid && len(entries) > 0 {
		last := entries[len(entries)-1]
		if err := mesh.m.noteAudit(identity.AuditPin{ID: last.ID, Hash: last.Hash}); err != nil {
			return err
		}
	}
	if o.out.JSON {
		if err := o.out.Answer(verdict); err != nil {
			return err
		}
	}
	if !verdict.Valid {
		return ui.Failf("the log was altered: %s", verdict.Reason).
			Hinted("look at the entries around it: claudemesh audit --json; whoever runs the broker can change its data")
	}
	if !o.out.JSON {
		return o.out.Line(verdict.words())
	}
	return nil
}

// judge recomputes a log, and compares it with what was seen of it before.
func judge(meshID string, entries []wire.AuditEntry, seen *identity.AuditPin) auditVerdict {
	chain := admin.Recompute(meshID, entries)
	v := auditVerdict{Entries: chain.Entries, Complete: chain.Complete, BrokenAt: chain.BrokenAt, Valid: chain.BrokenAt == ""}
	if !v.Valid {
		v.Reason = "entry " + ui.CleanLine(chain.BrokenAt) + " does not follow from the one before"
		return v
	}
	if seen == nil {
		return v
	}
	if len(entries) > 0 && admin.Older(seen.ID, entries[0].ID) && !v.Complete {
		return v // what was seen has grown too old to be kept
	}
	i := slices.IndexFunc(entries, func(e wire.AuditEntry) bool { return e.ID == seen.ID })
	if i < 0 || entries[i].Hash != seen.Hash {
		v.Valid, v.BrokenAt, v.Reason = false, seen.ID, "entry "+seen.ID+" is not the one that you have verified before"
		return v
	}
	v.SeenAt = seen.ID
	return v
}

func (v auditVerdict) words() string {
	text := fmt.Sprintf("%d %s hold", v.Entries, plural(v.Entries, "entry", "entries"))
	if v.Complete {
		text += ", back to the mesh's beginning"
	} else if v.Entries > 0 {
		text += "; older ones are not kept any more"
	}
	if v.SeenAt != "" {
		text += ", and what you verified before is unchanged"
	}
	return text
}

// noteAudit keeps in the config up to where the log was verified.
func (m *membership) noteAudit(pin identity.AuditPin) error {
	return m.store.Update(func(c *identity.Config) error {
		entry := c.Joined(m.mesh.MeshID)
		if entry == nil {
			return identity.ErrNoMesh
		}
		entry.AuditSeen = &pin
		return nil
	})
}
