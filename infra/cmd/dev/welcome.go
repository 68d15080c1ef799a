package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// welcome tells what runs and what to type next. Its lines are to be pasted
// into another terminal.
func (o *options) welcome(addr string, db *backend) {
	broker := "ws://" + dialable(addr) + "/ws"
	data := "in memory only: NOTHING SURVIVES A RESTART"
	if db.durable {
		data = o.data + " (the next run finds it)"
	}
	bin := near(beside("claudemesh"))
	second := near(filepath.Join(o.data, "second-peer"))

	fmt.Fprintf(o.stdout, `
  broker  %s
  data    %s
  redis   %s

A first mesh, and a second peer in it; paste into another terminal:

  export CLAUDEMESH_BROKER_URL=%s
  %s create demo
  mkdir -p %[6]s && CLAUDEMESH_CONFIG_DIR=%[6]s %[5]s join "$(%[5]s invite --mesh demo)"

Ctrl-C stops everything.

`, broker, data, withoutPassword(db.url), broker, bin, second)
}

// near writes path relative to the working directory if it lies below it, in a
// form that a shell also takes as a program.
func near(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		if !strings.ContainsRune(rel, filepath.Separator) {
			return "." + string(filepath.Separator) + rel
		}
		return rel
	}
	return path
}

func withoutPassword(url string) string {
	if scheme, rest, ok := strings.Cut(url, "://"); ok {
		if _, host, ok := strings.Cut(rest, "@"); ok {
			return scheme + "://" + host
		}
	}
	return url
}
