//go:build !amd64 || noasm

package kernel

// pause tells the core that the thread is polling, where it can be told.
func pause() {}
