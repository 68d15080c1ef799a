package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
)

type options struct {
	data     string // directory
	addr     string
	edge     string // path of its binary
	embedded bool

	environ        []string
	stdout, stderr io.Writer
}

func parse(args []string) (options, error) {
	o := options{environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	fs.StringVar(&o.data, "data", ".data", "keep everything below this `directory`")
	fs.StringVar(&o.addr, "addr", defaultAddr(os.Getenv("EDGE_ADDR")), "`address` the edge listens on; EDGE_ADDR sets it too")
	fs.StringVar(&o.edge, "edge", beside("edge"), "the edge's `binary`")
	fs.BoolVar(&o.embedded, "embedded", false, "use the in-memory imitation of Redis even if there is a real one")
	return o, fs.Parse(args)
}

// beside is the path of a program that was built together with this one.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func defaultAddr(env string) string {
	if env != "" {
		return env
	}
	return ":7900"
}
