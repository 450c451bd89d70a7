package ir

// Attrs are the constants of an instruction: a comparable struct of the type that
// the row of its kind has (Info.Attrs), or nil where that has none. It is read as
// in.Attrs.(MatMulAttrs), and changed by assigning a changed copy.
type Attrs any

// Products are attributes of kinds that spend their time in matrix products.
type Products interface {
	// Precision is that of the operands: F32, TF32 or BF16. Sums are float32.
	Precision() DType
	WithPrecision(DType) Attrs
}

// MatMulAttrs are those of MatMul.
type MatMulAttrs struct {
	TransA, TransB bool  // the operand is stored transposed
	Act            Act   // of the result
	ActBackward    bool  // Act's derivative at pre is a factor of the result instead
	SumA           bool  // output sum is over the rows of a, not of b
	Compute        DType // the Precision
}

// Precision is part of Products.
func (a MatMulAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a MatMulAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// NormAttrs are those of LayerNorm and RMSNorm.
type NormAttrs struct{ Eps float32 }

// ActivationAttrs are those of Activation.
type ActivationAttrs struct{ Act Act }

// RoPEAttrs are those of RoPE.
type RoPEAttrs struct {
	Heads, HeadDim int
	Inverse        bool // rotates back
}

// AttentionAttrs are those of Attention and AttentionCached.
type AttentionAttrs struct {
	Batch, Heads, KVHeads, HeadDim int  // B, H, G, hd
	Window                         int  // keys that a query sees, its own the last; 0 is all
	Causal                         bool // query t sees keys up to t + S - T
	Packed                         bool // q holds (q | k | v) in one row
	Scale                          float32
	Sparse                         Sparsity // of whole blocks; without a Window
	// Behind is the column of a bias that a query's own position has: key s of the query at
	// position p has column s - p + Behind, or the first or last where there is no such.
	Behind int
	Drop   DropoutAttrs // of the weights; P is 0 without an rng
}

// Cell is a unit of a recurrent network.
type Cell uint8

const (
	LSTM Cell = iota // Hochreiter & Schmidhuber 1997, with a forget gate; G = 4: i, f, n, o
	GRU              // Cho et al. 2014, the reset gate behind the product; G = 3: r, z, n
)

// Gates is G.
func (c Cell) Gates() int {
	if c == GRU {
		return 3
	}
	return 4
}

// String returns the cell's name.
func (c Cell) String() string {
	if c == GRU {
		return "gru"
	}
	return "lstm"
}

// RecurrentAttrs are those of Recurrent and its kin.
type RecurrentAttrs struct {
	Compute DType // the Precision
	Cell    Cell
	Batch   int  // B
	Reverse bool // from the last token to the first
}

// Precision is part of Products.
func (a RecurrentAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a RecurrentAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// RelativeAttrs are those of RelativeAttention.
type RelativeAttrs struct {
	Batch, Heads, HeadDim int // B, H, hd
	Window                int // keys that a query sees, its own the last; 0 is all
	Scale                 float32
}

// DropoutAttrs are those of Dropout.
type DropoutAttrs struct {
	P    float32 // the probability of 0
	Site uint32  // tells the masks of a program apart
}

// LossAttrs are those of CrossEntropy.
type LossAttrs struct {
	Smoothing float32 // ε of the labels
	ZLoss     float32 // coefficient of lse²
}

// LinearCrossEntropyAttrs are those of LinearCrossEntropy.
type LinearCrossEntropyAttrs struct {
	Compute DType // the Precision
	LossAttrs
	Rows int // of logits at a time; 0 is all
}

// Precision is part of Products.
func (a LinearCrossEntropyAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a LinearCrossEntropyAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// LogitRows is part of Chunked.
func (a LinearCrossEntropyAttrs) LogitRows() int { return a.Rows }

// WithLogitRows is part of Chunked.
func (a LinearCrossEntropyAttrs) WithLogitRows(rows int) Attrs { a.Rows = rows; return a }

// Chunked are attributes of kinds that make some rows of logits at a time from x (N, D)
// and w (V, D), their first inputs.
type Chunked interface {
	LogitRows() int // 0 is all
	WithLogitRows(rows int) Attrs
}

// LinearLogProbAttrs are those of LinearLogProb and its gradient.
type LinearLogProbAttrs struct {
	Compute DType   // the Precision
	Scale   float32 // of logits: 1/temperature
	Entropy bool    // y has a second row
	Rows    int     // of logits at a time; 0 is all
}

// Precision is part of Products.
func (a LinearLogProbAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a LinearLogProbAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// LogitRows is part of Chunked.
func (a LinearLogProbAttrs) LogitRows() int { return a.Rows }

// WithLogitRows is part of Chunked.
func (a LinearLogProbAttrs) WithLogitRows(rows int) Attrs { a.Rows = rows; return a }

// LinearTopLogProbAttrs are those of LinearTopLogProb and its gradient.
type LinearTopLogProbAttrs struct {
	Compute DType   // the Precision
	Scale   float32 // of logits: 1/temperature
	Rest    bool    // y has a column of all other classes
	Rows    int     // of logits at a time; 0 is all
}

// Precision is part of Products.
func (a LinearTopLogProbAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a LinearTopLogProbAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// LogitRows is part of Chunked.
func (a LinearTopLogProbAttrs) LogitRows() int { return a.Rows }

// WithLogitRows is part of Chunked.
func (a LinearTopLogProbAttrs) WithLogitRows(rows int) Attrs { a.Rows = rows; return a }

// MapAttrs are those of Map and its gradient.
type MapAttrs struct {
	Fn   Fn
	A, B float32 // of Affine and Clip
}

// ConvAttrs are those of Conv, ConvInput and ConvWeights: of the convolution of Batch
// pictures of Height × Width pixels. Pairs are rows, then columns.
type ConvAttrs struct {
	Compute              DType // the Precision
	Batch, Height, Width int
	Kernel, Stride       [2]int
	Pad                  [4]int // zeros above, left, below and right
	Groups               int
}

// Precision is part of Products.
func (a ConvAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a ConvAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// Out is the size of the result, OutHeight and OutWidth; not positive where the kernel is
// larger than the padded picture.
func (a ConvAttrs) Out() (height, width int) {
	return (a.Height+a.Pad[0]+a.Pad[2]-a.Kernel[0])/a.Stride[0] + 1, (a.Width+a.Pad[1]+a.Pad[3]-a.Kernel[1])/a.Stride[1] + 1
}

// GroupNormAttrs are those of GroupNorm.
type GroupNormAttrs struct {
	Batch, Groups int
	Eps           float32
	Act           Act // of the result
}

// ResampleAttrs are those of Upsample and SumPool: Batch small pictures of Height × Width
// pixels, each of which is Factor[0] × Factor[1] of the large one.
type ResampleAttrs struct {
	Batch, Height, Width int
	Factor               [2]int
	Alpha                float32
}

// PoolAttrs are those of MaxPool and its gradient: of windows of Kernel pixels of Batch
// pictures of Height × Width. Pairs are rows, then columns.
type PoolAttrs struct {
	Batch, Height, Width int
	Kernel, Stride       [2]int
	Pad                  [4]int // above, left, below and right
}

// Out is the size of the result, OutHeight and OutWidth.
func (a PoolAttrs) Out() (height, width int) {
	return (a.Height+a.Pad[0]+a.Pad[2]-a.Kernel[0])/a.Stride[0] + 1, (a.Width+a.Pad[1]+a.Pad[3]-a.Kernel[1])/a.Stride[1] + 1
}

// NormalAttrs are those of Normal.
type NormalAttrs struct{ Site uint32 } // tells the draws of a program apart

// ScaleAttrs are those of Scale and Broadcast.
type ScaleAttrs struct{ Alpha float32 }

// MaxAxes is the largest number of axes that Transpose and ReduceSum take.
const MaxAxes = 6

// TransposeAttrs are those of Transpose.
type TransposeAttrs struct{ Perm [MaxAxes]int8 }

// SliceAttrs are those of Slice.
type SliceAttrs struct{ Axis, Start, End int }

// ConcatAttrs are those of Concat.
type ConcatAttrs struct{ Axis int }

// ReduceAttrs are those of ReduceSum.
type ReduceAttrs struct {
	Alpha float32
	Axes  [MaxAxes]bool // that are summed over
}

// InverseNormsAttrs are those of InverseNorms.
type InverseNormsAttrs struct {
	Scale float32
	InOut bool // how w is stored
}

// ToFloatAttrs are those of ToFloat.
type ToFloatAttrs struct{ Scale, Shift float32 }

// AssignAttrs are those of Assign.
type AssignAttrs struct {
	Mean bool // over ranks the state gets the mean of x, so that all have the same
}

// RootAttrs are those of the kinds that have a rank of their own: the one that
// receives, sends, or sums its own gradients.
type RootAttrs struct{ Root int }

// GradNormAttrs are those of GradNorm.
type GradNormAttrs struct{ MaxNorm float32 } // 0: no clipping

// AdamWAttrs are those of AdamW.
type AdamWAttrs struct {
	Eps, Beta1, Beta2 float32
	Decay             float32 // of weights
	LRScale           float32 // factor of hyper[LR]
}

// SGDAttrs are those of SGD.
type SGDAttrs struct {
	Beta1          float32 // momentum
	Decay, LRScale float32 // as AdamW's
	Nesterov       bool
}

// LionAttrs are those of Lion.
type LionAttrs struct {
	Beta1, Beta2   float32
	Decay, LRScale float32 // as AdamW's
}

// MuonAttrs are those of Muon.
type MuonAttrs struct {
	Compute        DType   // the Precision
	Beta1          float32 // momentum
	Decay, LRScale float32 // as AdamW's
	Nesterov       bool
	NewtonSchulz   int // iterations
}

// Precision is part of Products.
func (a MuonAttrs) Precision() DType { return a.Compute }

// WithPrecision is part of Products.
func (a MuonAttrs) WithPrecision(d DType) Attrs { a.Compute = d; return a }

// EMAAttrs are those of EMA.
type EMAAttrs struct{ Beta1 float32 }
