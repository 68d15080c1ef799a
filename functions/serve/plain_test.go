package serve_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// serve runs a function as a plain HTTP server and returns its address. It must
// stop cleanly when it is told to.
func serve(t *testing.T, name string, env ...string) string {
	t.Helper()
	cmd := exec.Command(binary(t, name))
	cmd.Env = append(env, "FUNCTIONS_ADDR=127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	var said struct{ Msg, Addr string }
	for lines.Scan() && said.Addr == "" {
		_ = json.Unmarshal(lines.Bytes(), &said)
		if said.Addr != "" {
			break
		}
		t.Log(lines.Text())
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		for lines.Scan() {
			t.Log(lines.Text())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-rest
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s did not stop cleanly: %v", name, err)
		}
	})
	if said.Addr == "" {
		t.Fatalf("%s does not listen", name)
	}
	return "http://" + said.Addr
}
