package instruct

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"example.com/gotrain/data"
)

// Loader makes training batches of a Set.
//
// An epoch has W rows, the number into which best-fit packs the examples, in an order drawn for the epoch; examples of equal
// length change places too. Sample i is row i mod W of epoch ⌊i/W⌋. So each batch is a pure function of the seed and the
// global sample index, as with data.Loader.
type Loader struct {
	data.LoaderConfig
	filler
}

// Eval covers a Set once, in order: row w is row w of the packing. What the last step lacks is padding.
type Eval struct {
	data.Sequences
	filler
	together bool
	lengths  []int32 // bytes of each token, 0 for special ones
}

// filler writes rows.
type filler struct {
	set     *Set
	packing *data.Packing
	pad     int32
}

// newFiller packs set for rows of size. pad is the input at positions behind the examples, whose targets are data.Ignore.
func newFiller(set *Set, size *data.Sequences, together bool, pad int32) (filler, error) {
	if err := size.Check(); err != nil {
		return filler{}, err
	}
	if !size.DocumentMask {
		return filler{}, errors.New("instruct: examples that share a row must not see each other (set train.document_mask: true)")
	}
	lengths := make([]int, set.Examples())
	for i := range lengths {
		lengths[i] = set.positions(i)
		if n := lengths[i]; n > size.Context {
			return filler{}, fmt.Errorf("instruct: an example takes %d positions, a row has %d (build the set for this context)", n, size.Context)
		}
		if id := slices.Max(set.Example(i).Tokens); size.VocabSize > 0 && int(id) >= size.VocabSize {
			return filler{}, fmt.Errorf("instruct: token %d is outside the model's vocabulary of %d (tokenizer and model do not belong together)", id, size.VocabSize)
		}
	}
	return filler{set, data.NewPacking(lengths, size.Context, together), pad}, nil
}

// NewLoader returns a loader that packs the examples of set together, or gives each a row of its own. cfg.DocumentMask must
// be set. pad fills what examples leave of a row.
func NewLoader(set *Set, cfg data.LoaderConfig, together bool, pad int32) (*Loader, error) {
	f, err := newFiller(set, &cfg.Sequences, together, pad)
	return &Loader{cfg, f}, err
}

// NewEval is NewLoader for a held-out set; tokens tells the bytes of targets.
func NewEval(set *Set, size data.Sequences, together bool, pad int32, tokens data.Tokenizer) (*Eval, error) {
	f, err := newFiller(set, &size, together, pad)
	if err != nil {
		return nil, err
	}
	e := &Eval{Sequences: size, filler: f, together: together, lengths: make([]int32, tokens.Vocab())}
	for id := range e.lengths {
		e.lengths[id] = int32(len(tokens.TokenBytes(int32(id))))
	}
	for _, token := range tokens.Specials() {
		e.lengths[token.ID] = 0
	}
	return e, nil
}

// narrowStep is what the length of narrow rows is a multiple of.
const narrowStep = 64

// Narrow returns the same examples in rows that are hardly longer than the longest of them, and batches of no more rows than
// there are: a few short conversations are scored in a fraction of the time that rows of the model's context take.
func (e *Eval) Narrow() (*Eval, error) {
	longest := 1
	for i := range e.set.Examples() {
		longest = max(longest, e.set.positions(i))
	}
	n := *e
	n.Context = min(e.Context, (longest+narrowStep-1)/narrowStep*narrowStep)
	var err error
	if n.filler, err = newFiller(e.set, &n.Sequences, e.together, e.pad); err != nil {
		return nil, err
	}
	n.Batch = min(e.Batch, n.Epoch())
	n.Samples = min(e.Samples, n.Batch*n.Rank.Shares())
	return &n, nil
}

// Epoch returns W, the rows of an epoch.
func (f *filler) Epoch() int { return f.packing.Rows() }

// Tokens returns the positions of an epoch that hold tokens.
func (f *filler) Tokens() int64 { return f.packing.Positions() }

// Density returns the part of an epoch's positions that hold tokens, in (0, 1].
func (l *Loader) Density() float64 { return float64(l.Tokens()) / float64(l.Epoch()*l.Context) }

// Fill sets dst to this rank's share of the step that begins at global sample position; see data.Loader.Fill.
func (l *Loader) Fill(dst *data.Batch, position uint64) error {
	c, err := l.Columns(dst)
	if err != nil {
		return err
	}
	dst.Position, dst.TextBytes = position, 0
	first, share := l.Share()
	rows := uint64(l.Epoch())
	counted := 0
	for row := range l.Batch {
		w := rowWriter{Columns: c.Row(row, l.Context)}
		dst.From[row] = data.Origin{}
		if row < share {
			sample := position + first + uint64(row)
			epoch := sample / rows
			for i := range l.packing.Sample(sample%rows, l.Seed, epoch) {
				w.add(l.set.Example(i))
			}
			dst.From[row] = data.Origin{File: "conversations", Offset: int64(sample % rows)}
		}
		w.finish(l.pad)
		counted += w.counted
	}
	dst.Weight = float64(counted)
	return nil
}

// Fill sets dst to this rank's share of the step that begins at row position, a multiple of Stride(). Behind the last row
// it returns io.EOF.
func (e *Eval) Fill(dst *data.Batch, position uint64) error {
	c, err := e.Columns(dst)
	if err != nil {
		return err
	}
	if position >= uint64(e.Epoch()) {
		return io.EOF
	}
	dst.Position, dst.TextBytes = position, 0
	first, share := e.Share()
	counted := 0
	for row := range e.Batch {
		number := position + first + uint64(row)
		w := rowWriter{Columns: c.Row(row, e.Context)}
		dst.From[row] = data.Origin{}
		if row < share && number < uint64(e.Epoch()) {
			for i := range e.packing.Row(int(number)) {
				w.add(e.set.Example(i))
			}
			dst.From[row] = data.Origin{File: "held-out conversations", Offset: int64(number)}
		}
		w.finish(e.pad)
		counted += w.counted
		for _, target := range w.Targets {
			if target >= 0 {
				dst.TextBytes += int64(e.lengths[target])
			}
		}
	}
	dst.Weight = float64(counted)
	return nil
}

// rowWriter fills a row from left to right.
type rowWriter struct {
	data.Columns
	at      int
	segment int32
	counted int // targets that are not ignored
}

// add writes an example: its tokens but the last as inputs, those but the first as targets.
func (w *rowWriter) add(x Example) {
	for i, id := range x.Tokens[:len(x.Tokens)-1] {
		w.IDs[w.at], w.Targets[w.at] = id, data.Ignore
		if x.Counted[i+1] {
			w.Targets[w.at] = x.Tokens[i+1]
			w.counted++
		}
		w.Segments[w.at], w.Positions[w.at] = w.segment, int32(i)
		w.at++
	}
	w.segment++
}

// finish pads the rest of the row, as a segment of its own.
func (w *rowWriter) finish(pad int32) {
	for i := 0; w.at < len(w.IDs); i++ {
		w.IDs[w.at], w.Targets[w.at], w.Segments[w.at], w.Positions[w.at] = pad, data.Ignore, w.segment, int32(i)
		w.at++
	}
}

var (
	_ data.Source = (*Loader)(nil)
	_ data.Source = (*Eval)(nil)
)
