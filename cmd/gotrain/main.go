// Command gotrain trains, evaluates and samples transformer language models.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gotrain/train"
)

// Exit codes, part of the contract with scripts.
const (
	exitFailed  = 1  // the command failed
	exitUsage   = 2  // wrong use or wrong configuration
	exitRequeue = 75 // stopped on request and saved: run me again
)

// usageError is wrong use of the command line or a wrong configuration.
type usageError struct{ error }

// Unwrap returns the fault itself.
func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGUSR1)
	err := newRoot().ExecuteContext(ctx)
	stop()
	os.Exit(exitCode(err))
}

// exitCode prints err and returns the code that it stands for.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrStopped):
		fmt.Fprintln(os.Stderr, "gotrain:", err)
		return exitRequeue
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "gotrain:", err)
		return exitUsage
	default:
		fmt.Fprintln(os.Stderr, "gotrain:", err)
		return exitFailed
	}
}
