package command

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

// httpClient is that of all requests, so that they share connections.
var httpClient = admin.HTTP

// client signs with a key.
func (a *app) client(broker string, key ed25519.PrivateKey) admin.Client {
	return admin.Client{Broker: broker, Key: key, Busy: func() func() { return a.out.Busy("waiting for the broker") }}
}

// administered is a mesh that we ask about over HTTP.
type administered struct {
	admin.Mesh
	m *membership
}

func (a *app) over(m *membership, key ed25519.PrivateKey) *administered {
	return &administered{admin.Mesh{Client: a.client(m.mesh.BrokerURL, key), ID: m.mesh.MeshID}, m}
}

// administer asks with the highest key that we have: the owner's, else the
// member's, whose role the broker knows.
func (a *app) administer() (*administered, error) {
	m, err := a.chosen()
	if err != nil {
		return nil, err
	}
	key, err := highest(m.mesh)
	if err != nil {
		return nil, err
	}
	return a.over(m, key), nil
}

func highest(m identity.Mesh) (ed25519.PrivateKey, error) {
	if owner, ok, err := m.OwnerKey(); ok || err != nil {
		return owner, err
	}
	return m.MemberKey()
}

// asMember asks with the member key, for what belongs to the member.
func (a *app) asMember() (*administered, error) {
	m, err := a.chosen()
	if err != nil {
		return nil, err
	}
	key, err := m.mesh.MemberKey()
	if err != nil {
		return nil, err
	}
	return a.over(m, key), nil
}

// asOwner asks with the owner key; where we do not have it, it says so.
func (a *app) asOwner() (*administered, error) {
	if _, _, err := a.owned(); err != nil {
		return nil, err
	}
	return a.administer()
}

// EnvOperatorToken holds the token of whoever runs the broker.
const EnvOperatorToken = "CLAUDEMESH_OPERATOR_TOKEN"

func addOperatorFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "operator-token-file", "", "read the operator's token from this `PATH` (default $"+EnvOperatorToken+")")
	_ = c.MarkFlagFilename("operator-token-file") // fails only for flags that are not there
}

// operatorToken comes from a file or the environment. It never comes from the
// command line: others could read it there.
func (a *app) operatorToken(path string) (string, error) {
	if path == "" {
		return strings.TrimSpace(a.env.Getenv(EnvOperatorToken)), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fileFailure(err).Hinted("--operator-token-file names a file with the token in it")
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", ui.Usagef("%s is empty", path).Hinted("--operator-token-file names a file with the token in it")
	}
	return token, nil
}

// needsOperator is operatorToken for what cannot go without.
func (a *app) needsOperator(path string) (string, error) {
	token, err := a.operatorToken(path)
	if err == nil && token == "" {
		return "", ui.Usagef("this takes the token of whoever runs the broker").
			Hinted("--operator-token-file PATH, or $%s", EnvOperatorToken)
	}
	return token, err
}

// sure asks before something is done that cannot be taken back. What says what
// will be done, as a sentence.
func (a *app) sure(ctx context.Context, yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if !a.interactive() {
		return ui.Usagef("%s; nobody is here to be asked", what).Hinted("add --yes to do it")
	}
	a.out.Say("%s", what)
	answer, err := a.askLine(ctx, "go on? [y/N] ")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return ui.Failf("nothing was changed")
	}
	return nil
}

func addYesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

// writeOwn writes a file that only we can read, and replaces none.
func writeOwn(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return ui.Failf("%s is there already", path).Hinted("name another file")
	}
	if err != nil {
		return fileFailure(err)
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return fileFailure(err)
	}
	if err := f.Close(); err != nil {
		return fileFailure(err)
	}
	return nil
}
