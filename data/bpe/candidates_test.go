package bpe

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPairCounts counts as a map does, through several growths of the table, and keeps room in it.
func TestPairCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	want := map[uint64]int64{}
	var got pairCounts
	for range 60_000 {
		pair, n := uint64(random.IntN(200))<<32|uint64(random.IntN(200)), int64(random.IntN(7)-3)
		want[pair] += n
		got.add(pair, n)
		if got.used != len(want) || 4*got.used > 3*len(got.slots)+4 {
			t.Fatalf("%d of %d slots are used for %d pairs", got.used, len(got.slots), len(want))
		}
	}
	for pair, n := range want {
		if got.get(pair) != n {
			t.Fatalf("pair %x: %d, want %d", pair, got.get(pair), n)
		}
	}
}

// TestCandidates takes them out in order, whatever the order in which they came.
func TestCandidates(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 40 {
		var heap candidates
		var all []candidate
		for range n {
			c := candidate{count: int64(random.IntN(3)), pair: uint64(random.IntN(3)), step: int32(random.IntN(3))}
			all = append(all, c)
			heap.push(c)
		}
		slices.SortFunc(all, func(a, b candidate) int {
			switch {
			case a.count != b.count:
				return int(b.count - a.count)
			case a.pair != b.pair:
				return int(a.pair) - int(b.pair)
			}
			return int(a.step - b.step)
		})
		for i, want := range all {
			if got := heap[0]; got.count != want.count || got.pair != want.pair || got.step != want.step {
				t.Fatalf("number %d of %d is %+v, want %+v", i, n, got, want)
			}
			heap.pop()
		}
		if len(heap) > 0 {
			t.Fatalf("%d are left", len(heap))
		}
	}
}

// TestNeighbours lists with each symbol the words that it was noted in, once each.
func TestNeighbours(t *testing.T) {
	var n neighbours
	n.resize(5)
	for round := range 2 {
		n.note(3, 7, 2)
		n.note(1, 7, 2)
		n.note(3, 7, 2)
		n.note(3, 9, 5)
		n.note(1, 8, 1)
		if !slices.Equal(n.touched, []int32{3, 1}) || n.counts[3] != 9 || n.counts[1] != 3 {
			t.Errorf("round %d: %v, counts %v", round, n.touched, n.counts)
		}
		if got := n.places(); !slices.Equal(got[0], []uint32{7, 9}) || !slices.Equal(got[1], []uint32{7, 8}) {
			t.Errorf("round %d: %v", round, got)
		}
		n.reset()
		if n.counts[3] != 0 || n.counts[1] != 0 {
			t.Errorf("round %d: %v after reset", round, n.counts)
		}
	}
}
