package ir

// Kind names what an instruction computes.
type Kind uint8

const (
	Invalid Kind = iota

	Embedding
	EmbeddingBackward
	MatMul
	ColumnSum
	LayerNorm
	LayerNormBackward
	RMSNorm
	RMSNormBackward
	Activation
	ActivationBackward
	SwiGLU
	SwiGLUBackward
	RoPE
	Attention
	AttentionBackward
	AttentionCached
	Recurrent
	RecurrentBackward
	RecurrentCached
	RelativeAttention
	RelativeAttentionBackward
	RelativeAttentionCached
	Dropout
	Softmax
	SoftmaxBackward
	CrossEntropy
	CrossEntropyBackward
	LinearCrossEntropy
	LinearLogProb
	LinearLogProbBackward
	LinearTopLogProb
	LinearTopLogProbBackward
	MSE
	MSEBackward
	Conv
	ConvInput
	ConvWeights
	GroupNorm
	GroupNormBackward
	Upsample
	SumPool
	MaxPool
	MaxPoolBackward
	Normal

	Add
	Mul
	Scale
	ScaleBy
	ScaleColumns
	InverseNorms
	Map
	MapBackward
	SegmentSum
	SegmentBroadcast
	Reshape
	Transpose
	Slice
	SliceBackward
	Concat
	ReduceSum
	Broadcast
	Cast
	ToFloat
	Assign

	AllReduce
	ReduceTo
	BroadcastFrom
	Await

	SumSquares
	GradNorm
	AdamW
	SGD
	Lion
	Muon
	EMA

	NumKinds
)

// Info describes a kind: what goes in and comes out, and what the planner and the
// back ends have to know of it.
type Info struct {
	Name string
	// Attrs is the zero value of the type of its attributes, nil when it has none.
	Attrs   Attrs
	In, Out []Arg
	// Overwrites lists pairs {output, input}: the output may take the storage
	// of the input when the input dies at the instruction. The kernel reads
	// each element of that input before it writes it.
	Overwrites [][2]int
	// Mutates lists the inputs (persistent state) that the kernel updates.
	Mutates []int
	// Addend is the optional input that the kernel adds to one of its outputs, so that
	// a sum needs no instruction and no buffer. Sparse tells that it touches only some
	// rows of the output where that lies on the addend.
	Addend Addend
	Sparse bool
	// Sums lists pairs {sum, output}: the first, which is optional, adds up the rows of the
	// other, a matrix, as ColumnSum does.
	Sums [][2]int
	// Alias tells that the result is the input under another shape or name, in its
	// storage.
	Alias bool
	// Follows tells that the kind only moves or adds elements: it computes in
	// whatever element type its inputs have.
	Follows bool
	// Whole tells that optional outputs are there as the attributes have it, and not
	// left out because nothing reads them.
	Whole bool
	// WeightGradient tells that in the backward pass it makes gradients of weights,
	// which the planner may bring forward so that activations die earlier.
	WeightGradient bool
	// Collective tells that the instruction starts what all ranks do together: each
	// has it, in the same order, and only a kind that Awaits may read its result.
	Collective, Awaits bool
	// ReadsNew tells that it reads states as the step leaves them; the others read
	// them before they are updated.
	ReadsNew bool
	// Update tells what the instruction changes at the end of a step; of those ByGradient,
	// Copy is the optional input that gets the new parameter in bfloat16.
	Update Update
	Copy   int
	// Fuses tells that consecutive instructions of the kind are work for one launch,
	// as casts and updates of all parameters of a model are.
	Fuses bool
	// NonFinite tells that a NaN or an infinity in its results means something, and is
	// not the first sign of a fault.
	NonFinite bool
	// Cost counts the arithmetic of an instruction; nil where memory is all that
	// matters. Instr.Cost adds the bytes.
	Cost func(in *Instr) Cost
	// Doc is the formula, in the shape legend of the package.
	Doc string
}

// Addend names an output and the input that is added to it; the zero Addend is none.
type Addend struct{ Out, In int }

// Update is what an instruction changes.
type Update uint8

const (
	NoUpdate   Update = iota
	ByGradient        // a parameter, its first input, by the gradient that is its second
	Average           // an average, its first input, by the parameter that is its second
)

// Kinds is the table of all kinds, indexed by Kind.
var Kinds = [NumKinds]Info{
	Invalid: {Name: "Invalid"},

	Embedding: {Name: "Embedding", In: args("ids:i32", "table:v"), Out: args("y:t"),
		Doc: "y[n] = table[ids[n]]; ids (N) int32, table (V, D), y (N, D)"},
	EmbeddingBackward: {Name: "EmbeddingBackward", In: args("ids:i32", "dy:t", "addend?"), Out: args("dtable"),
		Overwrites: [][2]int{{0, 2}}, Addend: Addend{0, 2}, Sparse: true, WeightGradient: true,
		Doc: "dtable[v] = addend[v] + Σ dy[n] over ids[n] = v, in the order of n"},
	MatMul: {Name: "MatMul", Attrs: MatMulAttrs{}, In: args("a:t", "b:w", "bias?:u", "addend?:u", "pre?:u"), Out: args("y:u", "pre?:u", "sum?"),
		Overwrites: [][2]int{{0, 3}, {0, 4}}, Addend: Addend{0, 3}, WeightGradient: true, Cost: matMulCost,
		Doc: "y = act(op(a)·op(b) + bias + addend), op transposes the last two axes under TransA, TransB; " +
			"output pre is the argument of act; under ActBackward y = op(a)·op(b) ∘ act'(pre). " +
			"sum adds up the rows of b (K, N), or under SumA those of a (K, M), neither of them batched. Leading axes of a and b are equal batches. A quantised b is not batched"},
	ColumnSum: {Name: "ColumnSum", In: args("x:t", "addend?"), Out: args("y"),
		Overwrites: [][2]int{{0, 1}}, Addend: Addend{0, 1}, WeightGradient: true,
		Doc: "y[d] = addend[d] + Σ_n x[n, d]"},
	LayerNorm: {Name: "LayerNorm", Attrs: NormAttrs{}, In: args("x:t", "w", "b?"), Out: args("y:t", "mean", "rstd"),
		Doc: "y = (x - mean)·rstd·w + b over the last axis, rstd = 1/√(var + Eps), biased variance; mean, rstd (N)"},
	LayerNormBackward: {Name: "LayerNormBackward", Attrs: NormAttrs{}, In: args("x:t", "w", "mean", "rstd", "dy:t", "addend?:t"), Out: args("dx:t", "dw", "db?", "sum?"),
		Overwrites: [][2]int{{0, 5}, {0, 4}, {0, 0}}, Addend: Addend{0, 5}, Sums: [][2]int{{3, 0}},
		Doc: "gradients of LayerNorm; dx += addend (N, D); sum adds up the rows of dx"},
	RMSNorm: {Name: "RMSNorm", Attrs: NormAttrs{}, In: args("x:t", "w"), Out: args("y:t", "rstd"),
		Doc: "y = x·rstd·w over the last axis, rstd = 1/√(mean(x²) + Eps); rstd (N)"},
	RMSNormBackward: {Name: "RMSNormBackward", Attrs: NormAttrs{}, In: args("x:t", "w", "rstd", "dy:t", "addend?:t"), Out: args("dx:t", "dw"),
		Overwrites: [][2]int{{0, 4}, {0, 3}, {0, 0}}, Addend: Addend{0, 4},
		Doc: "gradients of RMSNorm; dx += addend (N, D)"},
	Activation: {Name: "Activation", Attrs: ActivationAttrs{}, In: args("x:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}},
		Doc:        "y = Act(x), elementwise"},
	ActivationBackward: {Name: "ActivationBackward", Attrs: ActivationAttrs{}, In: args("x:t", "dy:t"), Out: args("dx:t"),
		Overwrites: [][2]int{{0, 1}, {0, 0}},
		Doc:        "dx = dy·Act'(x)"},
	SwiGLU: {Name: "SwiGLU", In: args("gate:t", "up:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}, {0, 1}},
		Doc:        "y = gate·sigmoid(gate)·up"},
	SwiGLUBackward: {Name: "SwiGLUBackward", In: args("gate:t", "up:t", "dy:t"), Out: args("dgate:t", "dup:t"),
		Overwrites: [][2]int{{0, 0}, {1, 1}},
		Doc:        "gradients of SwiGLU"},
	RoPE: {Name: "RoPE", Attrs: RoPEAttrs{}, In: args("x:t", "table", "positions:i32"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}},
		Doc: "rotates the pairs (i, i+hd/2) of every head of x (N, Heads·hd) by the angle of its position; " +
			"table (Tmax, hd) holds cos in the first half of a row and sin in the second; Inverse rotates back"},
	Attention: {Name: "Attention", Attrs: AttentionAttrs{}, In: args("q:t", "k?:t", "v?:t", "qsegments?:i32", "ksegments?:i32", "rng?:i32", "bias?"), Out: args("y:t", "lse"),
		Cost: attentionCost,
		Doc: "y = softmax(q·kᵀ·Scale + bias + mask)·v per head; q, y (B·T, H·hd), k, v (B·S, G·hd), lse (B·H·T), bias (H, distances) by Behind; " +
			"Causal, Window and equal segments mask; under Packed q holds (q | k | v) in one row. With rng weights of v, after their sum, are dropped as by Dropout: " +
			"that of key s in head h by the Philox key seed + 0x9E3779B97F4A7C15·(h·2³² + s + 1), element the query's row of the run"},
	AttentionBackward: {Name: "AttentionBackward", Attrs: AttentionAttrs{}, In: args("q:t", "k?:t", "v?:t", "qsegments?:i32", "ksegments?:i32", "y:t", "lse", "dy:t", "rng?:i32", "bias?"), Out: args("dq:t", "dk?:t", "dv?:t", "dbias?", "dqsum?", "dksum?", "dvsum?"),
		Sums: [][2]int{{4, 0}, {5, 1}, {6, 2}}, Whole: true, Cost: attentionBackwardCost,
		Doc: "gradients of Attention; under Packed dq holds (dq | dk | dv) in one row; dqsum, dksum and dvsum add up the rows of those before them"},
	AttentionCached: {Name: "AttentionCached", Attrs: AttentionAttrs{}, In: args("q:t", "k:t", "v:t", "kcache", "vcache", "position:i32", "bias?"), Out: args("y:t"),
		Mutates: []int{3, 4}, Cost: attentionCachedCost,
		Doc: "writes the T new rows of k, v at position[b] of the caches (B·S, G·hd) and attends causally to all rows so far; " +
			"position (B) int32"},
	Recurrent: {Name: "Recurrent", Attrs: RecurrentAttrs{}, In: args("x:t", "w:t", "b?", "wr?:t", "h0?", "c0?", "segments?:i32"), Out: args("y:t", "gates?:t", "cell?"),
		Overwrites: [][2]int{{1, 0}}, Cost: recurrentCost,
		Doc: "y[t] = h of Cell over time, as torch.nn.LSTM and GRU; x (B·T, G·H) holds W_ih·input + b_ih, w (G·H, P) and b W_hh and b_hh, wr (P, H) the projection W_hr, without which P = H; " +
			"LSTM, G = 4: i, f, n, o = x + w·h + b; c = σ(f)·c + σ(i)·tanh(n); h = σ(o)·tanh(c), or wr times it; " +
			"GRU, G = 3: r, z, q = w·h + b; n = tanh(x + σ(x + r)·q); h = (1-z)·n + z·h with z = σ(x + z); " +
			"h and c begin with h0 (B, P) and c0 (B, H) or 0, and anew with 0 where segments change; under Reverse from the last token back. " +
			"gates are the gates after their functions, cell (B·T, H) the c of an LSTM, the q of a GRU"},
	RecurrentBackward: {Name: "RecurrentBackward", Attrs: RecurrentAttrs{},
		In:         args("w:t", "wr?:t", "h0?", "c0?", "segments?:i32", "gates:t", "cell", "y:t", "dy:t"),
		Out:        args("dx:t", "dg?:t", "previous?:t", "dprojected?:t", "full?:t", "dh0?", "dc0?"),
		Overwrites: [][2]int{{0, 5}}, Cost: recurrentBackwardCost,
		Doc: "gradients of Recurrent; dg (B·T, G·H) is that of w·h + b, which for an LSTM is dx; previous (B·T, P) the h before each token; " +
			"dprojected (B·T, P) the gradient of y with what later tokens add, full (B·T, H) what wr projects: dw = dgᵀ·previous, dwr = dprojectedᵀ·full"},
	RecurrentCached: {Name: "RecurrentCached", Attrs: RecurrentAttrs{}, In: args("x:t", "w:t", "b?", "wr?:t", "hcache", "ccache?", "position:i32"), Out: args("y:t"),
		Mutates: []int{4, 5}, Cost: recurrentCost,
		Doc: "Recurrent of T new tokens from the state behind token position[b] - 1, which the caches hold behind each token, (B·S, P) and for an LSTM (B·S, H); " +
			"writes the T new states there; position (B) int32"},
	RelativeAttention: {Name: "RelativeAttention", Attrs: RelativeAttrs{}, In: args("q:t", "k:t", "v:t", "qr:t", "r:t", "reach?:i32"), Out: args("y:t", "lse"),
		Cost: relativeCost,
		Doc: "y = softmax(Scale·(q·kᵀ + qr·r[S-1-d]))·v per head, d = t + S - T - s the distance of key s behind query t, which sees 0 ≤ d, d < Window, d ≤ reach[t]; " +
			"q, qr, y (B·T, H·hd), k, v (B·S, H·hd), r (S, H·hd) in the order of falling distances, lse (B·H·T) (Dai et al. 2019)"},
	RelativeAttentionBackward: {Name: "RelativeAttentionBackward", Attrs: RelativeAttrs{}, In: args("q:t", "k:t", "v:t", "qr:t", "r:t", "reach?:i32", "y:t", "lse", "dy:t"), Out: args("dq:t", "dk:t", "dv:t", "dqr:t", "dr:t"),
		Cost: relativeBackwardCost,
		Doc:  "gradients of RelativeAttention"},
	RelativeAttentionCached: {Name: "RelativeAttentionCached", Attrs: RelativeAttrs{}, In: args("q:t", "k:t", "v:t", "qr:t", "r:t", "kcache", "vcache", "position:i32"), Out: args("y:t"),
		Mutates: []int{5, 6}, Cost: relativeCachedCost,
		Doc: "writes the T new rows of k, v at position[b] of the caches (B·S, H·hd) and attends to the last Window rows so far by their distances, r (Window, H·hd); position (B) int32"},
	Dropout: {Name: "Dropout", Attrs: DropoutAttrs{}, In: args("x:t", "rng:i32"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}},
		Doc: "y = x·keep/(1-P), keep from Philox4x32-10 keyed by seed, counter = (Site, element), elements counted from row 0 of the run; " +
			"rng (4) int32 = seed low, seed high, first row low, first row high"},
	Softmax: {Name: "Softmax", In: args("x:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}},
		Doc:        "softmax over the last axis"},
	SoftmaxBackward: {Name: "SoftmaxBackward", In: args("y:t", "dy:t"), Out: args("dx:t"),
		Overwrites: [][2]int{{0, 1}},
		Doc:        "dx = y∘(dy - Σ dy∘y)"},
	CrossEntropy: {Name: "CrossEntropy", Attrs: LossAttrs{}, In: args("logits:t", "targets:i32", "loss_weight"), Out: args("loss", "nll", "lse"),
		Doc: "nll[n] = lse[n] - logits[n, targets[n]], 0 where targets[n] < 0; " +
			"loss = loss_weight·Σ ((1-Smoothing)·nll + Smoothing·(lse - mean(logits)) + ZLoss·lse²); loss, loss_weight (1)"},
	CrossEntropyBackward: {Name: "CrossEntropyBackward", Attrs: LossAttrs{}, In: args("logits:t", "targets:i32", "loss_weight", "lse", "dloss"), Out: args("dlogits:t"),
		Overwrites: [][2]int{{0, 0}},
		Doc:        "gradient of CrossEntropy's loss"},
	LinearCrossEntropy: {Name: "LinearCrossEntropy", Attrs: LinearCrossEntropyAttrs{}, In: args("x:t", "w:w", "targets:i32", "loss_weight", "addend?"), Out: args("loss", "nll", "dx?:t", "dw?"),
		Overwrites: [][2]int{{3, 4}}, Addend: Addend{3, 4}, Cost: linearCrossEntropyCost,
		Doc: "CrossEntropy of logits x·wᵀ, x (N, D), w (V, D), computed for Rows rows at a time so that the (N, V) logits never exist whole; " +
			"dx, dw are the gradients of loss, dw += addend"},
	LinearLogProb: {Name: "LinearLogProb", Attrs: LinearLogProbAttrs{}, In: args("x:t", "w:w", "targets:i32"), Out: args("y", "lse?"),
		Cost: linearLogProbCost,
		Doc: "log-probabilities of targets under softmax(Scale·x·wᵀ), x (N, D), w (V, D), computed for Rows rows at a time so that the (N, V) logits never exist whole; " +
			"y[0, n] = z[n, targets[n]] - lse[n], y[1, n] = lse[n] - Σ softmax(z)·z under Entropy; both and lse 0 where targets[n] < 0; y (1 or 2, N), lse (N)"},
	LinearLogProbBackward: {Name: "LinearLogProbBackward", Attrs: LinearLogProbAttrs{}, In: args("x:t", "w:w", "targets:i32", "dy", "addend?"), Out: args("dx?:t", "dw?"),
		Overwrites: [][2]int{{1, 4}}, Addend: Addend{1, 4}, Cost: linearLogProbBackwardCost,
		Doc: "gradients of LinearLogProb from logits computed again; dw += addend"},
	LinearTopLogProb: {Name: "LinearTopLogProb", Attrs: LinearTopLogProbAttrs{}, In: args("x:t", "w:w", "classes:i32"), Out: args("y"),
		Cost: linearLogProbCost,
		Doc: "log-probabilities of some classes a row under softmax(Scale·x·wᵀ), x (N, D), w (V, D), classes (N, K), which differ within a row, computed for Rows rows at a time so that the (N, V) logits never exist whole; " +
			"y[n, k] = z[n, classes[n, k]] - lse[n], and under Rest, where K < V, y[n, K] is that of all other classes together; y is 0 where classes[n, k] < 0, and in rows where classes[n, 0] < 0; y (N, K or K + 1)"},
	LinearTopLogProbBackward: {Name: "LinearTopLogProbBackward", Attrs: LinearTopLogProbAttrs{}, In: args("x:t", "w:w", "classes:i32", "dy", "addend?"), Out: args("dx?:t", "dw?"),
		Overwrites: [][2]int{{1, 4}}, Addend: Addend{1, 4}, Cost: linearLogProbBackwardCost,
		Doc: "gradients of LinearTopLogProb from logits computed again; dw += addend"},
	MSE: {Name: "MSE", In: args("x", "target"), Out: args("loss"),
		Doc: "mean of (x - target)²; loss (1)"},
	MSEBackward: {Name: "MSEBackward", In: args("x", "target", "dloss"), Out: args("dx"),
		Overwrites: [][2]int{{0, 0}},
		Doc:        "dx = 2(x - target)/n · dloss"},

	Conv: {Name: "Conv", Attrs: ConvAttrs{}, In: args("x:t", "w:t", "bias?", "addend?:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 3}}, Addend: Addend{0, 3}, Cost: convCost,
		Doc: "y[b, i, j, k] = addend + bias[k] + Σ w[k, u, v, c]·x[b, i·Stride[0] + u - Pad[0], j·Stride[1] + v - Pad[1], c], x being 0 outside of its Height × Width pixels; " +
			"x (B·Height·Width, C), w (K, Kernel[0], Kernel[1], C/Groups), y (B·OutHeight·OutWidth, K): a row is a pixel, its columns are channels; channels of a group see those of the same group"},
	ConvInput: {Name: "ConvInput", Attrs: ConvAttrs{}, In: args("dy:t", "w:t", "bias?", "addend?:t"), Out: args("dx:t"),
		Overwrites: [][2]int{{0, 3}}, Addend: Addend{0, 3}, Cost: convInputCost,
		Doc: "the gradient of Conv's x, dx = addend + bias + its adjoint of dy: with a bias (C) the transposed convolution"},
	ConvWeights: {Name: "ConvWeights", Attrs: ConvAttrs{}, In: args("x:t", "dy:t", "addend?"), Out: args("dw"),
		Overwrites: [][2]int{{0, 2}}, Addend: Addend{0, 2}, WeightGradient: true, Cost: convWeightsCost,
		Doc: "the gradient of Conv's w, dw += addend"},
	GroupNorm: {Name: "GroupNorm", Attrs: GroupNormAttrs{}, In: args("x:t", "w", "b"), Out: args("y:t", "mean", "rstd"),
		Doc: "y = Act((x - mean)·rstd·w + b), mean and rstd = 1/√(var + Eps) over the pixels of a picture and the channels of a group, biased variance (Wu & He 2018); " +
			"x (B·P, C), mean, rstd (B·Groups)"},
	GroupNormBackward: {Name: "GroupNormBackward", Attrs: GroupNormAttrs{}, In: args("x:t", "w", "b", "mean", "rstd", "dy:t", "addend?:t"), Out: args("dx:t", "dw", "db"),
		Overwrites: [][2]int{{0, 6}, {0, 5}, {0, 0}}, Addend: Addend{0, 6},
		Doc: "gradients of GroupNorm; dx += addend"},

	Upsample: {Name: "Upsample", Attrs: ResampleAttrs{}, In: args("x:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "y = Alpha·x, each pixel of a picture of Height × Width repeated Factor[0] × Factor[1] times; x (B·Height·Width, C)"},
	SumPool: {Name: "SumPool", Attrs: ResampleAttrs{}, In: args("x:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "y = Alpha·Σ x over blocks of Factor[0] × Factor[1] pixels, of which y has Height × Width; x (B·Height·Factor[0]·Width·Factor[1], C)"},
	MaxPool: {Name: "MaxPool", Attrs: PoolAttrs{}, In: args("x:t"), Out: args("y:t"),
		Doc: "y[b, i, j] = the largest x of the Kernel[0] × Kernel[1] pixels from (i·Stride[0] - Pad[0], j·Stride[1] - Pad[1]) on that the picture has; x (B·Height·Width, C), y (B·OutHeight·OutWidth, C)"},
	MaxPoolBackward: {Name: "MaxPoolBackward", Attrs: PoolAttrs{}, In: args("x:t", "y:t", "dy:t"), Out: args("dx:t"),
		Doc: "the gradient of MaxPool: dy of each window goes to the first of its largest pixels"},
	Normal: {Name: "Normal", Attrs: NormalAttrs{}, In: args("rng:i32"), Out: args("y"),
		Doc: "y from N(0, 1), by Box and Muller from Philox4x32-10 keyed by seed, counter = (Site, element), elements counted from row 0 of the run as Dropout's: " +
			"words (a, b) of a pair of elements give √(-2·ln u)·(cos 2πv, sin 2πv), u = ((a >> 9) + ½)·2⁻²³, v = (b >> 8)·2⁻²⁴"},

	Add: {Name: "Add", In: args("a:t", "b:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}, {0, 1}}, Follows: true,
		Doc: "y = a + b, same shapes"},
	Mul: {Name: "Mul", In: args("a:t", "b:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}, {0, 1}}, Follows: true,
		Doc: "y = a∘b, same shapes"},
	Scale: {Name: "Scale", Attrs: ScaleAttrs{}, In: args("x:t"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}}, Follows: true,
		Doc: "y = Alpha·x"},
	ScaleBy: {Name: "ScaleBy", In: args("x:t", "s"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}}, Follows: true,
		Doc: "y = s[0]·x, s (1)"},
	ScaleColumns: {Name: "ScaleColumns", In: args("x:t", "s", "b?"), Out: args("y:t"),
		Overwrites: [][2]int{{0, 0}},
		Doc:        "y[n, d] = x[n, d]·s[d] + b[d]"},
	InverseNorms: {Name: "InverseNorms", Attrs: InverseNormsAttrs{}, In: args("a", "w:w", "b"), Out: args("y"), Cost: inverseNormsCost,
		Doc: "y[o] = 1/‖w[o] + Scale·(b·a)[o]‖, 0 where that is no number; a (R, I), b (O, R), w (O, I), under InOut (I, O)"},
	Map: {Name: "Map", Attrs: MapAttrs{}, In: args("x", "b?"), Out: args("y"),
		Overwrites: [][2]int{{0, 0}, {0, 1}},
		Doc:        "y = Fn(x), of Min and Max Fn(x, b), elementwise"},
	MapBackward: {Name: "MapBackward", Attrs: MapAttrs{}, In: args("x", "b?", "dy"), Out: args("dx"),
		Overwrites: [][2]int{{0, 2}, {0, 0}, {0, 1}},
		Doc:        "dx = dy·∂Fn/∂x; of Min and Max half of dy where x = b"},
	SegmentSum: {Name: "SegmentSum", In: args("x", "segments:i32"), Out: args("y"),
		Doc: "y[s] = Σ x[n] over segments[n] = s; segments below 0 count nowhere; x, segments (N), y (S)"},
	SegmentBroadcast: {Name: "SegmentBroadcast", In: args("x", "segments:i32"), Out: args("y"),
		Doc: "y[n] = x[segments[n]], 0 where segments[n] < 0; x (S), segments, y (N)"},
	Reshape: {Name: "Reshape", In: args("x:t"), Out: args("y:t"),
		Alias: true, Follows: true,
		Doc: "the same elements under another shape; shares x's storage and runs nothing"},
	Transpose: {Name: "Transpose", Attrs: TransposeAttrs{}, In: args("x:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "y's axis i is x's axis Perm[i]"},
	Slice: {Name: "Slice", Attrs: SliceAttrs{}, In: args("x:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "y = x[Start:End] along Axis"},
	SliceBackward: {Name: "SliceBackward", Attrs: SliceAttrs{}, In: args("dy:t"), Out: args("dx:t"),
		Follows: true,
		Doc:     "dx = dy at [Start:End] along Axis, 0 elsewhere"},
	Concat: {Name: "Concat", Attrs: ConcatAttrs{}, In: args("x...:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "the inputs one after the other along Axis"},
	ReduceSum: {Name: "ReduceSum", Attrs: ReduceAttrs{}, In: args("x:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "y = Alpha·Σ x over the axes where Axes is set, which stay with size 1"},
	Broadcast: {Name: "Broadcast", Attrs: ScaleAttrs{}, In: args("x:t"), Out: args("y:t"),
		Follows: true,
		Doc:     "y = Alpha·x, axes of size 1 repeated to y's shape"},
	Cast: {Name: "Cast", In: args("x:float"), Out: args("y:float"),
		Fuses: true,
		Doc:   "y = x in y's dtype, to nearest even; F32 to BF16 or back, put in by the planner"},
	ToFloat: {Name: "ToFloat", Attrs: ToFloatAttrs{}, In: args("x:int"), Out: args("y:t"),
		Doc: "y = Scale·x + Shift, each rounded; x int32 or packed (u8, u4, u1), a bit being 0 or 1"},
	Assign: {Name: "Assign", Attrs: AssignAttrs{}, In: args("state", "x"),
		Mutates: []int{0},
		Doc:     "state[i] = x[i] where that is finite, else state[i] stays; same shapes"},

	AllReduce: {Name: "AllReduce", In: args("x"), Out: args("y"),
		Overwrites: [][2]int{{0, 0}}, Collective: true,
		Doc: "starts y = Σ x over the ranks of the run, the same bits on all"},
	ReduceTo: {Name: "ReduceTo", Attrs: RootAttrs{}, In: args("x"), Out: args("y"),
		Overwrites: [][2]int{{0, 0}}, Collective: true,
		Doc: "starts y = Σ x over the ranks of the run on rank Root; on the others y is undefined"},
	BroadcastFrom: {Name: "BroadcastFrom", Attrs: RootAttrs{}, In: args("x"), Out: args("y"),
		Overwrites: [][2]int{{0, 0}}, Collective: true, ReadsNew: true,
		Doc: "starts y = x of rank Root on all ranks"},
	Await: {Name: "Await", In: args("x"), Out: args("y"),
		Alias: true, Awaits: true, ReadsNew: true,
		Doc: "y = x, in its storage, when all collectives that were started are done"},

	SumSquares: {Name: "SumSquares", Attrs: RootAttrs{}, In: args("g..."), Out: args("y"),
		NonFinite: true,
		Doc:       "y[Root] = (h, l) with h + l = Σ g² over all inputs to 48 bits, 0 in the other rows; y (ranks, 2)"},
	GradNorm: {Name: "GradNorm", Attrs: GradNormAttrs{}, In: args("hyper", "squares"), Out: args("norm", "clip"),
		NonFinite: true,
		Doc: "norm = √Σ squares, of SumSquares; clip = min(1, MaxNorm/(norm + 1e-6)) (1 where MaxNorm = 0), " +
			"and NaN, which makes the optimizers skip the step, when norm is not finite or above hyper[NormLimit]; both (1)"},
	AdamW: {Name: "AdamW", Attrs: AdamWAttrs{}, In: args("p", "g", "m", "v", "hyper", "clip?", "copy?:bf16"),
		Mutates: []int{0, 2, 3, 6}, Update: ByGradient, Copy: 6, Fuses: true,
		Doc: "decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW: g·clip; m, v moments; " +
			"p -= lr·(Decay·p + (m/bc1)/(√(v/bc2) + Eps)), lr = hyper[LR]·LRScale; copy = p rounded to nearest even, as of the others"},
	SGD: {Name: "SGD", Attrs: SGDAttrs{}, In: args("p", "g", "m?", "hyper", "clip?", "copy?:bf16"),
		Mutates: []int{0, 2, 5}, Update: ByGradient, Copy: 5, Fuses: true,
		Doc: "g += Decay·p; m = Beta1·m + g (m = g at the first step); p -= lr·m, as torch.optim.SGD; Nesterov looks ahead"},
	Lion: {Name: "Lion", Attrs: LionAttrs{}, In: args("p", "g", "m", "hyper", "clip?", "copy?:bf16"),
		Mutates: []int{0, 2, 5}, Update: ByGradient, Copy: 5, Fuses: true,
		Doc: "Chen et al. 2023: p -= lr·(Decay·p + sign(Beta1·m + (1-Beta1)·g)); m = Beta2·m + (1-Beta2)·g"},
	Muon: {Name: "Muon", Attrs: MuonAttrs{}, In: args("p", "g", "m", "hyper", "clip?", "copy?:bf16"),
		Mutates: []int{0, 2, 5}, Update: ByGradient, Copy: 5, Fuses: true, Cost: muonCost,
		Doc: "Jordan et al. 2024: m = Beta1·m + g; u = g + Beta1·m under Nesterov, else m; p = (1 - lr·Decay)·p - lr·√max(1, rows/cols)·NewtonSchulz5(u)"},
	EMA: {Name: "EMA", Attrs: EMAAttrs{}, In: args("ema", "p", "clip?"),
		Mutates: []int{0}, ReadsNew: true, Update: Average, Fuses: true,
		Doc: "ema = Beta1·ema + (1-Beta1)·p, skipped where clip is NaN"},
}

// String returns the kind's name.
func (k Kind) String() string {
	if k < NumKinds {
		return Kinds[k].Name
	}
	return "Invalid"
}

// Indices into the hyper input (HyperLen float32) of GradNorm and the
// optimizers: the constants that change from step to step.
const (
	LR        = 0 // learning rate
	BC1       = 1 // 1 - β1^t, AdamW's bias corrections
	BC2       = 2 // 1 - β2^t
	NormLimit = 3 // gradient norms above it skip the step; 0 means no limit
	First     = 4 // 1 at the first optimizer step, else 0
	HyperLen  = 8
)

// Act is an elementwise activation.
type Act uint8

const (
	NoAct    Act = iota
	GELU         // x·Φ(x), exact (erf)
	GELUTanh     // Hendrycks & Gimpel's tanh approximation, GPT-2's
	SiLU         // x·sigmoid(x)
	ReLU2        // max(x, 0)², So et al. 2021
	ReLU
	Tanh
	LeakyReLU // x, or 0.2·x where x < 0 (Radford et al. 2015)
)

// String returns the activation's name.
func (a Act) String() string {
	names := [...]string{"none", "gelu", "gelu_tanh", "silu", "relu2", "relu", "tanh", "leaky_relu"}
	if int(a) < len(names) {
		return names[a]
	}
	return "invalid"
}

// Fn is a function of Map.
type Fn uint8

const (
	Affine     Fn = iota // A·x + B
	Exp                  // eˣ
	Log                  // ln x
	Sigmoid              // 1/(1 + e⁻ˣ)
	LogSigmoid           // -ln(1 + e⁻ˣ)
	Log1mExp             // ln(1 - eˣ), x ≤ 0 (Mächler 2012)
	Clip                 // x within [A, B]
	Sign                 // -1, 0 or 1; its slope is 0
	Step                 // 1 where x > 0, else 0; its slope is 0
	Min                  // of x and b
	Max
)

var fnNames = [...]string{"affine", "exp", "log", "sigmoid", "log_sigmoid", "log1mexp", "clip", "sign", "step", "min", "max"}

// String returns the function's name.
func (f Fn) String() string {
	if int(f) < len(fnNames) {
		return fnNames[f]
	}
	return "invalid"
}

// Binary tells whether the function is one of two numbers.
func (f Fn) Binary() bool { return f == Min || f == Max }
