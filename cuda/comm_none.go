//go:build !gpu

package cuda

// Comm is a rank of a communicator, which this build cannot make.
type Comm struct{}
