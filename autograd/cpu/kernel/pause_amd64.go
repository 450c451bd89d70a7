//go:build amd64 && !noasm

package kernel

// pause tells the core that the thread is polling, for about 40 cycles.
//
//go:noescape
func pause()
