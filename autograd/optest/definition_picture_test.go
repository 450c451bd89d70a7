package optest

import (
	"math"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// terms calls f for each product of a convolution: the indices of y, w and x.
func (d *definition) terms(out int, f func(y, w, x int)) {
	a := d.c.attrs.(ir.ConvAttrs)
	height, width := a.Out()
	weights := d.weights()
	in := weights[3]
	for y := range a.Batch * height * width * out {
		pixel, k := y/out, y%out
		b, i, j := pixel/(height*width), pixel/width%height, pixel%width
		for w := range weights.Size() / out {
			u, v, c := w/in/a.Kernel[1], w/in%a.Kernel[1], w%in
			row, column := i*a.Stride[0]+u-a.Pad[0], j*a.Stride[1]+v-a.Pad[1]
			if row < 0 || row >= a.Height || column < 0 || column >= a.Width {
				continue
			}
			channel := k/(out/a.Groups)*in + c
			f(y, k*weights.Size()/out+w, ((b*a.Height+row)*a.Width+column)*in*a.Groups+channel)
		}
	}
}

// weights is the shape of a convolution's w.
func (d *definition) weights() ir.Shape {
	if d.c.kind == ir.ConvWeights {
		return d.c.out[0]
	}
	return d.c.in[1].shape
}

// operand is an input of a product, rounded where that is.
func (d *definition) operand(i int) []float64 {
	if !d.c.computesBF16() {
		return d.in[i]
	}
	rounded := make([]float64, len(d.in[i]))
	for j, x := range d.in[i] {
		rounded[j] = float64(kernel.RoundBF16(float32(x)))
	}
	return rounded
}

// beside adds bias and addend to the result.
func (d *definition) beside(bias, addend []float64) {
	y := d.out[0]
	for i := range y {
		if bias != nil {
			y[i] += bias[i%len(bias)]
		}
		y[i] += at(addend, i)
	}
}

func defineConv(d *definition) {
	x, w := d.operand(0), d.operand(1)
	d.terms(d.weights()[0], func(at, from, pixel int) { d.out[0][at] += w[from] * x[pixel] })
	d.beside(d.in[2], d.in[3])
}

func defineConvInput(d *definition) {
	dy, w := d.operand(0), d.operand(1)
	d.terms(d.weights()[0], func(from, weight, at int) { d.out[0][at] += w[weight] * dy[from] })
	d.beside(d.in[2], d.in[3])
}

func defineConvWeights(d *definition) {
	x, dy := d.operand(0), d.operand(1)
	d.terms(d.weights()[0], func(from, at, pixel int) { d.out[0][at] += dy[from] * x[pixel] })
	d.beside(nil, d.in[2])
}

// groupOf tells, of element i of x, the channel and the statistic.
func (d *definition) groupOf(i int) (channel, group int) {
	a, x := d.c.attrs.(ir.GroupNormAttrs), d.c.in[0].shape
	channel = i % x.Cols()
	picture := i / x.Cols() / (x.Rows() / a.Batch)
	return channel, picture*a.Groups + channel*a.Groups/x.Cols()
}

func defineGroupNorm(d *definition) {
	a := d.c.attrs.(ir.GroupNormAttrs)
	y, mean, rstd := d.out[0], d.out[1], d.out[2]
	n := float64(len(y) / len(mean))
	for i, x := range d.in[0] {
		_, g := d.groupOf(i)
		mean[g] += x / n
	}
	squares := make([]float64, len(mean))
	for i, x := range d.in[0] {
		_, g := d.groupOf(i)
		squares[g] += (x - mean[g]) * (x - mean[g]) / n
	}
	for g := range rstd {
		rstd[g] = 1 / math.Sqrt(squares[g]+float64(a.Eps))
	}
	for i, x := range d.in[0] {
		c, g := d.groupOf(i)
		y[i], _ = act(a.Act, (x-mean[g])*rstd[g]*d.in[1][c]+d.in[2][c])
	}
}

func defineGroupNormBackward(d *definition) {
	a := d.c.attrs.(ir.GroupNormAttrs)
	w, b, mean, rstd, dy, addend := d.in[1], d.in[2], d.in[3], d.in[4], d.in[5], d.in[6]
	n := float64(len(dy) / len(mean))
	plain, normal := make([]float64, len(mean)), make([]float64, len(mean))
	each := func(f func(i, c, g int, n, dz float64)) {
		for i, x := range d.in[0] {
			c, g := d.groupOf(i)
			norm := (x - mean[g]) * rstd[g]
			_, slope := act(a.Act, norm*w[c]+b[c])
			f(i, c, g, norm, dy[i]*slope)
		}
	}
	each(func(_, c, g int, norm, dz float64) {
		d.out[1][c] += dz * norm
		d.out[2][c] += dz
		plain[g] += dz * w[c] / n
		normal[g] += dz * w[c] * norm / n
	})
	each(func(i, c, g int, norm, dz float64) {
		d.out[0][i] = rstd[g]*(dz*w[c]-plain[g]-norm*normal[g]) + at(addend, i)
	})
}

// smaller is the pixel of the small picture that pixel i of the large one belongs to.
func (d *definition) smaller(i int) int {
	a := d.c.attrs.(ir.ResampleAttrs)
	height, width := a.Height*a.Factor[0], a.Width*a.Factor[1]
	b, y, x := i/(height*width), i/width%height, i%width
	return (b*a.Height+y/a.Factor[0])*a.Width + x/a.Factor[1]
}

func defineUpsample(d *definition) {
	a, channels := d.c.attrs.(ir.ResampleAttrs), d.cols(0)
	for i := range d.out[0] {
		d.out[0][i] = float64(a.Alpha) * d.in[0][d.smaller(i/channels)*channels+i%channels]
	}
}

func defineSumPool(d *definition) {
	a, channels := d.c.attrs.(ir.ResampleAttrs), d.cols(0)
	for i, x := range d.in[0] {
		d.out[0][d.smaller(i/channels)*channels+i%channels] += float64(a.Alpha) * x
	}
}

// windows calls f with each element of y, and with the elements of x in its window.
func (d *definition) windows(f func(y, x int)) {
	a, channels := d.c.attrs.(ir.PoolAttrs), d.cols(0)
	height, width := a.Out()
	for y := range a.Batch * height * width * channels {
		pixel, c := y/channels, y%channels
		b, i, j := pixel/(height*width), pixel/width%height, pixel%width
		for at := range a.Kernel[0] * a.Kernel[1] {
			row, column := i*a.Stride[0]-a.Pad[0]+at/a.Kernel[1], j*a.Stride[1]-a.Pad[1]+at%a.Kernel[1]
			if row >= 0 && row < a.Height && column >= 0 && column < a.Width {
				f(y, ((b*a.Height+row)*a.Width+column)*channels+c)
			}
		}
	}
}

func defineMaxPool(d *definition) {
	for i := range d.out[0] {
		d.out[0][i] = math.Inf(-1)
	}
	d.windows(func(y, x int) { d.out[0][y] = max(d.out[0][y], d.in[0][x]) })
}

func defineMaxPoolBackward(d *definition) {
	taken := make([]bool, len(d.in[1]))
	d.windows(func(y, x int) {
		if !taken[y] && d.in[0][x] == d.in[1][y] {
			d.out[0][x] += d.in[2][y]
			taken[y] = true
		}
	})
}

func defineNormal(d *definition) {
	rng, shape := d.c.in[0].ints, d.c.out[0]
	row := uint64(uint32(rng[2])) | uint64(uint32(rng[3]))<<32
	first := row * uint64(shape.Size()/shape[0])
	for i := range d.out[0] {
		e := first + uint64(i)
		words := philox([2]uint32{uint32(rng[0]), uint32(rng[1])}, [4]uint32{uint32(e / 4), d.c.attrs.(ir.NormalAttrs).Site, uint32(e / 4 >> 32), 0})
		pair := e % 4 / 2 * 2
		u, v := (float64(words[pair]>>9)+0.5)/(1<<23), float64(words[pair+1]>>8)/(1<<24)
		r := math.Sqrt(-2 * math.Log(u))
		if e%2 == 0 {
			d.out[0][i] = r * math.Cos(2*math.Pi*v)
		} else {
			d.out[0][i] = r * math.Sin(2*math.Pi*v)
		}
	}
}
