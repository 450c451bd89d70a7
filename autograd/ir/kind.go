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
	Dropout
	Softmax
	SoftmaxBackward
	CrossEntropy
	CrossEntropyBackward
	LinearCrossEntropy
	MSE
	MSEBackward

	Add
	Mul
	Scale
	ScaleBy
	Reshape
	Transpose
	Slice
	SliceBackward
	Concat
	ReduceSum
	Broadcast
	Cast
	ToFloat

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

// Info describes a kind: the names of its inputs and outputs and what the
// planner may do with them. A name that ends in "?" is optional: the
// instruction holds nil there. A last input name that ends in "..." repeats.
type Info struct {
	Name string
	// Attrs is the zero value of the type of its attributes, nil when it has none.
	Attrs Attrs
	In    []string
	Out   []string
	// Overwrites lists pairs {output, input}: the output may take the storage
	// of the input when the input dies at the instruction. The kernel reads
	// each element of that input before it writes it.
	Overwrites [][2]int
	// Mutates lists the inputs (persistent state) that the kernel updates.
	Mutates []int
	// ElemIn and ElemOut list the arguments that have the element type of
	// activations, F32 or BF16, all alike in one instruction. MatMul has two
	// groups: a and b, and the rest, so that it can sum gradients of weights in
	// float32. All other arguments are F32 or I32 always.
	ElemIn, ElemOut []int
	// Collective tells that the instruction starts what all ranks do together: each
	// has it, in the same order, and only Await may read its result.
	Collective bool
	// Update tells that the instruction changes a parameter, its first input, by the
	// gradient that is its second.
	Update bool
	// Doc is the formula, in the shape legend of the package.
	Doc string
}

// Kinds is the table of all kinds, indexed by Kind.
var Kinds = [NumKinds]Info{
	Invalid: {Name: "Invalid"},

	Embedding: {Name: "Embedding", In: []string{"ids", "table"}, Out: []string{"y"},
		ElemOut: []int{0},
		Doc:     "y[n] = table[ids[n]]; ids (N) int32, table (V, D), y (N, D)"},
	EmbeddingBackward: {Name: "EmbeddingBackward", In: []string{"ids", "dy", "addend?"}, Out: []string{"dtable"},
		ElemIn:     []int{1},
		Overwrites: [][2]int{{0, 2}},
		Doc:        "dtable[v] = addend[v] + Σ dy[n] over ids[n] = v, in the order of n"},
	MatMul: {Name: "MatMul", Attrs: MatMulAttrs{}, In: []string{"a", "b", "bias?", "addend?", "pre?"}, Out: []string{"y", "pre?", "sum?"},
		ElemIn: []int{0, 1, 2, 3, 4}, ElemOut: []int{0, 1},
		Overwrites: [][2]int{{0, 3}, {0, 4}},
		Doc: "y = act(op(a)·op(b) + bias + addend), op transposes the last two axes under TransA, TransB; " +
			"output pre is the argument of act; under ActBackward y = op(a)·op(b) ∘ act'(pre). " +
			"sum adds up the rows of b (K, N), or under SumA those of a (K, M), neither of them batched. Leading axes of a and b are equal batches"},
	ColumnSum: {Name: "ColumnSum", In: []string{"x", "addend?"}, Out: []string{"y"},
		ElemIn:     []int{0},
		Overwrites: [][2]int{{0, 1}},
		Doc:        "y[d] = addend[d] + Σ_n x[n, d]"},
	LayerNorm: {Name: "LayerNorm", Attrs: NormAttrs{}, In: []string{"x", "w", "b?"}, Out: []string{"y", "mean", "rstd"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "y = (x - mean)·rstd·w + b over the last axis, rstd = 1/√(var + Eps), biased variance; mean, rstd (N)"},
	LayerNormBackward: {Name: "LayerNormBackward", Attrs: NormAttrs{}, In: []string{"x", "w", "mean", "rstd", "dy", "addend?"}, Out: []string{"dx", "dw", "db?"},
		ElemIn: []int{0, 4, 5}, ElemOut: []int{0},
		Overwrites: [][2]int{{0, 5}, {0, 4}, {0, 0}},
		Doc:        "gradients of LayerNorm; dx += addend (N, D)"},
	RMSNorm: {Name: "RMSNorm", Attrs: NormAttrs{}, In: []string{"x", "w"}, Out: []string{"y", "rstd"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "y = x·rstd·w over the last axis, rstd = 1/√(mean(x²) + Eps); rstd (N)"},
	RMSNormBackward: {Name: "RMSNormBackward", Attrs: NormAttrs{}, In: []string{"x", "w", "rstd", "dy", "addend?"}, Out: []string{"dx", "dw"},
		ElemIn: []int{0, 3, 4}, ElemOut: []int{0},
		Overwrites: [][2]int{{0, 4}, {0, 3}, {0, 0}},
		Doc:        "gradients of RMSNorm; dx += addend (N, D)"},
	Activation: {Name: "Activation", Attrs: ActivationAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "y = Act(x), elementwise"},
	ActivationBackward: {Name: "ActivationBackward", Attrs: ActivationAttrs{}, In: []string{"x", "dy"}, Out: []string{"dx"},
		ElemIn: []int{0, 1}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 1}, {0, 0}},
		Doc: "dx = dy·Act'(x)"},
	SwiGLU: {Name: "SwiGLU", In: []string{"gate", "up"}, Out: []string{"y"},
		ElemIn: []int{0, 1}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}, {0, 1}},
		Doc: "y = gate·sigmoid(gate)·up"},
	SwiGLUBackward: {Name: "SwiGLUBackward", In: []string{"gate", "up", "dy"}, Out: []string{"dgate", "dup"},
		ElemIn: []int{0, 1, 2}, ElemOut: []int{0, 1}, Overwrites: [][2]int{{0, 0}, {1, 1}},
		Doc: "gradients of SwiGLU"},
	RoPE: {Name: "RoPE", Attrs: RoPEAttrs{}, In: []string{"x", "table", "positions"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "rotates the pairs (i, i+hd/2) of every head of x (N, Heads·hd) by the angle of its position; " +
			"table (Tmax, hd) holds cos in the first half of a row and sin in the second; Inverse rotates back"},
	Attention: {Name: "Attention", Attrs: AttentionAttrs{}, In: []string{"q", "k?", "v?", "qsegments?", "ksegments?"}, Out: []string{"y", "lse"},
		ElemIn: []int{0, 1, 2}, ElemOut: []int{0},
		Doc: "y = softmax(q·kᵀ·Scale + mask)·v per head; q, y (B·T, H·hd), k, v (B·S, G·hd), lse (B·H·T); " +
			"Causal, Window and equal segments mask; under Packed q holds (q | k | v) in one row"},
	AttentionBackward: {Name: "AttentionBackward", Attrs: AttentionAttrs{}, In: []string{"q", "k?", "v?", "qsegments?", "ksegments?", "y", "lse", "dy"}, Out: []string{"dq", "dk?", "dv?"},
		ElemIn: []int{0, 1, 2, 5, 7}, ElemOut: []int{0, 1, 2},
		Doc: "gradients of Attention; under Packed dq holds (dq | dk | dv) in one row"},
	AttentionCached: {Name: "AttentionCached", Attrs: AttentionAttrs{}, In: []string{"q", "k", "v", "kcache", "vcache", "position"}, Out: []string{"y"},
		ElemIn: []int{0, 1, 2}, ElemOut: []int{0},
		Mutates: []int{3, 4},
		Doc: "writes the T new rows of k, v at position[b] of the caches (B·S, G·hd) and attends causally to all rows so far; " +
			"position (B) int32"},
	Dropout: {Name: "Dropout", Attrs: DropoutAttrs{}, In: []string{"x", "rng"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "y = x·keep/(1-P), keep from Philox4x32-10 keyed by seed, counter = (Site, element), elements counted from row 0 of the run; " +
			"rng (4) int32 = seed low, seed high, first row low, first row high"},
	Softmax: {Name: "Softmax", In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "softmax over the last axis"},
	SoftmaxBackward: {Name: "SoftmaxBackward", In: []string{"y", "dy"}, Out: []string{"dx"},
		ElemIn: []int{0, 1}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 1}},
		Doc: "dx = y∘(dy - Σ dy∘y)"},
	CrossEntropy: {Name: "CrossEntropy", Attrs: LossAttrs{}, In: []string{"logits", "targets", "loss_weight"}, Out: []string{"loss", "nll", "lse"},
		ElemIn: []int{0},
		Doc: "nll[n] = lse[n] - logits[n, targets[n]], 0 where targets[n] < 0; " +
			"loss = loss_weight·Σ ((1-Smoothing)·nll + Smoothing·(lse - mean(logits)) + ZLoss·lse²); loss, loss_weight (1)"},
	CrossEntropyBackward: {Name: "CrossEntropyBackward", Attrs: LossAttrs{}, In: []string{"logits", "targets", "loss_weight", "lse", "dloss"}, Out: []string{"dlogits"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "gradient of CrossEntropy's loss"},
	LinearCrossEntropy: {Name: "LinearCrossEntropy", Attrs: LinearCrossEntropyAttrs{}, In: []string{"x", "w", "targets", "loss_weight", "addend?"}, Out: []string{"loss", "nll", "dx?", "dw?"},
		ElemIn: []int{0, 1}, ElemOut: []int{2},
		Overwrites: [][2]int{{3, 4}},
		Doc: "CrossEntropy of logits x·wᵀ, x (N, D), w (V, D), computed for Rows rows at a time so that the (N, V) logits never exist whole; " +
			"dx, dw are the gradients of loss, dw += addend"},
	MSE: {Name: "MSE", In: []string{"x", "target"}, Out: []string{"loss"},
		Doc: "mean of (x - target)²; loss (1)"},
	MSEBackward: {Name: "MSEBackward", In: []string{"x", "target", "dloss"}, Out: []string{"dx"}, Overwrites: [][2]int{{0, 0}},
		Doc: "dx = 2(x - target)/n · dloss"},

	Add: {Name: "Add", In: []string{"a", "b"}, Out: []string{"y"},
		ElemIn: []int{0, 1}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}, {0, 1}},
		Doc: "y = a + b, same shapes"},
	Mul: {Name: "Mul", In: []string{"a", "b"}, Out: []string{"y"},
		ElemIn: []int{0, 1}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}, {0, 1}},
		Doc: "y = a∘b, same shapes"},
	Scale: {Name: "Scale", Attrs: ScaleAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "y = Alpha·x"},
	ScaleBy: {Name: "ScaleBy", In: []string{"x", "s"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0}, Overwrites: [][2]int{{0, 0}},
		Doc: "y = s[0]·x, s (1)"},
	Reshape: {Name: "Reshape", In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "the same elements under another shape; shares x's storage and runs nothing"},
	Transpose: {Name: "Transpose", Attrs: TransposeAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "y's axis i is x's axis Perm[i]"},
	Slice: {Name: "Slice", Attrs: SliceAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "y = x[Start:End] along Axis"},
	SliceBackward: {Name: "SliceBackward", Attrs: SliceAttrs{}, In: []string{"dy"}, Out: []string{"dx"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "dx = dy at [Start:End] along Axis, 0 elsewhere"},
	Concat: {Name: "Concat", Attrs: ConcatAttrs{}, In: []string{"x..."}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "the inputs one after the other along Axis"},
	ReduceSum: {Name: "ReduceSum", Attrs: ReduceAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "y = Alpha·Σ x over the axes where Axes is set, which stay with size 1"},
	Broadcast: {Name: "Broadcast", Attrs: ScaleAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemIn: []int{0}, ElemOut: []int{0},
		Doc: "y = Alpha·x, axes of size 1 repeated to y's shape"},
	Cast: {Name: "Cast", In: []string{"x"}, Out: []string{"y"},
		Doc: "y = x in y's dtype, to nearest even; F32 to BF16 or back, put in by the planner"},
	ToFloat: {Name: "ToFloat", Attrs: ToFloatAttrs{}, In: []string{"x"}, Out: []string{"y"},
		ElemOut: []int{0},
		Doc:     "y = Scale·x + Shift, each rounded; x int32 or packed (u8, u4, u1), a bit being 0 or 1"},

	AllReduce: {Name: "AllReduce", In: []string{"x"}, Out: []string{"y"}, Overwrites: [][2]int{{0, 0}}, Collective: true,
		Doc: "starts y = Σ x over the ranks of the run, the same bits on all"},
	ReduceTo: {Name: "ReduceTo", Attrs: RootAttrs{}, In: []string{"x"}, Out: []string{"y"}, Overwrites: [][2]int{{0, 0}}, Collective: true,
		Doc: "starts y = Σ x over the ranks of the run on rank Root; on the others y is undefined"},
	BroadcastFrom: {Name: "BroadcastFrom", Attrs: RootAttrs{}, In: []string{"x"}, Out: []string{"y"}, Overwrites: [][2]int{{0, 0}}, Collective: true,
		Doc: "starts y = x of rank Root on all ranks"},
	Await: {Name: "Await", In: []string{"x"}, Out: []string{"y"},
		Doc: "y = x, in its storage, when all collectives that were started are done"},

	SumSquares: {Name: "SumSquares", Attrs: RootAttrs{}, In: []string{"g..."}, Out: []string{"y"},
		Doc: "y[Root] = (h, l) with h + l = Σ g² over all inputs to 48 bits, 0 in the other rows; y (ranks, 2)"},
	GradNorm: {Name: "GradNorm", Attrs: GradNormAttrs{}, In: []string{"hyper", "squares"}, Out: []string{"norm", "clip"},
		Doc: "norm = √Σ squares, of SumSquares; clip = min(1, MaxNorm/(norm + 1e-6)) (1 where MaxNorm = 0), " +
			"and NaN, which makes the optimizers skip the step, when norm is not finite or above hyper[NormLimit]; both (1)"},
	AdamW: {Name: "AdamW", Attrs: AdamWAttrs{}, In: []string{"p", "g", "m", "v", "hyper", "clip?"}, Update: true, Mutates: []int{0, 2, 3},
		Doc: "decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW: g·clip; m, v moments; " +
			"p -= lr·(Decay·p + (m/bc1)/(√(v/bc2) + Eps)), lr = hyper[LR]·LRScale"},
	SGD: {Name: "SGD", Attrs: SGDAttrs{}, In: []string{"p", "g", "m?", "hyper", "clip?"}, Update: true, Mutates: []int{0, 2},
		Doc: "g += Decay·p; m = Beta1·m + g (m = g at the first step); p -= lr·m, as torch.optim.SGD; Nesterov looks ahead"},
	Lion: {Name: "Lion", Attrs: LionAttrs{}, In: []string{"p", "g", "m", "hyper", "clip?"}, Update: true, Mutates: []int{0, 2},
		Doc: "Chen et al. 2023: p -= lr·(Decay·p + sign(Beta1·m + (1-Beta1)·g)); m = Beta2·m + (1-Beta2)·g"},
	Muon: {Name: "Muon", Attrs: MuonAttrs{}, In: []string{"p", "g", "m", "hyper", "clip?"}, Update: true, Mutates: []int{0, 2},
		Doc: "Jordan et al. 2024: m = Beta1·m + g; u = g + Beta1·m under Nesterov, else m; p = (1 - lr·Decay)·p - lr·√max(1, rows/cols)·NewtonSchulz5(u)"},
	EMA: {Name: "EMA", Attrs: EMAAttrs{}, In: []string{"ema", "p", "clip?"}, Mutates: []int{0},
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
)

// String returns the activation's name.
func (a Act) String() string {
	names := [...]string{"none", "gelu", "gelu_tanh", "silu", "relu2", "relu"}
	if int(a) < len(names) {
		return names[a]
	}
	return "invalid"
}
