package data

// LoaderConfig says which batches a Loader makes.
type LoaderConfig struct {
	Sequences
	Seed uint64
	// Fixed has the grid of windows begin at 0 in every epoch, so that all have the same windows.
	Fixed bool
}

// Loader cuts a Set into training batches.
//
// Sample i is a window of T+1 tokens, T inputs and their T targets. An epoch has W = max(1, ⌊(N-T)/T⌋) windows that
// share no target, on a grid that begins at an offset drawn for the epoch from [0, N-1-W·T], or at 0 where it is Fixed; sample i is window
// π(i mod W) of epoch ⌊i/W⌋, with π a permutation drawn for the epoch. So each batch is a pure function of the seed and
// the global sample index: neither the world size nor the samples asked for before matter, and nothing but the number of
// samples consumed need be stored to resume.
type Loader struct {
	LoaderConfig
	set     *Set
	windows uint64
}

// NewLoader returns a loader over set, which must stay open and have at least T+1 tokens.
func NewLoader(set *Set, cfg LoaderConfig) (*Loader, error) {
	if err := cfg.check(set); err != nil {
		return nil, err
	}
	windows, err := WindowsOf(set.Tokens(), cfg.Context)
	if err != nil {
		return nil, err
	}
	return &Loader{LoaderConfig: cfg, set: set, windows: windows}, nil
}

// WindowsOf is what Windows would be for a set of so many tokens; it fails where the tokens are too few.
func WindowsOf(tokens int64, context int) (uint64, error) {
	if tokens < int64(context)+1 {
		return 0, settingf("data: the training text has %d tokens, a sample of context length %d needs %d (add text or shorten the context)", tokens, context, context+1)
	}
	return uint64(max(1, (tokens-int64(context))/int64(context))), nil
}

// Windows returns W, the samples of an epoch.
func (l *Loader) Windows() uint64 { return l.windows }

// Fill sets dst to this rank's share of the step that begins at global sample position; see Rows.Share. The next step
// begins at position + Stride(). It allocates nothing and is safe for concurrent use with different batches.
func (l *Loader) Fill(dst *Batch, position uint64) error {
	c, err := l.Columns(dst)
	if err != nil {
		return err
	}
	first := begin(&l.Sequences, c, dst, position, l.set.EndOfText())
	e := l.epoch(first / l.windows)
	counted := 0
	_, rows := l.Share()
	for row := range rows {
		sample := first + uint64(row)
		if number := sample / l.windows; number != e.number {
			e = l.epoch(number)
		}
		counted += l.row(c, dst, row, sample, &e)
	}
	dst.Weight = float64(counted)
	return nil
}

// begin makes dst the batch of the step at position, with the rows empty that no sample is for, and returns the first sample
// of this rank.
func begin(s *Sequences, c Columns, dst *Batch, position uint64, blank int32) (first uint64) {
	dst.Position, dst.TextBytes = position, 0
	first, rows := s.Share()
	for row := rows; row < s.Batch; row++ {
		c.Row(row, s.Context).blank(blank)
		dst.From[row] = Origin{}
	}
	return first + position
}

// row reads a sample of epoch e into a row and returns how many of its targets count.
func (l *Loader) row(c Columns, dst *Batch, row int, sample uint64, e *epoch) (counted int) {
	at := e.offset + int64(e.order.At(sample%l.windows))*int64(l.Context)
	dst.From[row] = l.set.origin(at)
	return c.Row(row, l.Context).fill(l.set, at)
}

// epoch is the order of one pass over the set.
type epoch struct {
	number uint64
	offset int64 // of the grid of windows
	order  Permutation
}

func (l *Loader) epoch(number uint64) epoch {
	// 2·number keys the order and 2·number+1 the offset.
	slack := uint64(l.set.Tokens()) - 1 - l.windows*uint64(l.Context)
	offset := mix(mix(l.Seed)+2*number+1) % (slack + 1)
	if l.Fixed {
		offset = 0
	}
	return epoch{number: number, offset: int64(offset), order: NewPermutation(l.windows, l.Seed, 2*number)}
}
