package data

// Stream cuts a Set into training batches whose rows go on: what row r of a step reads follows what row r of the step
// before read, for models that remember it.
//
// The set has W windows of T+1 tokens, T inputs and their targets, on a grid that begins at its first token. Of S samples
// of a step, sample r reads in step s window (b + ⌊r·W/S⌋ + s) mod W, with b drawn from the seed: each begins in a place of
// its own, and behind the last window comes the first. So each batch is a pure function of the seed and the position, and a
// pass over the set takes W samples.
//
// Positions tell how far back a token may look: to the begin of the text, of its row at the first step, or with DocumentMask
// of its document, but no further than the memory and its segment reach.
type Stream struct {
	LoaderConfig
	set     *Set
	windows uint64
	first   uint64 // b
	memory  int64
}

// NewStream returns the stream of set, which must stay open and have at least T+1 tokens, for a memory of so many tokens.
func NewStream(set *Set, cfg LoaderConfig, memory int) (*Stream, error) {
	l, err := NewLoader(set, cfg)
	if err != nil {
		return nil, err
	}
	return &Stream{LoaderConfig: cfg, set: set, windows: l.windows, first: mix(mix(cfg.Seed)+1) % l.windows, memory: int64(memory)}, nil
}

// Stream is Batches for a model with a memory of so many tokens.
func (p *Prepared) Stream(cfg LoaderConfig, memory int) (*Stream, error) {
	if p.Parts != nil {
		return nil, settingf("data: a model with a memory reads one text on, but data.sources mix several by samples (name all files under data.train, or set model.memory: 0)")
	}
	return NewStream(p.Train, cfg, memory)
}

// Windows returns W, the samples of a pass.
func (s *Stream) Windows() uint64 { return s.windows }

// Fill sets dst to this rank's share of the step that begins at global sample position. It allocates nothing and is safe
// for concurrent use with different batches.
func (s *Stream) Fill(dst *Batch, position uint64) error {
	c, err := s.Columns(dst)
	if err != nil {
		return err
	}
	begin(&s.Sequences, c, dst, position, s.set.EndOfText())
	first, rows := s.Share()
	samples, step := s.Stride(), position/s.Stride()
	counted := 0
	for row := range rows {
		sample := first + uint64(row)
		at := int64((s.first+sample*s.windows/samples+step)%s.windows) * int64(s.Context)
		dst.From[row] = s.set.origin(at)
		r := c.Row(row, s.Context)
		counted += r.fill(s.set, at)
		r.lookBack(s.set, at, min(s.memory, at, int64(min(step, 1<<31))*int64(s.Context)), s.Context+int(s.memory))
	}
	dst.Weight = float64(counted)
	return nil
}

// lookBack sets the positions of the row whose first id is at position at of set to how far each of its tokens may look
// back, where behind tokens before it are remembered and count: at most most tokens.
func (c Columns) lookBack(set *Set, at, behind int64, most int) {
	if c.Segments == nil {
		for i := range c.Positions {
			c.Positions[i] = int32(min(int(behind)+i, most))
		}
		return
	}
	for p := at - behind; p <= at; p++ { // the first id's document begins where the last of these does
		start := set.startBefore(p, at+1)
		if start > at {
			break
		}
		behind, p = at-start, start
	}
	for i, segment := range c.Segments {
		if segment == 0 {
			c.Positions[i] += int32(behind)
		}
		c.Positions[i] = min(c.Positions[i], int32(most))
	}
}
