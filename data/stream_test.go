package data

import (
	"errors"
	"io"
	"slices"
	"testing"

	"example.com/gotrain/autograd/mesh"
)

// TestStreamGoesOn: each row goes on where it ended a step before, its targets are the tokens behind its ids, any number of
// ranks has the same rows, and one pass covers every window once.
func TestStreamGoesOn(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(100)...)
	const context, samples = 7, 6
	all := make([]int32, set.Tokens())
	set.Read(all, 0)
	size := Sequences{Rows: Rows{Batch: samples}, Context: context}
	whole, err := NewStream(set, LoaderConfig{Sequences: size, Seed: 5}, 10)
	if err != nil {
		t.Fatal(err)
	}
	batch := whole.NewBatch()
	wide := int(whole.Windows()) * context
	seen := map[int]int{} // windows, by how often
	var places []int      // of each row, in the step before
	for step := range int(whole.Windows()) {
		if err := whole.Fill(batch, uint64(step*samples)); err != nil {
			t.Fatal(err)
		}
		for row := range samples {
			ids, targets := batch.Ints[IDs][row*context:][:context], batch.Ints[Targets][row*context:][:context]
			place := -1
			if places == nil || len(places) <= row {
				for at := 0; at < wide && place < 0; at += context { // the seed's
					if slices.Equal(all[at:at+context], ids) && slices.Equal(all[at+1:at+1+context], targets) && at/context == int(whole.first+uint64(row)*whole.windows/samples)%int(whole.windows) {
						place = at
					}
				}
				places = append(places, place)
			} else {
				place = (places[row] + context) % wide
				places[row] = place
			}
			if place < 0 || !slices.Equal(all[place:place+context], ids) || !slices.Equal(all[place+1:place+1+context], targets) {
				t.Fatalf("step %d, row %d does not go on", step, row)
			}
			if step < int(whole.Windows())/samples {
				seen[place]++
			}
			for i, p := range batch.Ints[Positions][row*context:][:context] {
				if want := min(min(10, place, step*context)+i, context+10); int(p) != want {
					t.Fatalf("step %d, row %d: token %d may look %d back, want %d", step, row, i, p, want)
				}
			}
		}
		for ranks := 2; ranks <= 3; ranks++ {
			for rank := range ranks {
				part := size
				part.Rows = Rows{Batch: samples / ranks, Samples: samples, Rank: mesh.Of(rank, ranks)}
				s, err := NewStream(set, LoaderConfig{Sequences: part, Seed: 5}, 10)
				if err != nil {
					t.Fatal(err)
				}
				b := s.NewBatch()
				if err := s.Fill(b, uint64(step*samples)); err != nil {
					t.Fatal(err)
				}
				lo := rank * part.Batch * context
				if !slices.Equal(b.Ints[IDs], batch.Ints[IDs][lo:lo+part.Batch*context]) {
					t.Fatalf("step %d: rank %d of %d has other rows", step, rank, ranks)
				}
			}
		}
	}
	for place, n := range seen {
		if n != 1 {
			t.Errorf("the window at %d is read %d times in a pass", place, n)
		}
	}
	if want := int(whole.Windows()) / samples * samples; len(seen) != want {
		t.Errorf("a pass reads %d windows, want %d", len(seen), want)
	}
}

// TestStreamDocuments: with a document mask a token looks back to the begin of its document, in whatever segment that is.
func TestStreamDocuments(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(40)...)
	size := Sequences{Rows: Rows{Batch: 2}, Context: 5, DocumentMask: true}
	const memory = 12
	s, err := NewStream(set, LoaderConfig{Sequences: size, Seed: 3}, memory)
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	for step := range 60 {
		if err := s.Fill(b, uint64(2*step)); err != nil {
			t.Fatal(err)
		}
		for row := range 2 {
			at := int64((s.first+uint64(row)*s.windows/2+uint64(step))%s.windows) * 5
			for i := range 5 {
				begin := int64(0)
				for start := set.NextStart(0); start <= at+int64(i); start = set.NextStart(start + 1) {
					begin = start
				}
				want := min(at+int64(i)-begin, int64(i)+min(memory, at, int64(step)*5))
				if got := b.Ints[Positions][row*5+i]; int64(got) != want {
					t.Fatalf("step %d, row %d: token %d looks %d back, want %d", step, row, i, got, want)
				}
			}
		}
	}
}

// TestEvalStreams: an evaluation in rows that go on has every target once, as one in windows has, and bounds how far tokens
// look back.
func TestEvalStreams(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(60)...)
	for _, rows := range []int{1, 3, 4, 7} {
		e, err := NewEval(set, Sequences{Rows: Rows{Batch: rows}, Context: 6}, byteEncoder{})
		if err != nil {
			t.Fatal(err)
		}
		on := e.Streams(9, 4)
		b := on.NewBatch()
		var targets, bytes, position int
		before := make([]int32, rows) // the last target of each row
		for step := 0; ; step++ {
			err := on.Fill(b, uint64(position))
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for row := range rows {
				ids := b.Ints[IDs][row*6:][:6]
				if step > 0 && b.From[row] != (Origin{}) && ids[0] != before[row] {
					t.Fatalf("%d rows, step %d: row %d does not go on", rows, step, row)
				}
				before[row] = b.Ints[Targets][row*6+5]
			}
			if most := slices.Max(b.Ints[Positions]); most > 4 {
				t.Fatalf("a token looks %d back", most)
			}
			targets, bytes, position = targets+int(b.Weight), bytes+int(b.TextBytes), position+int(on.Stride())
		}
		if targets != int(set.Tokens())-1 || bytes < int(set.TextBytes())-1 || bytes > int(set.TextBytes()) {
			t.Errorf("%d rows: %d targets of %d, %d bytes of %d", rows, targets, set.Tokens()-1, bytes, set.TextBytes())
		}
	}
}
