package prefer

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"example.com/gotrain/data"
)

// Fields of a row beside ids, positions and segments of package data. Numbers of sequences
// and of tokens count from the first row of a micro-batch.
const (
	Answers   = "answers"   // (T) int32: the sequence that a target counts for, -1 for none
	Weights   = "weights"   // (2P) float32: of the log-probability of a sequence: 1, or 1/tokens under Mean; 0 for none
	Labels    = "labels"    // (P) float32: Sample.Label; 0 where there is no sample
	Reference = "reference" // (2P) float32: log-probabilities under the reference, times Weights
	Last      = "last"      // (2P) int32: the last token of a sequence, 0 for none
	Margins   = "margins"   // (P) float32: Sample.Margin
)

// Want says which fields a Loader has beside ids, positions, segments and labels.
type Want uint8

// What losses read.
const (
	LogProbs  Want = 1 << iota // targets, answers and weights
	Mean                       // weights are 1/tokens
	Referred                   // reference
	LastToken                  // last and margins; a row has the last token of a sequence too
)

// Size is the size of batches.
type Size struct {
	data.Rows
	Context int // T
	Micro   int // rows of a micro-batch
	Vocab   int // of the model
}

// leastPositions is what a sample takes of a row at least, so that a row holds a bounded
// number of them.
const leastPositions = 8

// PerRow is P, the most samples of a row of so many positions.
func PerRow(context int) int { return max(1, context/leastPositions) }

// Loader makes batches of a Set. An epoch has W rows, into which best-fit packs the
// samples, in an order drawn for the epoch; of held-out samples rows come in order, and the
// source ends behind the last. Sample i of a batch is row i mod W of epoch ⌊i/W⌋.
type Loader struct {
	Size
	set     *Set
	packing *data.Packing
	want    Want
	pad     int32
	seed    uint64
	held    bool
}

// NewLoader returns a loader that packs the samples of set together, or gives each a row of
// its own. pad fills what samples leave of a row.
func NewLoader(set *Set, size Size, want Want, together bool, pad int32, seed uint64) (*Loader, error) {
	if err := size.Check(); err != nil {
		return nil, err
	}
	lengths := make([]int, set.Samples())
	for i := range lengths {
		for side := range 2 {
			x := set.sequence(i, side)
			lengths[i] += set.positions(x)
			if id := slices.Max(x.Tokens); size.Vocab > 0 && int(id) >= size.Vocab {
				return nil, fmt.Errorf("prefer: token %d is outside the model's vocabulary of %d (tokenizer and model do not belong together)", id, size.Vocab)
			}
		}
		if lengths[i] > size.Context {
			return nil, fmt.Errorf("prefer: a sample takes %d positions, a row has %d (build the set for this context)", lengths[i], size.Context)
		}
		lengths[i] = max(lengths[i], min(leastPositions, size.Context))
	}
	return &Loader{Size: size, set: set, packing: data.NewPacking(lengths, size.Context, together), want: want, pad: pad, seed: seed}, nil
}

// NewEval is NewLoader for held-out samples.
func NewEval(set *Set, size Size, want Want, together bool, pad int32) (*Loader, error) {
	l, err := NewLoader(set, size, want, together, pad, 0)
	if err == nil {
		l.held = true
	}
	return l, err
}

// Epoch is W, the rows of an epoch.
func (l *Loader) Epoch() int { return l.packing.Rows() }

// Tokens is the number of positions of an epoch that hold tokens.
func (l *Loader) Tokens() int64 {
	return l.set.stats.Tokens - 2*int64(l.set.behind*l.set.stats.Samples)
}

// Density is the part of an epoch's positions that hold tokens.
func (l *Loader) Density() float64 { return float64(l.Tokens()) / float64(l.Epoch()*l.Context) }

// Held yields the samples of held-out row i, in their order.
func (l *Loader) Held(i int) iter.Seq[int] { return l.packing.Row(i) }

// Fields are those of a row.
func (l *Loader) Fields() []data.Field {
	tokens, p := []int{l.Context}, PerRow(l.Context)
	fields := []data.Field{
		{Name: data.IDs, Kind: data.Int32, Shape: tokens}, {Name: data.Positions, Kind: data.Int32, Shape: tokens},
		{Name: data.Segments, Kind: data.Int32, Shape: tokens}, {Name: Labels, Kind: data.Float32, Shape: []int{p}},
	}
	for _, f := range []struct {
		want Want
		data.Field
	}{
		{LogProbs, data.Field{Name: data.Targets, Kind: data.Int32, Shape: tokens}},
		{LogProbs, data.Field{Name: Answers, Kind: data.Int32, Shape: tokens}},
		{LogProbs, data.Field{Name: Weights, Kind: data.Float32, Shape: []int{2 * p}}},
		{Referred, data.Field{Name: Reference, Kind: data.Float32, Shape: []int{2 * p}}},
		{LastToken, data.Field{Name: Last, Kind: data.Int32, Shape: []int{2 * p}}},
		{LastToken, data.Field{Name: Margins, Kind: data.Float32, Shape: []int{p}}},
	} {
		if l.want&f.want != 0 {
			fields = append(fields, f.Field)
		}
	}
	return fields
}

// NewBatch allocates a batch of this rank's rows.
func (l *Loader) NewBatch() *data.Batch { return data.NewBatch(l.Batch, l.Fields()) }

// errNoReference is a mistake of the recipe.
var errNoReference = errors.New("prefer: the log-probabilities of the reference have not been set")

// Fill sets dst to this rank's share of the step that begins at row position.
func (l *Loader) Fill(dst *data.Batch, position uint64) error {
	rows := uint64(l.Epoch())
	if l.held && position >= rows {
		return io.EOF
	}
	if l.want&Referred != 0 && l.set.reference == nil {
		return errNoReference
	}
	dst.Position, dst.TextBytes, dst.Weight = position, 0, 0
	first, share := l.Share()
	for row := range l.Batch {
		w := l.row(dst, row)
		number := position + first + uint64(row)
		dst.From[row] = data.Origin{}
		if row < share && (!l.held || number < rows) {
			epoch := number / rows
			samples := l.packing.Sample(number%rows, l.seed, epoch)
			if l.held {
				samples = l.packing.Row(int(number))
			}
			for i := range samples {
				w.add(i)
			}
			dst.From[row] = data.Origin{File: "preferences", Offset: int64(number % rows)}
		}
		w.finish()
		dst.Weight += float64(w.samples)
	}
	return nil
}

// rowWriter fills a row from left to right. Fields that the batch has not are nil.
type rowWriter struct {
	*Loader
	ids, positions, segments, targets, answers, last []int32
	weights, labels, reference, margins              []float32
	first                                            int // the row's first sequence in the micro-batch
	token                                            int // its first token there
	at, samples                                      int
}

// row returns the writer of a row of dst.
func (l *Loader) row(dst *data.Batch, row int) rowWriter {
	p := PerRow(l.Context)
	ints := func(name string, n int) []int32 {
		if all := dst.Ints[name]; all != nil {
			return all[row*n : (row+1)*n]
		}
		return nil
	}
	floats := func(name string, n int) []float32 {
		if all := dst.Floats[name]; all != nil {
			return all[row*n : (row+1)*n]
		}
		return nil
	}
	w := rowWriter{
		Loader: l, ids: ints(data.IDs, l.Context), positions: ints(data.Positions, l.Context), segments: ints(data.Segments, l.Context),
		targets: ints(data.Targets, l.Context), answers: ints(Answers, l.Context), last: ints(Last, 2*p),
		weights: floats(Weights, 2*p), labels: floats(Labels, p), reference: floats(Reference, 2*p), margins: floats(Margins, p),
		first: row % l.Micro * 2 * p, token: row % l.Micro * l.Context,
	}
	clear(w.last)
	clear(w.weights)
	clear(w.labels)
	clear(w.reference)
	clear(w.margins)
	return w
}

// add writes a sample: the tokens of each sequence as inputs, the last of them only where
// it is asked for; those but the first as targets.
func (w *rowWriter) add(sample int) {
	s := w.set.samples[sample]
	w.labels[w.samples] = s.label
	if w.margins != nil {
		w.margins[w.samples] = s.margin
	}
	for side := range 2 {
		number := 2*w.samples + side
		x := w.set.sequence(sample, side)
		n := 0
		for i, id := range x.Tokens[:w.set.positions(x)] {
			w.ids[w.at], w.positions[w.at], w.segments[w.at] = id, int32(i), int32(number)
			if w.targets != nil {
				w.targets[w.at], w.answers[w.at] = data.Ignore, -1
				if x.Counted[i+1] {
					w.targets[w.at], w.answers[w.at] = x.Tokens[i+1], int32(w.first+number)
					n++
				}
			}
			w.at++
		}
		w.score(number, 2*sample+side, n)
	}
	w.samples++
}

// score writes what belongs to a sequence of the row, of which n tokens count.
func (w *rowWriter) score(number, sequence, n int) {
	if w.last != nil {
		w.last[number] = int32(w.token + w.at - 1)
	}
	if w.weights == nil {
		return
	}
	w.weights[number] = 1
	if w.want&Mean != 0 {
		w.weights[number] = 1 / float32(n)
	}
	if w.reference != nil {
		w.reference[number] = w.set.reference[sequence] * w.weights[number]
	}
}

// finish pads the rest of the row, as a segment of its own.
func (w *rowWriter) finish() {
	for i := 0; w.at < len(w.ids); i++ {
		w.ids[w.at], w.positions[w.at], w.segments[w.at] = w.pad, int32(i), int32(2*w.samples)
		if w.targets != nil {
			w.targets[w.at], w.answers[w.at] = data.Ignore, -1
		}
		w.at++
	}
}

var _ data.Source = (*Loader)(nil)
