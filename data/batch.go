package data

import "fmt"

// Ignore is the target that does not count towards the loss; every negative target is ignored.
const Ignore int32 = -1

// Batch is B rows of T tokens, row-major. Make it with Loader.NewBatch or Eval.NewBatch.
type Batch struct {
	Inputs  []int32 // (B, T)
	Targets []int32 // (B, T), the token after each input, or Ignore

	// Only with DocumentMask, else nil. Attention from i to j of a row is allowed when Segments[i] == Segments[j].
	Segments  []int32 // (B, T), the document of each input, counted from 0 in each row
	Positions []int32 // (B, T), the place of each input in its document, from 0 at the start of the row too

	// Extra holds the further inputs of an objective by name, as many numbers for each row; nil for next tokens.
	Extra map[string][]float32

	Position uint64 // the global sample at which the step of this batch begins, the same on all ranks
	Counted  int    // targets that are not ignored
	Bytes    int64  // bytes of text of the counted targets; only set by Eval
}

// Shape is what Loader and Eval have in common.
type Shape struct {
	Batch   int // B, rows on this rank
	Context int // T
	Rank    int // r, in [0, R)
	World   int // R; 0 means 1
	// Samples is the number of samples S of a step over all ranks; 0 means B·R. This rank has the samples
	// [r·S/R, (r+1)·S/R) of it, at most B; rows behind them hold no target.
	Samples int
	// VocabSize is the model's vocabulary, which must hold every token; 0 leaves that unchecked.
	VocabSize int
	// DocumentMask adds Segments and Positions and ignores targets across document boundaries.
	DocumentMask bool
}

func (s *Shape) check(set *Set) error {
	if s.World == 0 {
		s.World = 1
	}
	switch {
	case s.Batch <= 0:
		return fmt.Errorf("data: batch size %d is not positive", s.Batch)
	case s.Context <= 0:
		return fmt.Errorf("data: context length %d is not positive", s.Context)
	case s.World < 0 || s.Rank < 0 || s.Rank >= s.World:
		return fmt.Errorf("data: rank %d is outside the world of %d", s.Rank, s.World)
	case s.Samples < 0 || s.Samples > s.Batch*s.World:
		return fmt.Errorf("data: %d samples of a step do not fit %d rows on each of %d ranks", s.Samples, s.Batch, s.World)
	}
	return set.checkModel(s.VocabSize)
}

// Stride returns the samples of one step over all ranks, S.
func (s *Shape) Stride() uint64 {
	if s.Samples > 0 {
		return uint64(s.Samples)
	}
	return uint64(s.Batch) * uint64(max(s.World, 1))
}

// Share returns the first sample of this rank in a step, counted from its beginning, and how many the rank has.
func (s *Shape) Share() (first uint64, rows int) {
	world := uint64(max(s.World, 1))
	first = uint64(s.Rank) * s.Stride() / world
	return first, int(uint64(s.Rank+1)*s.Stride()/world - first)
}

// NewBatch allocates a batch of this shape.
func (s *Shape) NewBatch() *Batch {
	n := s.Batch * s.Context
	b := &Batch{Inputs: make([]int32, n), Targets: make([]int32, n)}
	if s.DocumentMask {
		b.Segments, b.Positions = make([]int32, n), make([]int32, n)
	}
	return b
}

// fits reports a batch that was made for another shape.
func (s *Shape) fits(b *Batch) error {
	n := s.Batch * s.Context
	masked := 0
	if s.DocumentMask {
		masked = n
	}
	if len(b.Inputs) != n || len(b.Targets) != n || len(b.Segments) != masked || len(b.Positions) != masked {
		return fmt.Errorf("data: batch of %d inputs, %d targets, %d segments, %d positions for shape (%d, %d), document mask %t (make it with NewBatch)",
			len(b.Inputs), len(b.Targets), len(b.Segments), len(b.Positions), s.Batch, s.Context, s.DocumentMask)
	}
	return nil
}

// fillRow reads the window of T+1 tokens at position at into row and returns the number of counted targets.
func (s *Shape) fillRow(b *Batch, row int, set *Set, at int64) int {
	lo, hi := row*s.Context, (row+1)*s.Context
	inputs, targets := b.Inputs[lo:hi], b.Targets[lo:hi]
	set.Read(inputs, at)
	copy(targets, inputs[1:])
	set.Read(targets[s.Context-1:], at+int64(s.Context))
	if !s.DocumentMask {
		return s.Context
	}
	return maskRow(set, at, targets, b.Segments[lo:hi], b.Positions[lo:hi])
}

// blankRow fills a row with a token and no targets.
func (s *Shape) blankRow(b *Batch, row int, token int32) {
	lo, hi := row*s.Context, (row+1)*s.Context
	for i := lo; i < hi; i++ {
		b.Inputs[i], b.Targets[i] = token, Ignore
	}
	if s.DocumentMask {
		for i := lo; i < hi; i++ {
			b.Segments[i], b.Positions[i] = 0, int32(i-lo)
		}
	}
}

// maskRow fills segments and positions of the row whose first input is at position at and ignores each target that is
// the first token of a document.
func maskRow(set *Set, at int64, targets, segments, positions []int32) (counted int) {
	for begin, segment := 0, int32(0); begin < len(targets); segment++ {
		// The next document, or the padding behind the set, begins at end; in it there is none.
		end := len(targets)
		if from := at + int64(begin) + 1; from <= set.Tokens() {
			if next := set.NextStart(from) - at; next <= int64(end) {
				end = int(next)
				targets[end-1] = Ignore
			}
		}
		for i := begin; i < end; i++ {
			segments[i], positions[i] = segment, int32(i-begin)
			if targets[i] >= 0 {
				counted++
			}
		}
		begin = end
	}
	return counted
}
