//go:build !unix

package main

import (
	"os"
	"syscall"
)

// stopSignals ask for an orderly end: ^C and kill send them.
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// saveSignals ask for a checkpoint; there are none.
func saveSignals() []os.Signal { return nil }
