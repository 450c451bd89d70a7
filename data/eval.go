package data

import (
	"fmt"
	"io"
)

// Eval covers a held-out Set in order: every token but the first, and those that begin documents, is a target exactly once.
//
// Window w has the inputs [w·A, w·A+T) and their targets, of which all but the last A of every window but the first are
// Ignore; the advance A is T, or less after [Eval.Strided]. What the last window lacks, and every window behind it in the
// last step, is end-of-text as input and Ignore as target. So all ranks take the same number of steps.
type Eval struct {
	Sequences
	set     *Set
	lengths []int32 // bytes of each token; nil without a TokenByter
	windows uint64
	advance int // A, from window to window
	streams *streams
}

// streams is how the rows of an evaluation go on for a model that remembers; nil for windows in order.
type streams struct {
	windows uint64 // of each row
	memory  int64
	reach   int
}

// Streams is e with rows that go on, as those of a [Stream] do, for a memory of so many tokens: row r of S has the windows
// [r·⌈W/S⌉, (r+1)·⌈W/S⌉). No token looks back further than reach tokens, if that is not 0.
func (e *Eval) Streams(memory, reach int) *Eval {
	s := *e
	if reach == 0 {
		reach = e.Context + memory
	}
	s.streams = &streams{(e.windows + e.Stride() - 1) / e.Stride(), int64(memory), reach}
	return &s
}

// NewEval returns an evaluation over set, which must stay open and have at least 2 tokens. With enc a [TokenByter],
// Batch.TextBytes counts the bytes of the targets exactly; else (enc may be nil) the bytes of the set are apportioned by
// target. Either way they add up to the text of the set, but for the first token.
func NewEval(set *Set, size Sequences, enc Encoder) (*Eval, error) {
	if err := size.check(set); err != nil {
		return nil, err
	}
	targets := set.Tokens() - 1
	if targets < 1 {
		return nil, settingf("data: the held-out text has %d tokens, an evaluation needs 2 (hold out more text)", set.Tokens())
	}
	e := &Eval{Sequences: size, set: set}
	e.advanceBy(size.Context)
	if _, ok := enc.(TokenByter); ok {
		if enc.Fingerprint() != set.Tokenizer() {
			return nil, fmt.Errorf("data: the held-out text was prepared with tokenizer %s, not %s (prepare it again)", set.Tokenizer(), enc.Fingerprint())
		}
		e.lengths = tokenLengths(enc)
	}
	return e, nil
}

// Strided is e with windows that begin so many tokens apart, in [1, T], so that each target but the first T has at least
// T - advance tokens before it: what a model knows that reads on, at T/advance times the cost.
func (e *Eval) Strided(advance int) (*Eval, error) {
	if advance < 1 || advance > e.Context {
		return nil, settingf("data: windows that begin %d tokens apart do not cover a text in windows of %d; use 1 to %d", advance, e.Context, e.Context)
	}
	s := *e
	s.advanceBy(advance)
	return &s, nil
}

// advanceBy sets the advance, and the number of windows that cover the set.
func (e *Eval) advanceBy(advance int) {
	e.advance, e.windows = advance, 1
	if rest := e.set.Tokens() - 1 - int64(e.Context); rest > 0 {
		e.windows += uint64((rest + int64(advance) - 1) / int64(advance))
	}
}

// window is the window of a sample of the step at position.
func (e *Eval) window(position, sample uint64) uint64 {
	if e.streams == nil {
		return position + sample
	}
	return sample*e.streams.windows + position/e.Stride()
}

// begin is the place of the first input of a window.
func (e *Eval) begin(window uint64) int64 { return int64(window) * int64(e.advance) }

// Windows returns the number of windows that hold targets.
func (e *Eval) Windows() uint64 { return e.windows }

// Steps returns the number of steps, ⌈Windows/S⌉.
func (e *Eval) Steps() int { return int((e.windows + e.Stride() - 1) / e.Stride()) }

// Fill sets dst to this rank's share of the step that begins at window position, a multiple of Stride(); see Rows.Share.
// Behind the last window it returns io.EOF. It allocates nothing and is safe for concurrent use.
func (e *Eval) Fill(dst *Batch, position uint64) error {
	c, err := e.Columns(dst)
	if err != nil {
		return err
	}
	if position >= e.windows {
		return io.EOF
	}
	dst.Position, dst.TextBytes = position, 0
	first, rows := e.Share()
	for row := rows; row < e.Batch; row++ {
		c.Row(row, e.Context).blank(e.set.EndOfText())
		dst.From[row] = Origin{}
	}
	counted := 0
	for row := range rows {
		window := e.window(position, first+uint64(row))
		r := c.Row(row, e.Context)
		if window+1 < e.windows {
			counted += r.fill(e.set, e.begin(window))
		} else {
			counted += e.fillLast(r, window)
		}
		if window > 0 {
			counted -= r.ignoreFirst(e.Context - e.advance)
		}
		if s := e.streams; s != nil {
			r.lookBack(e.set, e.begin(min(window, e.windows)), min(s.memory, int64(position/e.Stride())*int64(e.Context)), s.reach)
		}
		dst.TextBytes += e.bytes(r, window)
		dst.From[row] = Origin{}
		if window < e.windows {
			dst.From[row] = e.set.origin(e.begin(window))
		}
	}
	dst.Weight = float64(counted)
	return nil
}

// fillLast fills a row of which only a part, or nothing, lies in the set.
func (e *Eval) fillLast(r Columns, window uint64) (counted int) {
	for i := range r.IDs {
		r.IDs[i], r.Targets[i] = e.set.EndOfText(), Ignore
	}
	at := min(e.begin(window), e.set.Tokens()-1)
	n := min(e.set.Tokens()-1-at, int64(e.Context))
	e.set.Read(r.IDs[:n], at)
	e.set.Read(r.Targets[:n], at+1)
	ignored := r.ignoreBegins(e.set, at)
	if e.DocumentMask {
		return r.mask(e.set, at)
	}
	return int(n) - ignored
}

// bytes returns the bytes of text of the counted targets of a row.
func (e *Eval) bytes(r Columns, window uint64) (sum int64) {
	if e.lengths != nil {
		for _, target := range r.Targets {
			if target >= 0 {
				sum += int64(e.lengths[target])
			}
		}
		return sum
	}
	// Shares are differences of rounded cumulative shares, so that they add up to the whole.
	targets := float64(e.set.Tokens() - 1)
	share := func(target int64) int64 {
		return int64(min(float64(target)/targets, 1) * float64(e.set.TextBytes()))
	}
	end := e.begin(window) + int64(e.Context)
	if window == 0 {
		return share(end)
	}
	return share(end) - share(end-int64(e.advance))
}
