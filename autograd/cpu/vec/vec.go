// Package vec is the vector arithmetic under the CPU back end: element-wise
// maps, reductions, activations, steps of recurrent networks, normalisation,
// softmax and cross-entropy, rotary embedding, dropout, optimizer updates,
// half-precision conversion and tiled attention, all over float32 slices.
//
// An [Impl] is one complete set of kernels for one instruction set. [Generic]
// is pure Go, exists everywhere and is the definition that the others are
// tested against; [AVX2] and [AVX512] replace its hot loops by assembly and are
// nil where the processor, the architecture or the build (tag noasm) lacks
// them. [Best] picks once; programs hold the result and call its methods:
//
//	v := vec.Best()
//	v.GELU(y, x)
//	v.Softmax(row, row, 1/float32(math.Sqrt(64)))
//
// Conventions. Destinations come first. A matrix is row-major and dense unless
// a leading dimension (floats from one row to the next) is among the arguments.
// Its number of rows follows from the lengths of the slices. Every function is
// serial, allocates nothing and may be called from many goroutines at once as
// long as their destinations do not overlap; splitting work over threads is the
// caller's. A destination may be the same slice as a source where the comment
// says "in place"; it never may overlap one partly. Slices that are shorter than
// the contract demands are a bug of the caller and panic like an index out of
// range.
//
// Results do not depend on alignment, and one Impl gives the same bits for the
// same input always. Two Impls differ by rounding: they sum in different orders
// and evaluate exp, tanh and erf by different polynomials.
package vec

// Impl is a set of kernels for one instruction set. Its methods are the API of
// the package; the fields are the kernels that have assembly versions.
type Impl struct {
	name string

	add, sub, mul func(dst, a, b []float32)
	scale         func(dst, x []float32, c float32)
	axpy          func(y []float32, a float32, x []float32)

	sum        func(x []float32) float64
	dot        func(x, y []float32) float64
	sumSquares func(x []float32) float64
	max        func(x []float32) float32
	maxAbs     func(x []float32) float32
	allFinite  func(x []float32) bool
	columnSum  func(dst, x []float32, rows int)

	exp, log, tanh, sigmoid, erf func(dst, x []float32)

	relu, relu2, gelu, geluTanh, silu func(dst, x []float32)
	reluBackward, relu2Backward, geluBackward,
	geluTanhBackward, siluBackward func(dx, x, dy []float32)
	swiGLU         func(dst, gate, up []float32)
	swiGLUBackward func(dgate, dup, gate, up, dy []float32)

	lstm         func(i, f, n, o, c, h []float32)
	lstmBackward func(i, f, n, o, c, before, dh, dc []float32)
	gru          func(r, z, n, x, q, h []float32)
	gruBackward  func(r, z, n, q, before, dh, dq []float32)

	layerStats   func(x []float32, eps float32) (mean, rstd float32)
	rmsStats     func(x []float32, eps float32) (rstd float32)
	normalize    func(y, x, w, b []float32, mean, rstd float32)
	rmsNormalize func(y, x, w []float32, rstd float32)
	normGrad     func(dw, db, x, w, dy []float32, mean, rstd float32) (sumG, sumGX float32)
	normInput    func(dx, x, w, dy, addend []float32, mean, rstd, meanG, meanGX float32)

	expSum      func(dst, x []float32, scale, max float32) float64
	sumExp      func(x []float32, scale, max float32) float64
	softmaxGrad func(dx, y, dy []float32, scale, dot float32)
	affine      func(x []float32, a, b float32)

	rope    func(dst, x, cos, sin []float32, sign float32)
	dropout func(dst, x []float32, key DropoutKey, block uint64, threshold uint32, scale float32)

	adamW func(p, g, m, v []float32, c adamWConst)
	sgd   func(p, g, buf []float32, h SGD)
	lion  func(p, g, m []float32, h Lion)
	ema   func(avg, p []float32, decay float32)

	toBF16   func(dst []BF16, src []float32)
	fromBF16 func(dst []float32, src []BF16)
	toF16    func(dst []F16, src []float32)
	fromF16  func(dst []float32, src []F16)

	transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int)

	tile         func(c []float32, ldc, m, n, k int, a []float32, as, ak int, b []float32, ldb int, rowScale []float32)
	softmaxLanes func(s []float32, ld, rows int, max, sum, alpha []float32)
	probGrad     func(p, ds []float32, ld, rows, n int, lse, d []float32)
	rowDots      func(dst, x []float32, ldx int, y []float32, ldy, n int, scale float32)
	maskSegments func(x []float32, ld int, rowIDs, columnIDs []int32, fill float32)
	maskBand     func(x []float32, ld, rows, n int, lo, hi int, fill float32)
	scaleRows    func(dst []float32, ldd int, src []float32, lds, rows, cols int, f []float32, add bool)
}

// Generic is the pure Go implementation: the definition of every kernel.
var Generic = &Impl{
	name: "generic",

	add: addGeneric, sub: subGeneric, mul: mulGeneric,
	scale: scaleGeneric, axpy: axpyGeneric,

	sum: sumGeneric, dot: dotGeneric, sumSquares: sumSquaresGeneric,
	max: maxGeneric, maxAbs: maxAbsGeneric, allFinite: allFiniteGeneric,
	columnSum: columnSumGeneric,

	exp: expGeneric, log: logGeneric, tanh: tanhGeneric, sigmoid: sigmoidGeneric, erf: erfGeneric,

	relu: reluGeneric, relu2: relu2Generic, gelu: geluGeneric,
	geluTanh: geluTanhGeneric, silu: siluGeneric,
	reluBackward: reluBackwardGeneric, relu2Backward: relu2BackwardGeneric,
	geluBackward: geluBackwardGeneric, geluTanhBackward: geluTanhBackwardGeneric,
	siluBackward: siluBackwardGeneric,
	swiGLU:       swiGLUGeneric, swiGLUBackward: swiGLUBackwardGeneric,

	lstm: lstmGeneric, lstmBackward: lstmBackwardGeneric, gru: gruGeneric, gruBackward: gruBackwardGeneric,

	layerStats: layerStatsGeneric, rmsStats: rmsStatsGeneric,
	normalize: normalizeGeneric, rmsNormalize: rmsNormalizeGeneric,
	normGrad: normGradGeneric, normInput: normInputGeneric,

	expSum: expSumGeneric, sumExp: sumExpGeneric,
	softmaxGrad: softmaxGradGeneric, affine: affineGeneric,

	rope: ropeGeneric, dropout: dropoutGeneric,

	adamW: adamWGeneric, sgd: sgdGeneric, lion: lionGeneric, ema: emaGeneric,

	toBF16: toBF16Generic, fromBF16: fromBF16Generic,
	toF16: toF16Generic, fromF16: fromF16Generic,

	transpose: transposeGeneric,

	tile: tileGeneric, softmaxLanes: softmaxLanesGeneric,
	maskSegments: maskSegmentsGeneric,
	probGrad:     probGradGeneric, rowDots: rowDotsGeneric, scaleRows: scaleRowsGeneric, maskBand: maskBandGeneric,
}

// Name is "generic", "avx2" or "avx512".
func (v *Impl) Name() string { return v.name }

// Best returns the fastest implementation that this processor runs.
func Best() *Impl {
	for _, v := range []*Impl{AVX512, AVX2} {
		if v != nil {
			return v
		}
	}
	return Generic
}

// Available returns every implementation that this processor runs, Generic
// first.
func Available() []*Impl {
	all := []*Impl{Generic}
	for _, v := range []*Impl{AVX2, AVX512} {
		if v != nil {
			all = append(all, v)
		}
	}
	return all
}
