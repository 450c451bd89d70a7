package data

import "fmt"

// Fields of sequences of tokens.
const (
	IDs     = "ids"     // (T) int32
	Targets = "targets" // (T) int32, the token after each id, or Ignore
	// Segments (T) int32 number the documents of a row from 0: attention from i to j of a row is allowed when
	// Segments[i] == Segments[j].
	Segments = "segments"
	// Positions (T) int32 count the tokens of a row, or of each document where there are segments, from 0.
	Positions = "positions"
)

// Ignore is the target that does not count towards the loss; every negative target is ignored.
const Ignore int32 = -1

// Sequences is the size of batches of tokens.
type Sequences struct {
	Rows
	Context int // T
	// VocabSize is the model's vocabulary, which must hold every token; 0 leaves that unchecked.
	VocabSize int
	// DocumentMask adds Segments, has Positions begin at each document, and ignores targets across document boundaries.
	DocumentMask bool
}

// Check reports sizes that do not fit.
func (s *Sequences) Check() error {
	if s.Context <= 0 {
		return fmt.Errorf("data: context length %d is not positive", s.Context)
	}
	return s.Rows.Check()
}

func (s *Sequences) check(set *Set) error {
	if err := s.Check(); err != nil {
		return err
	}
	return set.checkModel(s.VocabSize)
}

// Fields are those of a sequence.
func (s *Sequences) Fields() []Field {
	shape := []int{s.Context}
	fields := []Field{{IDs, Int32, shape}, {Targets, Int32, shape}, {Positions, Int32, shape}}
	if s.DocumentMask {
		fields = append(fields, Field{Segments, Int32, shape})
	}
	return fields
}

// NewBatch allocates a batch of this rank's rows.
func (s *Sequences) NewBatch() *Batch {
	b := NewBatch(s.Batch, s.Fields())
	positions := b.Ints[Positions] // where rows are not divided, Fill leaves them as they are
	for i := range positions {
		positions[i] = int32(i % s.Context)
	}
	return b
}

// Columns are the fields of a batch of sequences, or of some of its rows.
type Columns struct {
	IDs, Targets, Positions []int32
	Segments                []int32 // nil without DocumentMask
}

// Columns returns the fields of b, which NewBatch made.
func (s *Sequences) Columns(b *Batch) (Columns, error) {
	c := Columns{b.Ints[IDs], b.Ints[Targets], b.Ints[Positions], b.Ints[Segments]}
	n, masked := s.Batch*s.Context, 0
	if s.DocumentMask {
		masked = n
	}
	if len(c.IDs) != n || len(c.Targets) != n || len(c.Positions) != n || len(c.Segments) != masked {
		return c, fmt.Errorf("data: batch of %d ids, %d targets, %d positions, %d segments for %d rows of %d, document mask %t (make it with NewBatch)",
			len(c.IDs), len(c.Targets), len(c.Positions), len(c.Segments), s.Batch, s.Context, s.DocumentMask)
	}
	return c, nil
}

// Row returns one of rows of length tokens.
func (c Columns) Row(row, length int) Columns {
	lo, hi := row*length, (row+1)*length
	r := Columns{IDs: c.IDs[lo:hi], Targets: c.Targets[lo:hi], Positions: c.Positions[lo:hi]}
	if c.Segments != nil {
		r.Segments = c.Segments[lo:hi]
	}
	return r
}

// fill reads the window of T+1 tokens at position at of set into the row and returns the number of counted targets.
func (c Columns) fill(set *Set, at int64) int {
	set.Read(c.IDs, at)
	copy(c.Targets, c.IDs[1:])
	last := len(c.IDs) - 1
	set.Read(c.Targets[last:], at+int64(last)+1)
	ignored := c.ignoreBegins(set, at)
	if c.Segments == nil {
		return len(c.IDs) - ignored
	}
	return c.mask(set, at)
}

// ignoreBegins ignores the targets that begin documents, of the row whose first id is at position at of set, and returns how
// many those are: each text begins with them, and nothing foretells where one ends.
func (c Columns) ignoreBegins(set *Set, at int64) (ignored int) {
	n := int64(len(set.BeginOfText()))
	if n == 0 {
		return 0
	}
	first, end := at+1, at+1+int64(len(c.Targets)) // positions of the targets
	end = min(end, set.Tokens())
	for start := set.startBefore(max(first-n+1, 0), end); start < end; start = set.startBefore(start+1, end) {
		for p := max(start, first); p < min(start+n, end); p++ {
			if c.Targets[p-first] != Ignore {
				c.Targets[p-first] = Ignore
				ignored++
			}
		}
	}
	return ignored
}

// ignoreFirst ignores the first n targets and returns how many of them counted.
func (c Columns) ignoreFirst(n int) (counted int) {
	for i, target := range c.Targets[:n] {
		if target >= 0 {
			counted++
		}
		c.Targets[i] = Ignore
	}
	return counted
}

// blank fills the row with a token and no targets.
func (c Columns) blank(token int32) {
	for i := range c.IDs {
		c.IDs[i], c.Targets[i] = token, Ignore
	}
	for i := range c.Segments {
		c.Segments[i], c.Positions[i] = 0, int32(i)
	}
}

// mask fills segments and positions of the row whose first id is at position at of set and ignores each target that is
// the first token of a document.
func (c Columns) mask(set *Set, at int64) (counted int) {
	for begin, segment := 0, int32(0); begin < len(c.Targets); segment++ {
		// The next document, or the padding behind the set, begins at end; in it there is none.
		end := len(c.Targets)
		if from := at + int64(begin) + 1; from <= set.Tokens() {
			if next := set.startBefore(from, at+int64(end)+1) - at; next <= int64(end) {
				end = int(next)
				c.Targets[end-1] = Ignore
			}
		}
		for i := begin; i < end; i++ {
			c.Segments[i], c.Positions[i] = segment, int32(i-begin)
			if c.Targets[i] >= 0 {
				counted++
			}
		}
		begin = end
	}
	return counted
}
