package nn

import (
	"fmt"

	"example.com/gotrain/autograd"
)

// Model is a model of some family. Families embed a Core, which has all of these
// methods but Config and HuggingFace, those of language models a Decoder, which has
// Config too; what a model computes is the business of those who know its kind, such
// as LanguageModel.
type Model interface {
	// Family returns the name of the model's row in the table of families.
	Family() string
	// Config returns a pointer to the family's configuration with all defaults
	// filled in; it is not to be modified.
	Config() any
	// Tuning returns what the run has decided about the model.
	Tuning() Tuning
	// Params returns the parameters in the order of their declaration; it is
	// not to be modified.
	Params() []Param
	// Random tells whether a training graph draws random numbers, so that it
	// needs Inputs.RNG.
	Random() bool
	// HuggingFace returns the keys of the config.json with which transformers
	// computes the same, or an error that wraps ErrNoCounterpart.
	HuggingFace() (map[string]any, error)
}

// LanguageModel is a model that tells the probability of the next token.
type LanguageModel interface {
	Model
	// Vocab is V, the number of tokens that it knows.
	Vocab() int
	// Context is the most tokens of a sequence.
	Context() int
	// Build adds the forward pass to g: hidden (N, D), the normalised last
	// hidden state, and the head (V, D). The logits are hidden·headᵀ.
	Build(g *autograd.Graph, in Inputs) (hidden, head *autograd.Node)
}

// AsLanguageModel returns m as a language model, or an error for a model of
// another kind.
func AsLanguageModel(m Model) (LanguageModel, error) {
	if l, ok := m.(LanguageModel); ok {
		return l, nil
	}
	return nil, fmt.Errorf("a model of family %s is no language model", m.Family())
}

// Inputs are what a forward pass reads. Nil Segments means that every row is
// one sequence, nil RNG no dropout, nil Cache whole sequences.
type Inputs struct {
	Batch, Length int            // B, T
	IDs           *autograd.Node // "ids" (N) int32, in [0, V)
	Positions     *autograd.Node // "positions" (N) int32, in [0, Span())
	Segments      *autograd.Node // "segments" (N) int32: tokens attend inside equal ones, negative is padding
	RNG           *autograd.Node // "rng" (4) int32: seed low, seed high, number of the first token low, high
	Cache         *Cache
	Carried       bool // rows go on where those of the step before ended; see Remembering
}

// Cache makes a forward pass append to key/value caches of Rows rows a
// sequence, the states "cache.k.0", "cache.v.0", "cache.k.1", …, with the model's
// role before them. Name stands in place of "cache" where it is not empty.
type Cache struct {
	Name     string
	Rows     int
	Position *autograd.Node // "position" (B) int32: rows that the caches hold already
}

// Span is the number of positions that a sequence may have: T, or the rows of
// the caches.
func (in Inputs) Span() int {
	if in.Cache != nil {
		return in.Cache.Rows
	}
	return in.Length
}

// NewInputs declares "ids" and "positions" for batch sequences of length
// tokens.
func NewInputs(g *autograd.Graph, batch, length int) Inputs {
	n := batch * length
	return Inputs{Batch: batch, Length: length, IDs: g.Ints("ids", n), Positions: g.Ints("positions", n)}
}

// Rows is the size of a batch of text. Segments adds the input "segments", which
// packed documents need.
type Rows struct {
	Batch, Length int
	Source        int // tokens of the source of a row, for models of pairs; 0 is Length
	Segments      bool
	Carried       bool // see Inputs
}

func (r Rows) inputs(g *autograd.Graph) Inputs {
	in := NewInputs(g, r.Batch, r.Length)
	in.Carried = r.Carried
	if r.Segments {
		in.Segments = g.Ints("segments", r.Batch*r.Length)
	}
	return in
}

// Training adds to g the loss, a scalar, and the NLL of each target in nats, (N).
// Beside those of Inputs it reads "targets" (N) int32, ignored
// below 0, and "loss_weight" (1), by which the sum over targets is multiplied.
func Training(g *autograd.Graph, m LanguageModel, r Rows, cfg autograd.LossConfig) (loss, nll *autograd.Node) {
	in := r.inputs(g)
	if m.Random() {
		in.RNG = g.Ints("rng", 4)
	}
	return score(g, m, in, cfg)
}

// Evaluation is Training without dropout and without terms that only shape the
// gradient: loss is loss_weight·Σ nll.
func Evaluation(g *autograd.Graph, m LanguageModel, r Rows) (loss, nll *autograd.Node) {
	return score(g, m, r.inputs(g), autograd.LossConfig{})
}

func score(g *autograd.Graph, m LanguageModel, in Inputs, cfg autograd.LossConfig) (loss, nll *autograd.Node) {
	targets, lossWeight := g.Ints("targets", in.Batch*in.Length), g.Floats("loss_weight", 1)
	hidden, head := m.Build(g, in)
	g.In("loss", func() { loss, nll = autograd.LinearCrossEntropy(hidden, head, targets, lossWeight, cfg) })
	return loss, nll
}

// Hidden adds to g what Build gives for rows of text, with dropout in training. It reads the
// inputs of Training but targets and loss_weight, "rng" in training only.
func Hidden(g *autograd.Graph, m LanguageModel, r Rows, training bool) (hidden, head *autograd.Node) {
	in := r.inputs(g)
	if training && m.Random() {
		in.RNG = g.Ints("rng", 4)
	}
	return m.Build(g, in)
}

// LogProbs adds to g the log-probability of each target and the entropy of its distribution,
// (N) both, entropy nil unless cfg asks for it. It reads the inputs of Training but
// loss_weight, "rng" in training only; of a truncated distribution "kept" (N, Kept) int32 of
// autograd.KeptLogProb in place of "targets".
func LogProbs(g *autograd.Graph, m LanguageModel, r Rows, training bool, cfg autograd.LogProbConfig) (logp, entropy *autograd.Node) {
	if cfg.Kept > 0 {
		kept := g.Ints("kept", r.Batch*r.Length, cfg.Kept)
		hidden, head := Hidden(g, m, r, training)
		g.In("logp", func() { logp, entropy = autograd.KeptLogProb(hidden, head, kept, cfg) })
		return logp, entropy
	}
	targets := g.Ints("targets", r.Batch*r.Length)
	hidden, head := Hidden(g, m, r, training)
	g.In("logp", func() { logp, entropy, _ = autograd.LinearLogProb(hidden, head, targets, cfg) })
	return logp, entropy
}

// Logits builds a graph of the logits of every token, (N, V).
func Logits(m LanguageModel, r Rows) (g *autograd.Graph, logits *autograd.Node) {
	g = autograd.NewGraph()
	hidden, head := m.Build(g, r.inputs(g))
	g.In("head", func() { logits = autograd.MatMul(hidden, head, false, true) }) // (N, D) × (V, D)ᵀ → (N, V)
	return g, logits
}

// Decode builds a graph that appends length tokens a sequence to caches of
// rows tokens and gives the logits after the last of them, (B, V).
func Decode(m LanguageModel, batch, length, rows int) (g *autograd.Graph, logits *autograd.Node) {
	g = autograd.NewGraph()
	in := NewInputs(g, batch, length)
	in.Cache = &Cache{Rows: rows, Position: g.Ints("position", batch)}
	hidden, head := m.Build(g, in)
	g.In("head", func() {
		if length > 1 {
			d := hidden.Shape().Cols()
			last := autograd.Slice(autograd.Reshape(hidden, batch, length, d), 1, length-1, length) // (B, T, D) → (B, 1, D)
			hidden = autograd.Reshape(last, batch, d)
		}
		logits = autograd.MatMul(hidden, head, false, true) // (B, D) × (V, D)ᵀ → (B, V)
	})
	return g, logits
}

// Prefill builds a graph that appends length tokens to the caches of that name, of rows
// tokens, of one sequence and gives the hidden state behind each, (T, D).
func Prefill(m LanguageModel, name string, length, rows int) (g *autograd.Graph, hidden *autograd.Node) {
	g = autograd.NewGraph()
	in := NewInputs(g, 1, length)
	in.Cache = &Cache{Name: name, Rows: rows, Position: g.Ints("position", 1)}
	hidden, _ = m.Build(g, in)
	return g, hidden
}

// DecodeRows builds a graph that appends a token to the caches of that name, of rows
// tokens each, of every of batch sequences and gives the logits over the temperature, (B, V),
// and their log-sum-exp, (B).
func DecodeRows(m LanguageModel, name string, batch, rows int, temperature float64) (g *autograd.Graph, logits, lse *autograd.Node) {
	g = autograd.NewGraph()
	in := NewInputs(g, batch, 1)
	in.Cache = &Cache{Name: name, Rows: rows, Position: g.Ints("position", batch)}
	hidden, head := m.Build(g, in)
	g.In("head", func() {
		logits = autograd.MatMul(hidden, head, false, true) // (B, D) × (V, D)ᵀ → (B, V)
		if temperature != 1 {
			logits = autograd.Scale(logits, 1/float32(temperature))
		}
		lse = autograd.LogSumExp(logits, in.IDs)
	})
	return g, logits, lse
}
