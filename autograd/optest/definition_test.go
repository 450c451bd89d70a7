package optest

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// definition computes a case as ir.Info.Doc says, in float64, one element after
// the other and without a thought for speed. It returns what bound.run does.
type definition struct {
	c   *opCase
	in  [][]float64
	out [][]float64
}

// define returns the results of c.
func define(c *opCase) []result {
	d := &definition{c: c}
	for _, a := range c.in {
		var x []float64
		for _, e := range a.floats {
			x = append(x, float64(e))
		}
		d.in = append(d.in, x)
	}
	for _, shape := range c.out {
		var y []float64
		if shape != nil {
			y = make([]float64, shape.Size())
		}
		d.out = append(d.out, y)
	}
	f := definitions[c.kind]
	if f == nil {
		panic(fmt.Sprintf("optest: %s has no definition", c.kind))
	}
	f(d)
	for _, pair := range ir.Kinds[c.kind].Sums {
		if sum := d.out[pair[0]]; sum != nil {
			for i, e := range d.out[pair[1]] {
				sum[i%len(sum)] += e
			}
		}
	}

	var results []result
	add := func(name string, x []float64) {
		r := result{name: name}
		for _, e := range x {
			r.data = append(r.data, float32(e))
		}
		results = append(results, r)
	}
	for i, y := range d.out {
		if y != nil {
			add(ir.Kinds[c.kind].Out[i].Name, y)
		}
	}
	for _, i := range ir.Kinds[c.kind].Mutates {
		if d.in[i] != nil && i != ir.Kinds[c.kind].Copy { // which copied looks at
			add(ir.Kinds[c.kind].In[i].Name, d.in[i])
		}
	}
	return results
}

var definitions = [ir.NumKinds]func(d *definition){
	ir.Embedding:                 defineEmbedding,
	ir.EmbeddingBackward:         defineEmbeddingBackward,
	ir.MatMul:                    defineMatMul,
	ir.ColumnSum:                 defineColumnSum,
	ir.LayerNorm:                 defineLayerNorm,
	ir.LayerNormBackward:         defineLayerNormBackward,
	ir.RMSNorm:                   defineRMSNorm,
	ir.RMSNormBackward:           defineRMSNormBackward,
	ir.Activation:                defineActivation,
	ir.ActivationBackward:        defineActivationBackward,
	ir.SwiGLU:                    defineSwiGLU,
	ir.SwiGLUBackward:            defineSwiGLUBackward,
	ir.RoPE:                      defineRoPE,
	ir.Attention:                 defineAttention,
	ir.AttentionBackward:         defineAttentionBackward,
	ir.AttentionCached:           defineAttentionCached,
	ir.Recurrent:                 defineRecurrent,
	ir.RecurrentBackward:         defineRecurrentBackward,
	ir.RecurrentCached:           defineRecurrentCached,
	ir.RelativeAttention:         defineRelativeAttention,
	ir.RelativeAttentionBackward: defineRelativeAttentionBackward,
	ir.RelativeAttentionCached:   defineRelativeAttentionCached,
	ir.Dropout:                   defineDropout,
	ir.Softmax:                   defineSoftmax,
	ir.SoftmaxBackward:           defineSoftmaxBackward,
	ir.CrossEntropy:              defineCrossEntropy,
	ir.CrossEntropyBackward:      defineCrossEntropyBackward,
	ir.LinearCrossEntropy:        defineLinearCrossEntropy,
	ir.LinearLogProb:             defineLinearLogProb,
	ir.LinearLogProbBackward:     defineLinearLogProbBackward,
	ir.LinearTopLogProb:          defineLinearTopLogProb,
	ir.LinearTopLogProbBackward:  defineLinearTopLogProbBackward,
	ir.MSE:                       defineMSE,
	ir.MSEBackward:               defineMSEBackward,

	ir.Conv:              defineConv,
	ir.ConvInput:         defineConvInput,
	ir.ConvWeights:       defineConvWeights,
	ir.GroupNorm:         defineGroupNorm,
	ir.GroupNormBackward: defineGroupNormBackward,
	ir.Upsample:          defineUpsample,
	ir.SumPool:           defineSumPool,
	ir.MaxPool:           defineMaxPool,
	ir.MaxPoolBackward:   defineMaxPoolBackward,
	ir.Normal:            defineNormal,

	ir.Add:              defineAdd,
	ir.Mul:              defineMul,
	ir.Scale:            defineScale,
	ir.ScaleBy:          defineScaleBy,
	ir.ScaleColumns:     defineScaleColumns,
	ir.InverseNorms:     defineInverseNorms,
	ir.Map:              defineMap,
	ir.MapBackward:      defineMapBackward,
	ir.SegmentSum:       defineSegmentSum,
	ir.SegmentBroadcast: defineSegmentBroadcast,
	ir.Reshape:          defineReshape,
	ir.Transpose:        defineTranspose,
	ir.Slice:            defineSlice,
	ir.SliceBackward:    defineSliceBackward,
	ir.Concat:           defineConcat,
	ir.ReduceSum:        defineReduceSum,
	ir.Broadcast:        defineBroadcast,
	ir.Cast:             defineCast,
	ir.ToFloat:          defineToFloat,
	ir.Assign:           defineAssign,

	ir.AllReduce:     defineReshape, // of a process that is alone
	ir.ReduceTo:      defineReshape,
	ir.BroadcastFrom: defineReshape,
	ir.Await:         defineReshape,

	ir.SumSquares: defineSumSquares,
	ir.GradNorm:   defineGradNorm,
	ir.AdamW:      defineAdamW,
	ir.SGD:        defineSGD,
	ir.Lion:       defineLion,
	ir.Muon:       defineMuon,
	ir.EMA:        defineEMA,
}

func (d *definition) ids(i int) []int32 { return d.c.in[i].ints }

// cols is the size of the last axis of input i.
func (d *definition) cols(i int) int { return d.c.in[i].shape.Cols() }

// at returns x[i], 0 where x is absent.
func at(x []float64, i int) float64 {
	if x == nil {
		return 0
	}
	return x[i]
}

// operands returns x as the products of the program read it.
func (d *definition) operands(x []float64) []float64 {
	if !d.c.computesBF16() {
		return x
	}
	y := make([]float64, len(x))
	for i, e := range x {
		y[i] = float64(kernel.RoundBF16(float32(e)))
	}
	return y
}

func defineEmbedding(d *definition) {
	w := d.cols(1)
	for i := range d.out[0] {
		d.out[0][i] = d.in[1][int(d.ids(0)[i/w])*w+i%w]
	}
}

func defineEmbeddingBackward(d *definition) {
	w := d.cols(1)
	copy(d.out[0], d.in[2])
	for i, e := range d.in[1] {
		d.out[0][int(d.ids(0)[i/w])*w+i%w] += e
	}
}

// product returns op(a)·op(b) of one matrix, (m, n), inner dimension k.
func (d *definition) product(a, b []float64, transA, transB bool, m, n, k int) []float64 {
	a, b = d.operands(a), d.operands(b)
	aRow, aCol, bRow, bCol := k, 1, n, 1
	if transA {
		aRow, aCol = 1, m
	}
	if transB {
		bRow, bCol = 1, k
	}
	y := make([]float64, m*n)
	for i := range m {
		for j := range n {
			var sum float64
			for l := range k {
				sum += a[i*aRow+l*aCol] * b[l*bRow+j*bCol]
			}
			y[i*n+j] = sum
		}
	}
	return y
}

func defineMatMul(d *definition) {
	a := d.c.attrs.(ir.MatMulAttrs)
	shape := d.c.out[0]
	m, n := shape[len(shape)-2], shape[len(shape)-1]
	k := d.cols(0)
	if a.TransA {
		k = d.c.in[0].shape[len(shape)-2]
	}
	for batch := range shape[:len(shape)-2].Size() {
		y := d.product(d.in[0][batch*m*k:][:m*k], d.in[1][batch*k*n:][:k*n], a.TransA, a.TransB, m, n, k)
		for i, e := range y {
			o := batch*m*n + i
			if a.ActBackward {
				_, slope := act(a.Act, d.in[4][o])
				d.out[0][o] = e * slope
				continue
			}
			e += at(d.in[2], i%n) + at(d.in[3], o)
			if d.out[1] != nil {
				d.out[1][o] = e
			}
			d.out[0][o], _ = act(a.Act, e)
		}
	}
	if d.out[2] == nil {
		return
	}
	summed := 1
	if a.SumA {
		summed = 0
	}
	for i, e := range d.in[summed] {
		d.out[2][i%d.cols(summed)] += e
	}
}

func defineColumnSum(d *definition) {
	w := d.cols(0)
	copy(d.out[0], d.in[1])
	for i, e := range d.in[0] {
		d.out[0][i%w] += e
	}
}

func defineLayerNorm(d *definition) {
	w := d.cols(0)
	for r := range d.out[1] {
		x := d.in[0][r*w:][:w]
		var sum, squares float64
		for _, e := range x {
			sum += e
		}
		mean := sum / float64(w)
		for _, e := range x {
			squares += (e - mean) * (e - mean)
		}
		rstd := 1 / math.Sqrt(squares/float64(w)+float64(d.c.attrs.(ir.NormAttrs).Eps))
		d.out[1][r], d.out[2][r] = mean, rstd
		for j, e := range x {
			d.out[0][r*w+j] = (e-mean)*rstd*d.in[1][j] + at(d.in[2], j)
		}
	}
}

func defineLayerNormBackward(d *definition) {
	d.normBackward(d.in[2], d.in[3], d.in[4], d.in[5], d.out[2])
}

func defineRMSNorm(d *definition) {
	w := d.cols(0)
	for r := range d.out[1] {
		x := d.in[0][r*w:][:w]
		var squares float64
		for _, e := range x {
			squares += e * e
		}
		rstd := 1 / math.Sqrt(squares/float64(w)+float64(d.c.attrs.(ir.NormAttrs).Eps))
		d.out[1][r] = rstd
		for j, e := range x {
			d.out[0][r*w+j] = e * rstd * d.in[1][j]
		}
	}
}

func defineRMSNormBackward(d *definition) { d.normBackward(nil, d.in[2], d.in[3], d.in[4], nil) }

// normBackward is the gradient of y = n·w + b, n = (x - mean)·rstd; mean is
// absent for RMSNorm, whose dx has no term for it.
func (d *definition) normBackward(mean, rstd, dy, addend, db []float64) {
	w := d.cols(0)
	for r := range rstd {
		normal := func(j int) float64 { return (d.in[0][r*w+j] - at(mean, r)) * rstd[r] }
		var sumG, sumGN float64
		for j := range w {
			e := dy[r*w+j]
			g := e * d.in[1][j]
			sumG += g
			sumGN += g * normal(j)
			d.out[1][j] += e * normal(j)
			if db != nil {
				db[j] += e
			}
		}
		if mean == nil {
			sumG = 0
		}
		for j := range w {
			g := dy[r*w+j] * d.in[1][j]
			d.out[0][r*w+j] = rstd[r]*(g-sumG/float64(w)-normal(j)*sumGN/float64(w)) + at(addend, r*w+j)
		}
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// act returns an activation and its derivative.
func act(a ir.Act, x float64) (y, slope float64) {
	switch a {
	case ir.GELU:
		cdf, pdf := math.Erfc(-x/math.Sqrt2)/2, math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		return x * cdf, cdf + x*pdf
	case ir.GELUTanh:
		c := math.Sqrt(2 / math.Pi)
		t := math.Tanh(c * (x + 0.044715*x*x*x))
		return x / 2 * (1 + t), (1+t)/2 + x/2*(1-t*t)*c*(1+3*0.044715*x*x)
	case ir.SiLU:
		s := sigmoid(x)
		return x * s, s * (1 + x*(1-s))
	case ir.ReLU2:
		m := max(x, 0)
		return m * m, 2 * m
	case ir.ReLU:
		if x > 0 {
			return x, 1
		}
		return 0, 0
	case ir.Tanh:
		t := math.Tanh(x)
		return t, 1 - t*t
	case ir.LeakyReLU:
		if x > 0 {
			return x, 1
		}
		return 0.2 * x, 0.2
	}
	return x, 1
}

func defineActivation(d *definition) {
	for i, x := range d.in[0] {
		d.out[0][i], _ = act(d.c.attrs.(ir.ActivationAttrs).Act, x)
	}
}

func defineActivationBackward(d *definition) {
	for i, x := range d.in[0] {
		_, slope := act(d.c.attrs.(ir.ActivationAttrs).Act, x)
		d.out[0][i] = d.in[1][i] * slope
	}
}

func defineSwiGLU(d *definition) {
	for i, gate := range d.in[0] {
		y, _ := act(ir.SiLU, gate)
		d.out[0][i] = y * d.in[1][i]
	}
}

func defineSwiGLUBackward(d *definition) {
	for i, gate := range d.in[0] {
		y, slope := act(ir.SiLU, gate)
		d.out[0][i] = d.in[2][i] * d.in[1][i] * slope
		d.out[1][i] = d.in[2][i] * y
	}
}

func defineRoPE(d *definition) {
	hd := d.c.attrs.(ir.RoPEAttrs).HeadDim
	for i := range d.out[0] {
		row, pair, half := i/d.cols(0), i%hd%(hd/2), i%hd/(hd/2)
		angles := d.in[1][int(d.ids(2)[row])*hd:]
		cos, sin := angles[pair], angles[hd/2+pair]
		if d.c.attrs.(ir.RoPEAttrs).Inverse {
			sin = -sin
		}
		first, second := d.in[0][i-half*hd/2], d.in[0][i+(1-half)*hd/2]
		d.out[0][i] = first*cos - second*sin
		if half == 1 {
			d.out[0][i] = second*cos + first*sin
		}
	}
}

// defineDropout draws element e, counted from row 0 of the run, from word e%4 of
// block e/4 of Philox4x32-10 (Salmon et al. 2011).
// philox is Philox4x32-10 (Salmon et al. 2011).
func philox(key [2]uint32, counter [4]uint32) [4]uint32 {
	for range 10 {
		a, b := uint64(counter[0])*0xD2511F53, uint64(counter[2])*0xCD9E8D57
		counter = [4]uint32{uint32(b>>32) ^ counter[1] ^ key[0], uint32(b), uint32(a>>32) ^ counter[3] ^ key[1], uint32(a)}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return counter
}

func defineDropout(d *definition) {
	rng := d.ids(1)
	threshold := math.Round(float64(d.c.attrs.(ir.DropoutAttrs).P) * (1 << 32))
	row := uint64(uint32(rng[2])) | uint64(uint32(rng[3]))<<32
	width := uint64(d.c.out[0].Size() / d.c.out[0][0])
	for i, x := range d.in[0] {
		e := row*width + uint64(i)
		words := philox([2]uint32{uint32(rng[0]), uint32(rng[1])}, [4]uint32{uint32(e / 4), d.c.attrs.(ir.DropoutAttrs).Site, uint32(e / 4 >> 32), 0})
		if float64(words[e%4]) >= threshold {
			d.out[0][i] = x / (1 - float64(d.c.attrs.(ir.DropoutAttrs).P))
		}
	}
}
