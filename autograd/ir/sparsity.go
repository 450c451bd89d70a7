package ir

import "fmt"

// Pattern is which blocks of keys the blocks of queries of an attention see.
type Pattern uint8

const (
	Dense       Pattern = iota // all
	Strided                    // the nearest ones and every Stride-th (Child et al. 2019)
	Fixed                      // those of the own span of Stride blocks, and the last Global of each span (Child et al. 2019)
	LocalGlobal                // the nearest ones and the first Global, which see all themselves (Beltagy et al. 2020, Zaheer et al. 2020)
)

// patterns are the names of Patterns.
var patterns = [...]string{"dense", "strided", "fixed", "local_global"}

// String is the pattern's name.
func (p Pattern) String() string {
	if int(p) < len(patterns) {
		return patterns[p]
	}
	return "invalid"
}

// ParsePattern returns the pattern that name names.
func ParsePattern(name string) (Pattern, bool) {
	for p, n := range patterns {
		if n == name {
			return Pattern(p), true
		}
	}
	return Dense, false
}

// SparseGranule is what the blocks of a Sparsity are a multiple of: a tile of keys of
// the kernels, so that a block that is not seen costs nothing.
const SparseGranule = 64

// Sparsity lets blocks of queries see some blocks of keys only, beside what Causal and
// segments say. Position p is in block p / Block; query t stands at position t + S - T.
type Sparsity struct {
	Pattern Pattern
	Block   int // positions of a block, a multiple of SparseGranule
	Local   int // blocks, the own included, that are seen back (and forth, unless causal); under Fixed 0
	Stride  int // of Strided and Fixed, in blocks
	Global  int // blocks that all see: of a span under Fixed, the first under LocalGlobal
}

// Sees tells whether block query of queries sees block key of keys. Blocks count from 0.
func (s Sparsity) Sees(query, key int) bool {
	distance := query - key
	if distance < 0 {
		distance = -distance
	}
	switch s.Pattern {
	case Strided:
		return distance < s.Local || distance%s.Stride == 0
	case Fixed:
		return query/s.Stride == key/s.Stride || key%s.Stride >= s.Stride-s.Global
	case LocalGlobal:
		return distance < s.Local || key < s.Global || query < s.Global
	}
	return true
}

// Check reports sizes that describe no pattern, with the cure.
func (s Sparsity) Check() error {
	if s.Pattern == Dense {
		if s != (Sparsity{}) {
			return fmt.Errorf("a dense pattern has no blocks, %+v: leave them out", s)
		}
		return nil
	}
	switch {
	case s.Block <= 0 || s.Block%SparseGranule != 0:
		return fmt.Errorf("block %d is no multiple of %d", s.Block, SparseGranule)
	case s.Pattern == Fixed && s.Local != 0:
		return fmt.Errorf("local %d: in a fixed pattern the span of stride blocks is what is local; leave it out", s.Local)
	case s.Pattern != Fixed && s.Local < 1:
		return fmt.Errorf("local is %d; a block sees itself at least: use 1 or more", s.Local)
	case s.Pattern == LocalGlobal && s.Stride != 0:
		return fmt.Errorf("stride %d: a local_global pattern has none; leave it out", s.Stride)
	case s.Pattern != LocalGlobal && s.Stride < 2:
		return fmt.Errorf("stride is %d; use 2 or more blocks, since with 1 all are seen", s.Stride)
	case s.Pattern == Strided && s.Global != 0:
		return fmt.Errorf("global %d: a strided pattern has none; leave it out", s.Global)
	case s.Global < 0 || s.Pattern == Fixed && (s.Global < 1 || s.Global > s.Stride):
		return fmt.Errorf("global is %d; use 1 to stride blocks of a span", s.Global)
	}
	return nil
}
