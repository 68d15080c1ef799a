package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// hookWithin bounds what a hook costs the session that runs it.
const hookWithin = time.Second

// EnvProjectDir is where Claude Code was started, which its hooks need not be.
const EnvProjectDir = "CLAUDE_PROJECT_DIR"

// newHook is for Claude Code alone. It never fails and never prints: a hook
// that does either disturbs the session, and a status is not worth that.
func newHook(a *app) *cobra.Command {
	return &cobra.Command{
		Use:       "hook working|idle",
		Short:     "Tell the brokers what the Claude Code around this process does",
		Hidden:    true,
		Args:      exactly("working or idle"),
		ValidArgs: []string{string(wire.StatusWorking), string(wire.StatusIdle)},
		RunE: func(c *cobra.Command, args []string) error {
			status := wire.Status(args[0])
			if !status.Valid() {
				return ui.Usagef("there is no status %q", args[0]).Hinted("claudemesh hook working or idle")
			}
			a.hook(c.Context(), status)
			return nil
		},
	}
}

// hookBody is what brokers know a session by: process and directory.
type hookBody struct {
	Cwd    string      `json:"cwd"`
	PID    int         `json:"pid"`
	Status wire.Status `json:"status"`
}

func (a *app) hook(ctx context.Context, status wire.Status) {
	store, err := a.store()
	if err != nil {
		return
	}
	config, err := store.Load()
	if err != nil {
		return
	}
	body, err := json.Marshal(hookBody{
		Cwd: cmp.Or(a.env.Getenv(EnvProjectDir), a.env.Dir), PID: os.Getppid(), Status: status,
	})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hookWithin)
	defer cancel()
	var posts sync.WaitGroup
	told := make(map[string]bool)
	for _, m := range config.Meshes {
		if base, err := wire.HTTPAddress(m.BrokerURL); err == nil && !told[base] {
			told[base] = true
			posts.Go(func() { postHook(ctx, base, body) })
		}
	}
	posts.Wait()
}

func postHook(ctx context.Context, base string, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/hook/set-status", bytes.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := httpClient.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, wire.MaxHTTPBody))
}
