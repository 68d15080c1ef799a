// Loadpeer hosts many real peers in one process, for tests of a whole fleet.
// It takes commands as JSON lines on standard input and writes what its peers
// do and see as JSON lines on standard output; infra/chaos/history says what
// they mean. Its input's end is the end of its peers.
//
// # Commands
//
//	{"op":"start","peer":NAME,…}   a new client for the peer; the keys are told at the first start
//	{"op":"leave","peer":NAME,"how":"goodbye"|"away"|"vanish"}
//	{"op":"cut","peer":NAME}       the connection is gone; the client comes back by itself
//	{"op":"send","peer":NAME,"id":ID,"to":KEY|"*","lane":LANE,"old":BOOL}
//	{"op":"roster","peer":NAME}    who is here, as the broker says
//	{"op":"sync","peer":NAME}      what waited for the peer has arrived
//
// A peer sends one message after the other and keeps each until it is acked or
// refused for good, over as many connections and clients as that takes, always
// under the same id: what was sent first must arrive first.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The program that reads us decides when we end, by closing our input.
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	out := newRecorder(os.Stdout)
	h := newHost(ctx, out)
	err := h.obey(os.Stdin)
	h.close()
	if err := out.close(); err != nil {
		fmt.Fprintln(os.Stderr, "loadpeer:", err)
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadpeer:", err)
		os.Exit(1)
	}
}
