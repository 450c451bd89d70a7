package nn

import (
	"cmp"
	"fmt"

	"example.com/gotrain/autograd"
)

// PairModel is a model that tells the probability of the next token of a text, given
// another text that it has read whole: an encoder and a decoder.
type PairModel interface {
	Model
	// Vocab is V, the number of tokens of both sides.
	Vocab() int
	// Context is the most tokens of either side.
	Context() int
	// BuildPair adds the forward pass to g: hidden (N, D'), the last hidden state of each
	// target token, and the head (V, D'). The logits are hidden·headᵀ.
	BuildPair(g *autograd.Graph, in PairInputs) (hidden, head *autograd.Node)
	// BuildMemory adds the encoder to g and returns what decoding needs of sources: a
	// value for each state that BuildPair reads where PairInputs have a Memory.
	BuildMemory(g *autograd.Graph, source Inputs) []MemoryState
}

// MemoryState is a state of a decoder, and its value.
type MemoryState struct {
	State string
	Value *autograd.Node
}

// PairInputs are what a forward pass of an encoder and a decoder reads. Source and Target
// have as many rows; several pairs may share one, told apart by their segments, which a
// pair has in common on both sides.
type PairInputs struct {
	// Source has the inputs of the encoder, "source_ids", "source_positions" and
	// "source_segments"; Target those of the decoder, whose Cache is that of its own tokens.
	Source, Target Inputs
	// Memory is where a decoder reads what BuildMemory made of the sources; with it Source
	// is not read. Nil runs the encoder.
	Memory *Memory
}

// Memory is the encoded sources that a decoder reads. Each of Batch sources serves
// Target.Batch / Batch texts, one behind the other, which go on side by side.
type Memory struct {
	Batch, Length int
	Segments      *autograd.Node // "source_segments" (Batch·Length) int32, negative for padding
	Queries       *autograd.Node // "query_segments" (Target.Batch) int32: the source's segment
}

// AsPairModel returns m as a model of pairs, or an error for a model of another kind.
func AsPairModel(m Model) (PairModel, error) {
	if p, ok := m.(PairModel); ok {
		return p, nil
	}
	return nil, fmt.Errorf("a model of family %s has no encoder beside its decoder", m.Family())
}

// newSource declares the inputs of an encoder.
func newSource(g *autograd.Graph, r Rows) Inputs {
	n := r.Batch * r.Length
	in := Inputs{Batch: r.Batch, Length: r.Length, IDs: g.Ints("source_ids", n), Positions: g.Ints("source_positions", n)}
	if r.Segments {
		in.Segments = g.Ints("source_segments", n)
	}
	return in
}

// pairInputs declares the inputs of both sides.
func (r Rows) pairInputs(g *autograd.Graph) PairInputs {
	source := r
	source.Length = cmp.Or(r.Source, r.Length)
	return PairInputs{Source: newSource(g, source), Target: r.inputs(g)}
}

// PairTraining adds to g the loss, a scalar, and the NLL of each target in nats, (N), of
// rows of r.Source and r.Length tokens. Beside the inputs of Source and Target it reads
// "targets" (N) int32, ignored below 0, and "loss_weight" (1), by which the sum over
// targets is multiplied.
func PairTraining(g *autograd.Graph, m PairModel, r Rows, cfg autograd.LossConfig) (loss, nll *autograd.Node) {
	in := r.pairInputs(g)
	if m.Random() {
		if in.Source.Length == in.Target.Length {
			in.Target.RNG = g.Ints("rng", 4)
			in.Source.RNG = in.Target.RNG
		} else { // each side counts its own rows
			in.Target.RNG, in.Source.RNG = g.Ints(fmt.Sprintf("rng.%d", in.Target.Length), 4), g.Ints(fmt.Sprintf("rng.%d", in.Source.Length), 4)
		}
	}
	return scorePair(g, m, in, cfg)
}

// PairEvaluation is PairTraining without dropout and without terms that only shape the
// gradient: loss is loss_weight·Σ nll.
func PairEvaluation(g *autograd.Graph, m PairModel, r Rows) (loss, nll *autograd.Node) {
	return scorePair(g, m, r.pairInputs(g), autograd.LossConfig{})
}

func scorePair(g *autograd.Graph, m PairModel, in PairInputs, cfg autograd.LossConfig) (loss, nll *autograd.Node) {
	targets, lossWeight := g.Ints("targets", in.Target.Batch*in.Target.Length), g.Floats("loss_weight", 1)
	hidden, head := m.BuildPair(g, in)
	g.In("loss", func() { loss, nll = autograd.LinearCrossEntropy(hidden, head, targets, lossWeight, cfg) })
	return loss, nll
}

// PairScores adds to g the logits of every target token, (N, V), and the NLL of each target
// in nats, (N), of the inputs of PairEvaluation.
func PairScores(g *autograd.Graph, m PairModel, r Rows) (logits, nll *autograd.Node) {
	in := r.pairInputs(g)
	targets, lossWeight := g.Ints("targets", in.Target.Batch*in.Target.Length), g.Floats("loss_weight", 1)
	hidden, head := m.BuildPair(g, in)
	g.In("head", func() {
		logits = autograd.MatMul(hidden, head, false, true) // (N, D) × (V, D)ᵀ → (N, V)
		_, nll = autograd.CrossEntropy(logits, targets, lossWeight, autograd.LossConfig{})
	})
	return logits, nll
}

// PairLogits builds a graph of the logits of every target token, (N, V).
func PairLogits(m PairModel, r Rows) (g *autograd.Graph, logits *autograd.Node) {
	g = autograd.NewGraph()
	hidden, head := m.BuildPair(g, r.pairInputs(g))
	g.In("head", func() { logits = autograd.MatMul(hidden, head, false, true) }) // (N, D) × (V, D)ᵀ → (N, V)
	return g, logits
}

// PairMemory builds a graph of what a decoder reads of batch sources, up to length tokens long, whose padding has a negative segment.
func PairMemory(m PairModel, batch, length int) (g *autograd.Graph, memory []MemoryState) {
	g = autograd.NewGraph()
	memory = m.BuildMemory(g, newSource(g, Rows{Batch: batch, Length: length, Segments: true}))
	return g, memory
}

// PairDecode builds a graph that appends a token to each of batch·beams texts, beams of
// them of each of batch sources of length tokens, whose memory is in the store, and gives
// the logits after it, (batch·beams, V). The caches of the texts hold rows tokens.
func PairDecode(m PairModel, batch, length, beams, rows int) (g *autograd.Graph, logits *autograd.Node) {
	g = autograd.NewGraph()
	n := batch * beams
	in := PairInputs{Target: NewInputs(g, n, 1)}
	// Caches of another size are other states.
	in.Target.Cache = &Cache{Name: fmt.Sprintf("pairs.%d.%d", n, rows), Rows: rows, Position: g.Ints("position", n)}
	in.Memory = &Memory{Batch: batch, Length: length, Segments: g.Ints("source_segments", batch*length), Queries: g.Ints("query_segments", n)}
	hidden, head := m.BuildPair(g, in)
	g.In("head", func() { logits = autograd.MatMul(hidden, head, false, true) }) // (B, D) × (V, D)ᵀ → (B, V)
	return g, logits
}
