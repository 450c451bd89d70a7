package pairs

import (
	"slices"
	"testing"

	"example.com/gotrain/data"
)

// A side without pairs gets those of one source, whatever their order: of the smallest hash those that are held out, of the
// largest those that are trained on. Pairs of one source stay together.
func TestBalanceByHand(t *testing.T) {
	set := func(hashes ...uint64) *Set {
		s := &Set{}
		for i, h := range hashes {
			x := Example{Source: make([]int32, 1+i), Target: make([]int32, 2), Origin: data.Origin{File: "f", Offset: int64(i)}, hash: h}
			s.add(x, 100)
		}
		return s
	}
	list := func(s *Set) (hashes []uint64) {
		for _, x := range s.examples {
			hashes = append(hashes, x.hash)
		}
		return hashes
	}
	for _, c := range []struct{ train, held, wantTrain, wantHeld []uint64 }{
		{[]uint64{3, 9, 5}, nil, []uint64{9, 5}, []uint64{3}},
		{[]uint64{5, 3, 9, 3}, nil, []uint64{5, 9}, []uint64{3, 3}},
		{nil, []uint64{3, 9, 5}, []uint64{9}, []uint64{3, 5}},
		{nil, []uint64{9, 3, 9}, []uint64{9, 9}, []uint64{3}},
		{[]uint64{4}, nil, []uint64{4}, nil}, {[]uint64{4, 4}, nil, []uint64{4, 4}, nil}, {nil, nil, nil, nil}, {[]uint64{1}, []uint64{2, 3}, []uint64{1}, []uint64{2, 3}},
	} {
		train, held := set(c.train...), set(c.held...)
		tokens := train.stats.SourceTokens + held.stats.SourceTokens
		balance(train, held)
		if a, b := list(train), list(held); !slices.Equal(a, c.wantTrain) || !slices.Equal(b, c.wantHeld) {
			t.Errorf("%v and %v become %v and %v, want %v and %v", c.train, c.held, a, b, c.wantTrain, c.wantHeld)
		}
		for _, s := range []*Set{train, held} {
			if s.stats.Pairs != len(s.examples) || s.stats.TargetTokens != int64(2*len(s.examples)) {
				t.Errorf("%+v of %d pairs", s.stats, len(s.examples))
			}
		}
		if got := train.stats.SourceTokens + held.stats.SourceTokens; got != tokens {
			t.Errorf("%d tokens of sources, want %d", got, tokens)
		}
	}
}
