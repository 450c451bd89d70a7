package ir

import "strings"

// Prefixes of the names of states that programs hand on from run to run.
const (
	// MemoryPrefix is that of states of the samples of a micro-batch, along their first
	// axis: each sample of a step has rows of its own.
	MemoryPrefix = "memory/"
	// RunningPrefix is that of states which a whole run has one of.
	RunningPrefix = "running/"
	// CopyPrefix and the name of a state are that of its copy in bfloat16.
	CopyPrefix = "bf16/"
)

// IsMemory tells whether a state of that name has rows by sample.
func IsMemory(state string) bool { return strings.HasPrefix(state, MemoryPrefix) }

// IsRunning tells whether a run has one state of that name that programs hand on.
func IsRunning(state string) bool { return strings.HasPrefix(state, RunningPrefix) }
