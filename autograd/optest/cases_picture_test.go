package optest

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// pictureCases are convolutions and norms of pictures. Sizes: kernels that meet every
// border, strides that leave pixels out, groups, more pixels than a block of the products,
// more channels than one.
func pictureCases() []opCase {
	var list []opCase
	for _, c := range []struct {
		name                   string
		batch, height, width   int
		in, out, groups        int
		kernel, stride         [2]int
		pad                    [4]int
		biased, added, rounded bool
	}{
		{name: "one", batch: 1, height: 1, width: 1, in: 1, out: 1, groups: 1, kernel: [2]int{1, 1}, stride: [2]int{1, 1}},
		{name: "3x3", batch: 2, height: 7, width: 9, in: 5, out: 6, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}, biased: true},
		{name: "3x3 added", batch: 1, height: 16, width: 16, in: 24, out: 32, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}, added: true},
		{name: "stride 2", batch: 2, height: 8, width: 10, in: 16, out: 17, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{2, 2}, pad: [4]int{1, 1, 1, 1}, biased: true, added: true},
		{name: "down", batch: 2, height: 9, width: 8, in: 8, out: 8, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{2, 2}, pad: [4]int{0, 0, 1, 1}},
		{name: "4x4 by 2", batch: 3, height: 12, width: 12, in: 4, out: 33, groups: 1, kernel: [2]int{4, 4}, stride: [2]int{2, 2}, pad: [4]int{1, 1, 1, 1}, added: true},
		{name: "pixels left out", batch: 2, height: 7, width: 7, in: 3, out: 4, groups: 1, kernel: [2]int{2, 1}, stride: [2]int{3, 2}, biased: true, added: true},
		{name: "sides", batch: 1, height: 5, width: 11, in: 2, out: 3, groups: 1, kernel: [2]int{5, 2}, stride: [2]int{1, 3}, pad: [4]int{4, 0, 2, 3}},
		{name: "groups", batch: 2, height: 6, width: 5, in: 6, out: 9, groups: 3, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}, biased: true, added: true},
		{name: "groups by 2", batch: 1, height: 9, width: 9, in: 4, out: 4, groups: 4, kernel: [2]int{3, 3}, stride: [2]int{2, 2}, pad: [4]int{1, 1, 1, 1}, biased: true, added: true},
		{name: "line", batch: 2, height: 1, width: 130, in: 10, out: 20, groups: 1, kernel: [2]int{1, 3}, stride: [2]int{1, 2}, pad: [4]int{0, 1, 0, 1}, biased: true},
		{name: "many pixels", batch: 2, height: 48, width: 50, in: 3, out: 20, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}},
		{name: "many channels", batch: 1, height: 4, width: 4, in: 130, out: 70, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}, biased: true},
		{name: "lines", batch: 3, height: 13, width: 16, in: 16, out: 24, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}, biased: true, added: true},
		{name: "bands", batch: 2, height: 40, width: 14, in: 48, out: 40, groups: 1, kernel: [2]int{3, 2}, stride: [2]int{1, 1}, pad: [4]int{2, 0, 1, 1}},
		{name: "lines by 2", batch: 2, height: 20, width: 32, in: 16, out: 32, groups: 1, kernel: [2]int{4, 4}, stride: [2]int{2, 2}, pad: [4]int{1, 1, 1, 1}, biased: true, added: true},
		{name: "inside", batch: 1, height: 9, width: 26, in: 32, out: 16, groups: 1, kernel: [2]int{2, 3}, stride: [2]int{1, 1}, added: true},
		{name: "lines bf16", batch: 2, height: 9, width: 16, in: 16, out: 24, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{1, 1}, pad: [4]int{1, 1, 1, 1}, biased: true, rounded: true},
		{name: "bf16", batch: 2, height: 8, width: 8, in: 16, out: 24, groups: 1, kernel: [2]int{3, 3}, stride: [2]int{2, 2}, pad: [4]int{1, 1, 1, 1}, biased: true, rounded: true},
	} {
		a := ir.ConvAttrs{Batch: c.batch, Height: c.height, Width: c.width, Kernel: c.kernel, Stride: c.stride, Pad: c.pad, Groups: c.groups}
		if c.rounded {
			a.Compute = ir.BF16
		}
		height, width := a.Out()
		x, y := s(c.batch*c.height*c.width, c.in), s(c.batch*height*width, c.out)
		w := s(c.out, c.kernel[0], c.kernel[1], c.in/c.groups)
		list = append(list,
			opCase{c.name, ir.Conv, a, []arg{normal(x...), normal(w...), when(c.biased, c.out), when(c.added, y...)}, []ir.Shape{y}},
			opCase{c.name, ir.ConvInput, a, []arg{normal(y...), normal(w...), when(c.biased, c.in), when(c.added, x...)}, []ir.Shape{x}},
			opCase{c.name, ir.ConvWeights, a, []arg{normal(x...), normal(y...), when(c.added, w...)}, []ir.Shape{w}})
	}
	for _, n := range []struct {
		batch, pixels, channels, groups int
		mean                            float64
		act                             ir.Act
		added                           bool
	}{
		{1, 1, 2, 1, 0, ir.NoAct, false},
		{2, 15, 6, 3, 0, ir.NoAct, true},
		{3, 16, 32, 8, 1, ir.SiLU, false},
		{1, 1500, 40, 4, -2, ir.SiLU, true},
		{2, 700, 30, 30, 0, ir.GELU, true},
		{2, 9, 5, 1, 3, ir.NoAct, false},
		{1, 900, 33, 33, 2, ir.LeakyReLU, true}, // BatchNorm
	} {
		a := ir.GroupNormAttrs{Batch: n.batch, Groups: n.groups, Eps: 1e-5, Act: n.act}
		name := fmt.Sprintf("%dx%dx%d in %d %s", n.batch, n.pixels, n.channels, n.groups, n.act)
		x, row, stats := s(n.batch*n.pixels, n.channels), s(n.channels), s(n.batch*n.groups)
		spread := func() float64 { return n.mean + draw.NormFloat64() }
		list = append(list,
			opCase{name, ir.GroupNorm, a, []arg{fill(spread, x), normal(row...), normal(row...)}, []ir.Shape{x, stats, stats}},
			opCase{name, ir.GroupNormBackward, a, []arg{normal(x...), normal(row...), normal(row...), about(0, stats...), positive(stats...), normal(x...), when(n.added, x...)},
				[]ir.Shape{x, row, row}})
	}
	for _, act := range []ir.Act{ir.Tanh, ir.LeakyReLU} {
		for _, shape := range []ir.Shape{{1, 1}, {3, 21}, {90, 101}} {
			name := act.String() + shape.String()
			list = append(list,
				opCase{name, ir.Activation, ir.ActivationAttrs{Act: act}, []arg{wide(shape...)}, []ir.Shape{shape}},
				opCase{name, ir.ActivationBackward, ir.ActivationAttrs{Act: act}, []arg{wide(shape...), normal(shape...)}, []ir.Shape{shape}})
		}
	}
	for _, r := range []struct {
		batch, height, width, channels int
		factor                         [2]int
		alpha                          float32
	}{
		{1, 1, 1, 1, [2]int{1, 1}, 1}, {2, 3, 5, 7, [2]int{2, 2}, 1}, {1, 4, 4, 16, [2]int{2, 2}, 0.25}, {3, 1, 9, 8, [2]int{1, 3}, -2},
		{1, 40, 33, 20, [2]int{3, 2}, 1}, {2, 1, 1, 12, [2]int{9, 11}, 1. / 99},
	} {
		a := ir.ResampleAttrs{Batch: r.batch, Height: r.height, Width: r.width, Factor: r.factor, Alpha: r.alpha}
		small, large := s(r.batch*r.height*r.width, r.channels), s(r.batch*r.height*r.width*r.factor[0]*r.factor[1], r.channels)
		name := fmt.Sprintf("%dx%dx%dx%d by %v", r.batch, r.height, r.width, r.channels, r.factor)
		list = append(list,
			opCase{name, ir.Upsample, a, []arg{normal(small...)}, []ir.Shape{large}},
			opCase{name, ir.SumPool, a, []arg{normal(large...)}, []ir.Shape{small}})
	}
	list = append(list, poolCases()...)
	for _, shape := range []ir.Shape{{1}, {3, 5}, {7, 4}, {2, 5000}, {130, 33}} {
		list = append(list,
			opCase{shape.String(), ir.Normal, ir.NormalAttrs{Site: 3}, []arg{ints(7, -9, 0, 0)}, []ir.Shape{shape}},
			opCase{shape.String() + " of later rows", ir.Normal, ir.NormalAttrs{Site: 4}, []arg{ints(7, 9, 5, 1)}, []ir.Shape{shape}})
	}
	for _, c := range []ir.ConvAttrs{
		{Batch: 2, Height: 30, Width: 32, Kernel: [2]int{3, 2}, Pad: [4]int{2, 0, 1, 1}}, // bands
		{Batch: 3, Height: 8, Width: 8, Kernel: [2]int{4, 4}, Pad: [4]int{1, 2, 2, 1}},
	} {
		c.Stride, c.Groups, c.Compute = [2]int{1, 1}, 1, ir.BF16
		height, width := c.Out()
		x, y, w := s(c.Batch*c.Height*c.Width, 48), s(c.Batch*height*width, 16), s(16, c.Kernel[0], c.Kernel[1], 48)
		list = append(list, opCase{fmt.Sprintf("bf16 of %v", c.Kernel), ir.ConvWeights, c, []arg{normal(x...), normal(y...), normal(w...)}, []ir.Shape{w}})
	}
	return list
}

// poolCases have windows that overlap, leave pixels out, and reach over every border; whole
// numbers have equal pixels.
func poolCases() (list []opCase) {
	for _, a := range []ir.PoolAttrs{
		{Batch: 1, Height: 1, Width: 1, Kernel: [2]int{1, 1}, Stride: [2]int{1, 1}},
		{Batch: 2, Height: 6, Width: 8, Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}},
		{Batch: 2, Height: 7, Width: 9, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}},
		{Batch: 1, Height: 9, Width: 5, Kernel: [2]int{3, 2}, Stride: [2]int{1, 1}, Pad: [4]int{2, 0, 0, 1}},
		{Batch: 3, Height: 8, Width: 7, Kernel: [2]int{1, 2}, Stride: [2]int{3, 3}},
	} {
		for _, channels := range []int{1, 70} {
			height, width := a.Out()
			small, large := s(a.Batch*height*width, channels), s(a.Batch*a.Height*a.Width, channels)
			name := fmt.Sprintf("%dx%dx%dx%d by %v %v", a.Batch, a.Height, a.Width, channels, a.Kernel, a.Stride)
			for i, x := range []arg{normal(large...), fill(func() float64 { return float64(draw.IntN(3)) }, large)} {
				named := name + []string{"", " of whole numbers"}[i]
				forward := opCase{named, ir.MaxPool, a, []arg{x}, []ir.Shape{small}}
				y := arg{shape: small, floats: define(&forward)[0].data}
				list = append(list, forward, opCase{named, ir.MaxPoolBackward, a, []arg{x, y, normal(small...)}, []ir.Shape{large}})
			}
		}
	}
	return list
}

// when is an optional argument of normal numbers.
func when(given bool, shape ...int) arg {
	if !given {
		return none
	}
	return normal(shape...)
}

// apart draws numbers that differ by more than the steps of the differences.
func apart(shape ...int) arg {
	order, next := draw.Perm(ir.Shape(shape).Size()), -1
	return fill(func() float64 { next++; return float64(order[next]) / 4 }, shape)
}

func pictureGradients() (list []gradientCase) {
	small := autograd.ConvConfig{Batch: 2, Height: 4, Width: 5, Stride: [2]int{2, 1}, Pad: [4]int{1, 0, 1, 1}}
	grouped := autograd.ConvConfig{Batch: 1, Height: 3, Width: 3, Pad: [4]int{1, 1, 1, 1}, Groups: 2}
	list = append(list,
		unary("Conv", ir.Conv, func(p []*node) *node { return autograd.Conv(p[0], p[1], p[2], small) }, normal(40, 3), normal(2, 3, 2, 3), normal(2)),
		unary("Conv groups", ir.Conv, func(p []*node) *node { return autograd.Conv(p[0], p[1], nil, grouped) }, normal(9, 4), normal(4, 3, 3, 2)),
		unary("ConvTransposed", ir.ConvInput, func(p []*node) *node { return autograd.ConvTransposed(p[0], p[1], p[2], small) }, normal(20, 2), normal(2, 3, 2, 3), normal(3)),
		unary("ConvTransposed groups", ir.ConvInput, func(p []*node) *node { return autograd.ConvTransposed(p[0], p[1], nil, grouped) }, normal(9, 4), normal(4, 3, 3, 2)),
		unary("Upsample", ir.Upsample, func(p []*node) *node { return autograd.Upsample(p[0], 2, 2, 3, [2]int{2, 3}) }, normal(12, 2)),
		unary("AvgPool", ir.SumPool, func(p []*node) *node { return autograd.AvgPool(p[0], 1, 4, 6, [2]int{2, 3}) }, normal(24, 2)),
		unary("MaxPool", ir.MaxPool, func(p []*node) *node {
			return autograd.MaxPool(p[0], autograd.PoolConfig{Batch: 2, Height: 4, Width: 5, Kernel: [2]int{3, 2}, Stride: [2]int{1, 2}, Pad: [4]int{1, 1, 0, 0}})
		}, apart(40, 3)),
		unary("BatchNorm", ir.GroupNorm, func(p []*node) *node { y, _, _ := autograd.BatchNorm(p[0], p[1], p[2], 1e-5, ir.Tanh); return y }, normal(10, 6), normal(6), normal(6)),
		unary("Normalize", ir.Map, func(p []*node) *node { return autograd.Normalize(p[0], p[1], p[2], p[3], p[4], 1e-5, ir.NoAct) }, normal(4, 3), normal(3), normal(3), normal(3), positive(3)),
		unary("GroupNorm", ir.GroupNorm, func(p []*node) *node { return autograd.GroupNorm(p[0], p[1], p[2], 2, 2, 1e-5, ir.NoAct) }, normal(10, 6), normal(6), normal(6)),
		unary("GroupNorm silu", ir.GroupNorm, func(p []*node) *node { return autograd.GroupNorm(p[0], p[1], p[2], 2, 3, 1e-5, ir.SiLU) }, normal(10, 6), normal(6), normal(6)),
	)
	return list
}
