package docker

import (
	"bytes"
	"debug/elf"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
)

// top is the directory of the module, which is what the image is built from.
var top = filepath.Join("..", "..")

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A service of compose.yaml, as far as the tests look at it.
type service struct {
	Image string
	Build struct {
		Context, Dockerfile string
	}
	Command         []string
	Environment     map[string]string
	Volumes         []string
	Ports           []string
	StopGracePeriod string `yaml:"stop_grace_period"`
	ReadOnly        bool   `yaml:"read_only"`
	Ulimits         struct {
		Nofile struct{ Soft, Hard int }
	}
}

func compose(t *testing.T) map[string]service {
	t.Helper()
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	if _, ok := file.Volumes["redis"]; !ok {
		t.Error("the data of Redis have no volume")
	}
	return file.Services
}

func edges(t *testing.T) map[string]service {
	t.Helper()
	all := compose(t)
	for name := range all {
		if !strings.HasPrefix(name, "edge") {
			delete(all, name)
		}
	}
	if len(all) != 3 {
		t.Fatalf("%d edges, want 3", len(all))
	}
	return all
}

// instructions lists those of the Dockerfile, with continued lines joined.
func instructions(t *testing.T) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(strings.ReplaceAll(read(t, "Dockerfile"), "\\\n", " ")) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func TestTheImageIsStaticProgramsOnNothingAndRunsAsNobody(t *testing.T) {
	t.Parallel()
	all := instructions(t)
	last := slices.Index(all, "FROM scratch")
	if last < 0 {
		t.Fatal("the image does not start from scratch")
	}
	final := all[last:]
	for _, want := range []string{"USER 65532:65532", "EXPOSE 7900", `ENTRYPOINT ["/edge"]`} {
		if !slices.Contains(final, want) {
			t.Errorf("the image lacks %s", want)
		}
	}
	if !slices.ContainsFunc(final, func(i string) bool { return strings.HasSuffix(i, "/etc/ssl/certs/ca-certificates.crt") }) {
		t.Error("the image has no certificates of authorities: a managed Redis could not be trusted")
	}
	for _, i := range final {
		if strings.HasPrefix(i, "COPY ") && !strings.HasPrefix(i, "COPY --from=build ") {
			t.Errorf("%s copies from outside the build", i)
		}
	}
}

// builds are the arguments of `go build` in the Dockerfile, from -trimpath on.
func builds(t *testing.T) []string {
	t.Helper()
	for _, i := range instructions(t) {
		if _, args, ok := strings.Cut(i, "go build "); ok {
			if !strings.Contains(i, "CGO_ENABLED=0 ") {
				t.Error("the programs may link a C library, which the image does not have")
			}
			return strings.Fields(strings.ReplaceAll(args, `"-s -w"`, "-s"))
		}
	}
	t.Fatal("the Dockerfile builds nothing")
	return nil
}

func TestWhatTheImageIsBuiltFromExists(t *testing.T) {
	t.Parallel()
	for _, arg := range builds(t) {
		if strings.HasPrefix(arg, "./") {
			if _, err := os.Stat(filepath.Join(top, arg, "main.go")); err != nil {
				t.Error(err)
			}
		}
	}
	var image, module string
	for _, i := range instructions(t) {
		if v, ok := strings.CutPrefix(i, "FROM --platform=$BUILDPLATFORM golang:"); ok {
			image, _, _ = strings.Cut(v, " ")
		}
	}
	if m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(top, "go.mod"))); m != nil {
		module = m[1]
	}
	if image == "" || image != module {
		t.Errorf("the image is built with Go %s, go.mod asks for %s", image, module)
	}
}

func TestTheProgramsAreStaticOnBothProcessors(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds two programs twice")
	}
	args := builds(t)
	for arch, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		dir := t.TempDir()
		args := slices.Clone(args)
		args[slices.Index(args, "/out/")] = dir + string(filepath.Separator)
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"build"}, args...)...)
		cmd.Dir = top
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", arch, err, out)
		}
		for _, program := range []string{"edge", "sidecar"} {
			f, err := elf.Open(filepath.Join(dir, program))
			if err != nil {
				t.Fatal(err)
			}
			if f.Machine != machine {
				t.Errorf("%s for %s is for %v", program, arch, f.Machine)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP {
					t.Errorf("%s for %s needs a dynamic linker", program, arch)
				}
			}
			_ = f.Close()
		}
	}
}

func TestComposeRefersToFilesThatExist(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t) {
		for _, v := range s.Volumes {
			if file, _, _ := strings.Cut(v, ":"); strings.HasPrefix(file, ".") {
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if s.Build.Dockerfile != "" {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if filepath.Clean(s.Build.Context) != top {
				t.Errorf("%s is built from %s", name, s.Build.Context)
			}
		}
	}
}

func TestRedisRunsWithOurConfigurationAndKeepsItsData(t *testing.T) {
	t.Parallel()
	s := compose(t)["redis"]
	var conf string
	for _, v := range s.Volumes {
		if inside, ok := strings.CutPrefix(v, "../redis/redis.conf:"); ok {
			conf, _, _ = strings.Cut(inside, ":")
		}
	}
	if conf == "" || !slices.Contains(s.Command, conf) {
		t.Errorf("Redis is started by %q, redis.conf is at %q", s.Command, conf)
	}
	if !slices.Contains(s.Volumes, "redis:/data") || !slices.Contains(s.Command, "/data") {
		t.Error("the data of Redis are not in the volume")
	}
}

// The environment belongs to the process, so this test runs alone.
func TestAnEdgeStartsWithTheEnvironmentOfCompose(t *testing.T) {
	var usage bytes.Buffer
	if err := edge.Usage(&usage); err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`\$\{(\w+):-(.*)\}`) // ${NAME:-default}
	for name, s := range edges(t) {
		for variable, value := range s.Environment {
			if !slices.Contains(strings.Fields(usage.String()), variable) {
				t.Errorf("%s sets %s, which no edge reads", name, variable)
			}
			if m := ours.FindStringSubmatch(value); m != nil {
				if m[1] != variable {
					t.Errorf("%s takes %s from %s", name, variable, m[1])
				}
				value = m[2]
			}
			t.Setenv(variable, value)
		}
		cfg, err := edge.LoadConfig()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if grace, err := time.ParseDuration(s.StopGracePeriod); err != nil || grace <= cfg.LeaseTTL {
			t.Errorf("%s is killed after %s, want more than the lease of %v", name, s.StopGracePeriod, cfg.LeaseTTL)
		}
		if !s.ReadOnly || s.Ulimits.Nofile.Soft < 65535 {
			t.Errorf("%s: read-only %v, %d files", name, s.ReadOnly, s.Ulimits.Nofile.Soft)
		}
		if _, port, _ := net.SplitHostPort(cfg.Addr); !strings.Contains(read(t, "haproxy.cfg"), "server "+name+" "+name+":"+port+"\n") {
			t.Errorf("the balancer does not know %s at port %s", name, port)
		}
	}
}

func TestTheBalancerAsksWhatAnEdgeAnswers(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`option httpchk GET (\S+)`).FindStringSubmatch(read(t, "haproxy.cfg"))
	if m == nil {
		t.Fatal("the balancer does not ask whether an edge is ready")
	}
	resp, err := http.Get(edgetest.Start(t).HTTP + m[1])
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, _ = io.Copy(io.Discard, resp.Body); resp.StatusCode != http.StatusOK {
		t.Errorf("%s is answered %d", m[1], resp.StatusCode)
	}
}

func TestTheBalancerLeavesQuietAndDrainingSocketsAlone(t *testing.T) {
	t.Parallel()
	cfg := read(t, "haproxy.cfg")
	for _, side := range []string{"client", "server"} {
		m := regexp.MustCompile(`timeout ` + side + ` (\S+)`).FindStringSubmatch(cfg)
		if m == nil {
			t.Fatalf("no timeout %s", side)
		}
		if d, err := time.ParseDuration(m[1]); err != nil || d <= 2*edge.DefaultConfig().PingEvery {
			t.Errorf("timeout %s is %s, want more than two pings", side, m[1])
		}
	}
	if strings.Contains(cfg, "shutdown-sessions") {
		t.Error("sockets of an edge that is not ready are cut")
	}
	if !strings.Contains(cfg, "mode tcp") {
		t.Error("the balancer looks into the connections")
	}
}

// Either both sides speak the PROXY protocol, or neither: headers that nobody
// expects are malformed requests.
func TestEdgesBelieveTheBalancerAboutAddresses(t *testing.T) {
	t.Parallel()
	writes := strings.Contains(read(t, "haproxy.cfg"), " send-proxy-v2 ")
	if believes := strings.Contains(read(t, "compose.yaml"), "EDGE_PROXY_PROTOCOL: 10.0.0.0/8"); !writes || !believes {
		t.Errorf("the balancer tells addresses: %v; edges believe it: %v", writes, believes)
	}
}

func TestHAProxyAcceptsItsConfiguration(t *testing.T) {
	t.Parallel()
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not installed: its configuration was not checked")
	}
	if out, err := exec.CommandContext(t.Context(), haproxy, "-c", "-f", "haproxy.cfg").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
