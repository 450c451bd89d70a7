package cpu

import (
	"unsafe"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// sliding is a convolution, or a phase of its adjoint, as products whose rows lie in memory:
// a task copies a band of lines of a picture with zeros beside it, in which what each pixel
// of a line sees is kernel[0] runs of kernel[1] pixels; a line of the result is one product
// for each panel of columns. So pictures are copied once, not once for each tap. Element
// (b, i, j) of the result sees pixels (i·stride[0] + at[0] + u, j·stride[1] + at[1] + v).
type sliding struct {
	height, width, channels    int // of src
	kernel, stride, at, extent [2]int
	columns                    int    // of a pixel of the result
	dstHeight, dstWidth        int    // of the result, in which pixel (i, j) lies at
	dstFirst, dstStep          [2]int // dstFirst + (i, j)·dstStep
	batch                      int
	bf16                       bool
	phase                      phase

	src, dst, w, bias, addend []float32
	read                      kernel.Reader // weights (taps·channels, columns), in place of w (columns, taps·channels)
}

// slides is a convolution.
func (c *convolution) slides() []sliding {
	return []sliding{{
		height: c.Height, width: c.Width, channels: c.Groups * c.in, kernel: c.Kernel, stride: c.Stride, at: [2]int{-c.Pad[0], -c.Pad[1]},
		extent: [2]int{c.outHeight, c.outWidth}, columns: c.Groups * c.out, dstHeight: c.outHeight, dstWidth: c.outWidth, dstStep: [2]int{1, 1},
		batch: c.Batch, bf16: c.Compute == ir.BF16,
	}}
}

// slidesBack are the phases of the adjoint.
func (c *convolution) slidesBack() (list []sliding) {
	for _, p := range c.phases() {
		list = append(list, sliding{
			height: c.outHeight, width: c.outWidth, channels: c.Groups * c.out, kernel: p.count, stride: [2]int{1, 1}, at: p.at,
			extent: p.size, columns: c.Groups * c.in, dstHeight: c.Height, dstWidth: c.Width, dstFirst: p.first, dstStep: c.Stride,
			batch: c.Batch, bf16: c.Compute == ir.BF16, phase: p,
		})
	}
	return list
}

const (
	leastRun     = 32  // elements of a run, below which the calls of the kernels cost more than copies
	leastColumns = 8   // of the result
	bandPixels   = 256 // of the result in a band
	tilePixels   = 8   // that a tile kernel computes at once
)

// direct tells whether all of s are computed so; b's groups are one.
func (b *Backend) direct(s ...sliding) bool {
	for i := range s {
		t := &s[i]
		run, width := t.kernel[1]*t.channels, t.extent[1]
		used := width * 8 / (tilePixels * blocks(width, tilePixels)) // eighths of the rows of tiles
		even := !b.gemm.Pairs(t.bf16) || t.channels%2 == 0
		if t.kernel[0] == 0 || run < leastRun || t.columns < leastColumns || used < 6 || !even {
			return false
		}
	}
	return true
}

// taps is the length of the rows of weights.
func (s *sliding) taps() int { return s.kernel[0] * s.kernel[1] * s.channels }

// band is the number of lines of the result of a task, and the pixels of the copied lines.
func (s *sliding) band() (lines, sourceLines, pitch int) {
	lines = max(1, min(s.extent[0], bandPixels/s.extent[1]))
	lines = blocks(s.extent[0], blocks(s.extent[0], lines))
	pixels := blocks(s.extent[1], tilePixels) * tilePixels
	return lines, (lines-1)*s.stride[0] + s.kernel[0], (pixels-1)*s.stride[1] + s.kernel[1]
}

// bandFloats is the size of a copied band.
func (s *sliding) bandFloats() int {
	_, lines, pitch := s.band()
	return (lines*pitch*s.channels + 15) / 16 * 16
}

// slidingScratch holds the packed weights of the largest of s and a band for each worker.
func (b *Backend) slidingScratch(s []sliding) int {
	if !b.direct(s...) {
		return 0
	}
	weights, band := 0, 0
	for i := range s {
		weights = max(weights, b.gemm.PanelFloats(s[i].columns, s[i].taps(), s[i].bf16))
		band = max(band, s[i].bandFloats())
	}
	return (weights+15)/16*16 + b.pool.Threads()*band
}

// slide returns what computes all of list, one after the other.
func (c *call) slide(list []sliding) func() {
	space := c.scratch()
	weights, band := 0, 0
	for i := range list {
		weights = max(weights, (c.gemm.PanelFloats(list[i].columns, list[i].taps(), list[i].bf16)+15)/16*16)
		band = max(band, list[i].bandFloats())
	}
	var all []func()
	for i := range list {
		all = append(all, c.slideOne(&list[i], space[:weights], space[weights:], band))
	}
	return func() {
		for _, run := range all {
			run()
		}
	}
}

func (c *call) slideOne(s *sliding, weights, bands []float32, band int) func() {
	gemm, v := c.gemm, c.vec
	panels := gemm.NewWidePanels(s.columns, s.taps(), s.bf16, weights)
	lines, _, pitch := s.band()
	perPicture := blocks(s.extent[0], lines)
	args, rows := make([]kernel.Args, c.pool.Threads()), make([]kernel.Rows, c.pool.Threads())
	pack := c.each(panels.Count(), len(weights), func(i, worker int) {
		if s.read != nil {
			gemm.PackPanelOf(worker, &panels, i, s.read)
			return
		}
		gemm.PackPanel(&panels, i, s.w, s.taps(), true)
	})
	multiply := c.each(s.batch*perPicture, s.batch*s.extent[0]*s.extent[1]*s.columns, func(task, worker int) {
		b, first := task/perPicture, task%perPicture*lines
		last := min(first+lines, s.extent[0])
		space := bands[worker*band:][:band]
		s.copyBand(gemm, v, space, b, first, last)
		for i := range panels.Count() {
			for line := first; line < last; line++ {
				from := (line - first) * s.stride[0] * pitch * s.channels
				if gemm.Pairs(s.bf16) {
					from /= 2
				}
				rows[worker] = kernel.Rows{Data: space[from:], Step: s.stride[1] * s.channels, Run: s.kernel[1] * s.channels, Runs: s.kernel[0], Pitch: pitch * s.channels}
				args[worker] = s.line(b, line)
				gemm.MulRows(worker, &args[worker], &rows[worker], &panels, i)
			}
		}
	})
	return func() {
		pack()
		multiply()
	}
}

// line is the product that makes a line of the result.
func (s *sliding) line(b, line int) kernel.Args {
	at := ((b*s.dstHeight+s.dstFirst[0]+line*s.dstStep[0])*s.dstWidth + s.dstFirst[1]) * s.columns
	ld := s.dstStep[1] * s.columns
	return kernel.Args{
		M: s.extent[1], N: s.columns, K: s.taps(), BF16: s.bf16,
		C: s.dst[at:], LDC: ld, Bias: s.bias, Residual: rest(s.addend, at), LDR: ld,
	}
}

// copyBand copies what lines [first, last) of the result see of picture b, 0 outside of it,
// as the tile kernels read it.
func (s *sliding) copyBand(gemm *kernel.GEMM, v *vec.Impl, to []float32, b, first, last int) {
	_, _, pitch := s.band()
	pairs := gemm.Pairs(s.bf16)
	from, size := first*s.stride[0]+s.at[0], pitch*s.channels
	count := (last-first-1)*s.stride[0] + s.kernel[0]
	left := min(max(-s.at[1], 0), pitch)            // pixels of 0 before the picture
	skip := max(s.at[1], 0)                         // pixels of the picture that nothing sees
	inside := max(min(pitch-left, s.width-skip), 0) // of it that are copied
	head, body := left*s.channels, inside*s.channels
	for i := range count {
		y := from + i
		line := (b*s.height + y) * s.width
		switch {
		case pairs:
			dst := unsafe.Slice((*vec.BF16)(unsafe.Pointer(&to[i*size/2])), size)
			if y < 0 || y >= s.height {
				clear(dst)
				continue
			}
			clear(dst[:head])
			v.ToBF16(dst[head:head+body], s.src[(line+skip)*s.channels:][:body])
			clear(dst[head+body:])
		default:
			dst := to[i*size:][:size]
			if y < 0 || y >= s.height {
				clear(dst)
				continue
			}
			clear(dst[:head])
			copy(dst[head:], s.src[(line+skip)*s.channels:][:body])
			clear(dst[head+body:])
		}
	}
	if !pairs && s.bf16 {
		gemm.RoundRows(to[:(count*size+7)/8*8], true)
	}
}
