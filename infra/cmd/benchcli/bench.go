package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const startWithin = 30 * time.Second

// sample is one run of a program.
type sample struct {
	took   time.Duration
	memory int64 // bytes that were resident at most
}

// bench prints the comparison.
func bench(ctx context.Context, bin string, runs int) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "benchcli")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	broker, stop, err := startBroker(ctx, bin, dir)
	if err != nil {
		return err
	}
	defer stop()
	cli := filepath.Join(bin, "claudemesh")
	env := append(os.Environ(), "CLAUDEMESH_CONFIG_DIR="+filepath.Join(dir, "identity"), "CLAUDEMESH_BROKER_URL="+broker)
	if _, err := once(ctx, dir, env, cli, "create", "bench"); err != nil {
		return err
	}
	leave, err := startListener(ctx, dir, env, cli)
	if err != nil {
		return err
	}
	defer leave()
	elsewhere := filepath.Join(dir, "elsewhere") // no session runs there that could answer instead of the broker
	if err := os.Mkdir(elsewhere, 0o700); err != nil {
		return err
	}
	return compare(ctx, runs, elsewhere, env, [][]string{{cli, "peers"}, {"node", "-e", "0"}})
}

// compare runs the commands by turns, so that what else the machine does falls
// on both.
func compare(ctx context.Context, runs int, dir string, env []string, commands [][]string) error {
	samples := make([][]sample, len(commands))
	for range runs {
		for i, c := range commands {
			s, err := once(ctx, dir, env, c...)
			if errors.Is(err, exec.ErrNotFound) {
				continue // reported below
			}
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], s)
		}
	}
	fmt.Printf("%d runs each on %s/%s, by turns\n\n", runs, runtime.GOOS, runtime.GOARCH)
	fmt.Printf("%-24s %10s %10s %10s\n", "", "median", "90th", "memory")
	for i, c := range commands {
		name := filepath.Base(c[0])
		for _, arg := range c[1:] {
			name += " " + arg
		}
		if len(samples[i]) == 0 {
			fmt.Printf("%-24s not run: it is not installed\n", name)
			return nil
		}
		fmt.Printf("%-24s %10s %10s %7.1f MB\n", name, ms(percentile(samples[i], 50)), ms(percentile(samples[i], 90)), megabytes(samples[i]))
	}
	ours, empty := percentile(samples[0], 50), percentile(samples[1], 50)
	fmt.Printf("\nratio %.2f in time, %.2f in memory: ", float64(ours)/float64(empty), megabytes(samples[0])/megabytes(samples[1]))
	if ours < empty {
		fmt.Println("an answer from the mesh takes less than an empty Node process")
	} else {
		fmt.Println("an empty Node process takes less than an answer from the mesh")
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func percentile(samples []sample, p int) time.Duration {
	all := make([]time.Duration, len(samples))
	for i, s := range samples {
		all[i] = s.took
	}
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}

// megabytes is the median of the memory.
func megabytes(samples []sample) float64 {
	all := make([]int64, len(samples))
	for i, s := range samples {
		all[i] = s.memory
	}
	slices.Sort(all)
	return float64(all[(len(all)-1)/2]) / (1 << 20)
}

// once runs a program to its end.
func once(ctx context.Context, dir string, env []string, command ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, env
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", command[0], err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{took: took}, nil
	}
	memory := int64(usage.Maxrss)
	if runtime.GOOS == "linux" {
		memory <<= 10 // it counts in KiB there
	}
	return sample{took, memory}, nil
}

var address = regexp.MustCompile(`broker\s+(ws://\S+)`)

// startBroker starts a broker with everything in dir.
func startBroker(ctx context.Context, bin, dir string) (url string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "dev"), "-data", filepath.Join(dir, "data"), "-addr", "127.0.0.1:0")
	line, stop, err := start(cmd, address)
	if err != nil {
		return "", nil, fmt.Errorf("broker: %w", err)
	}
	return address.FindStringSubmatch(line)[1], stop, nil
}

var ready = regexp.MustCompile(`"event":"ready"`)

// startListener keeps a peer present, so that there is somebody to show.
func startListener(ctx context.Context, dir string, env []string, cli string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, cli, "listen", "--json", "--session", "bench")
	cmd.Dir, cmd.Env = dir, env
	_, stop, err = start(cmd, ready)
	if err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	return stop, nil
}

// start starts a program and waits for a line of its output. stop ends it in
// peace.
func start(cmd *exec.Cmd, until *regexp.Regexp) (line string, stop func(), err error) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			if until.MatchString(scanner.Text()) {
				lines <- scanner.Text()
				_, _ = io.Copy(io.Discard, r)
				return
			}
		}
	}()
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = w.Close()
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
	}
	select {
	case line, ok := <-lines:
		if ok {
			return line, stop, nil
		}
		err = errors.New("it ended at once")
	case <-time.After(startWithin):
		err = errors.New("it does not start")
	}
	stop()
	return "", nil, err
}
