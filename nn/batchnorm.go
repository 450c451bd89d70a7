package nn

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Statistics says by which mean and variance batch norms go in a forward pass.
type Statistics uint8

const (
	RunningStatistics Statistics = iota // those of training, as evaluations do
	BatchStatistics                     // those of the batch
	WrittenStatistics                   // those of the batch, which the running ones follow
)

// momentum is what a batch weighs in running statistics, torch's.
const momentum = 0.1

// BatchNorm normalises each channel over all pictures of a batch, of each rank by itself,
// with "name.weight", "name.bias", "name.running_mean" and "name.running_var", followed by
// act: torch's BatchNorm2d.
func (b *Builder) BatchNorm(name string, p Pictures, act ir.Act, s Statistics) Pictures {
	channels := p.Channels()
	w := b.param(Param{Name: name + ".weight", Shape: []int{channels}, Init: Init{Value: 1}})
	bias := b.bias(name, channels, true)
	mean := b.Running(name+".running_mean", Init{}, channels)
	variance := b.Running(name+".running_var", Init{Value: 1}, channels)
	eps := float32(b.style.NormEps)
	return p.with(b.layer(name, func() *autograd.Node {
		if s == RunningStatistics {
			return autograd.Normalize(p.X, w, bias, mean, variance, eps, act)
		}
		y, batchMean, batchVariance := autograd.BatchNorm(p.X, w, bias, eps, act)
		if s == WrittenStatistics {
			n := p.X.Shape().Rows()
			follow := func(running, batch *autograd.Node, factor float32) {
				b.Graph.Write(running, autograd.Add(autograd.Scale(running, 1-momentum), autograd.Scale(batch, momentum*factor)))
			}
			follow(mean, batchMean, 1)
			follow(variance, batchVariance, float32(n)/float32(max(n-1, 1))) // the unbiased one
		}
		return y
	}))
}

// ConvTransposed declares "name.weight" (in, out, kernel, kernel) and, unless that is left
// out, "name.bias" (out), torch's ConvTranspose2d: a picture grows to (size - 1)·stride -
// pads + kernel pixels.
func (b *Builder) ConvTransposed(name string, p Pictures, out int, c ConvLayer) Pictures {
	in, k := p.Channels(), c.Kernel
	w := b.param(Param{Name: name + ".weight", Shape: []int{in, out, k, k}, Init: c.init(out * k * k), Decay: true})
	bias := b.bias(name, out, !c.NoBias)
	height, width := (p.Height-1)*c.Stride-c.Pad[0]-c.Pad[2]+k, (p.Width-1)*c.Stride-c.Pad[1]-c.Pad[3]+k
	cfg := autograd.ConvConfig{Batch: p.Batch, Height: height, Width: width, Stride: [2]int{c.Stride, c.Stride}, Pad: c.Pad}
	x := b.layer(name, func() *autograd.Node {
		turned := autograd.Transpose(w, 0, 2, 3, 1)
		if p.Height == 1 && p.Width == 1 && bias == nil && c.Pad == [4]int{} { // every pixel sees the one there is
			y := autograd.MatMul(p.X, autograd.Reshape(turned, in, k*k*out), false, false)
			return autograd.Reshape(y, p.Batch*k*k, out)
		}
		return autograd.ConvTransposed(p.X, turned, bias, cfg)
	})
	return Pictures{x, p.Batch, height, width}
}
