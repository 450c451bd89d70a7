// Command gotrain trains, evaluates and samples transformer language models.
//
// Results go to standard output, with --json as one JSON object; progress and
// errors go to standard error. Exit codes: 0 done, 1 failed, 2 wrong use or
// wrong configuration, 75 stopped on request and saved: run me again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"example.com/gotrain/train"
	"example.com/gotrain/train/device"
)

// Exit codes, part of the contract with scripts.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitRequeue = 75
)

// usageError is wrong use of the command line or a wrong configuration.
type usageError struct{ error }

// Unwrap returns the fault itself.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// failure is what a command's work came to; an error that is none comes from
// cobra, before the work: wrong use.
type failure struct{ error }

// Unwrap returns the fault itself.
func (e failure) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	// The first interrupt asks for an orderly end, the second one ends at once.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(errOut, "gotrain:", err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage usageError
	var failed failure
	var device *device.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrStopped):
		return exitRequeue
	case errors.As(err, &usage), errors.As(err, &device), train.Misconfigured(err), !errors.As(err, &failed):
		return exitUsage
	default:
		return exitFailed
	}
}
