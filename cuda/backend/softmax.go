//go:build gpu

package backend

import "example.com/gotrain/cuda"

func bindSoftmax(c *call) func() {
	return c.launchRows("softmax", []cuda.Ptr{c.in(0), c.out(0)})
}

func bindSoftmaxBackward(c *call) func() {
	return c.launchRows("softmax_backward", []cuda.Ptr{c.in(0), c.in(1), c.out(0)})
}
