package npm

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestVersionsAreThoseThatNpmTakes(t *testing.T) {
	t.Parallel()
	for described, want := range map[string]string{
		"v1.2.3":               "1.2.3",
		"1.2.3-rc.1":           "1.2.3-rc.1",
		"v1.2.3-4-gabc1234":    "1.2.3-4-gabc1234",
		"0123456":              "0.0.0-g0123456",
		"cee6284-dirty":        "0.0.0-gcee6284-dirty",
		"feature/x 1":          "0.0.0-gfeature-x-1",
		"v1.2.3-4-gabc1-dirty": "1.2.3-4-gabc1-dirty",
	} {
		if got := Semver(described); got != want {
			t.Errorf("%s becomes %s, want %s", described, got, want)
		}
	}
}

func TestTheWrapperNamesEveryPlatformAndRunsNoScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writeWrapper(dir, "1.2.3", []byte("MIT")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Optional map[string]string `json:"optionalDependencies"`
		Scripts  map[string]string `json:"scripts"`
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Scripts) > 0 || len(m.Optional) != len(Platforms) {
		t.Errorf("%s: %v", text, err)
	}
	for _, p := range Platforms {
		if m.Optional[p.Package()] != "1.2.3" {
			t.Errorf("%s is %q", p.Package(), m.Optional[p.Package()])
		}
	}
}

// here is the platform that this test runs on.
func here(t *testing.T) Platform {
	t.Helper()
	for _, p := range Platforms {
		if p.GOOS == runtime.GOOS && p.GOARCH == runtime.GOARCH {
			return p
		}
	}
	t.Skipf("not run: there is no package for %s/%s", runtime.GOOS, runtime.GOARCH)
	return Platform{}
}

// needNpm skips where people would not have npm either: the project itself
// needs nothing but Go.
func needNpm(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("not run: there is no npm on the PATH to install the package with")
	}
}

func TestThePackedFilesInstallWithoutANetworkAndRun(t *testing.T) {
	t.Parallel()
	needNpm(t)
	module, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	files, err := Build(t.Context(), Options{
		Module: module, Out: filepath.Join(t.TempDir(), "out"), Version: "v7.8.9", Platforms: []Platform{here(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := write(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out, code := runIn(t, dir, "npm", append([]string{"install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"}, files...)...)
	if code != 0 {
		t.Fatalf("npm install: exit %d\n%s", code, out)
	}
	out, code = runIn(t, dir, "npx", "--offline", "claudemesh", "version")
	if code != 0 || !strings.Contains(out, "claudemesh\tv7.8.9\t") {
		t.Errorf("npx: exit %d\n%s", code, out)
	}
	if out, code = runIn(t, dir, "npx", "--offline", "claudemesh", "peers"); code != 3 || !strings.Contains(out, "hint: claudemesh join LINK") {
		t.Errorf("exit codes do not come through: %d\n%s", code, out)
	}
	if err := os.RemoveAll(filepath.Join(dir, "node_modules", "@claudemesh")); err != nil {
		t.Fatal(err)
	}
	if out, code = runIn(t, dir, "npx", "--offline", "claudemesh", "version"); code != 1 || !strings.Contains(out, "hint: install again") {
		t.Errorf("without a binary: exit %d\n%s", code, out)
	}
}

// runIn runs a program in a directory, with nothing of the user's around.
func runIn(t *testing.T, dir, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "CLAUDEMESH_CONFIG_DIR="+dir+"/identity", "npm_config_cache="+dir+"/cache",
		"npm_config_update_notifier=false")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
