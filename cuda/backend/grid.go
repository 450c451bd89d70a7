//go:build gpu

package backend

import "example.com/gotrain/cuda"

// elementBlock is the block of kernels that map over elements.
var elementBlock = cuda.Dim{X: 256, Y: 1, Z: 1}

// elementGrid is the grid of a kernel that maps over n elements in strides of the
// grid, eight to a thread and step.
func elementGrid(n int64) cuda.Dim {
	return cuda.Dim{X: int(min(max((n+2047)/2048, 1), 1<<16)), Y: 1, Z: 1}
}
