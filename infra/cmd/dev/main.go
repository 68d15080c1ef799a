package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2) // flag has said why
	}
	stop, hurry := interrupts()
	if err := run(stop, hurry, o); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1)
	}
}

// interrupts returns a context that ends with the first signal to stop, and
// one that ends with the second.
func interrupts() (stop, hurry context.Context) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	stop, first := context.WithCancel(context.Background())
	hurry, second := context.WithCancel(context.Background())
	go func() { // lives as long as the process
		<-signals
		first()
		<-signals
		second()
	}()
	return stop, hurry
}
