//go:build unix

package main

import (
	"os"
	"syscall"
)

// stopSignals ask for an orderly end: ^C, kill and schedulers send them.
func stopSignals() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGUSR1}
}

// saveSignals ask for a checkpoint: what a terminal sends that goes away.
func saveSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }
