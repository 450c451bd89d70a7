package data

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"example.com/gotrain/autograd/mesh"
)

func TestPrefetchOrder(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(100)...)
	l := newLoader(t, set, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 2, Rank: mesh.Of(1, 3)}, Context: 16}, Seed: 3})
	synctest.Test(t, func(t *testing.T) {
		p := NewPrefetch(l, 12, 3)
		want := l.NewBatch()
		for step := range uint64(50) {
			got, err := p.Next()
			if err != nil {
				t.Fatal(err)
			}
			if step%7 == 0 {
				synctest.Wait() // Let it run as far ahead as it can: the batch in hand must stay as it is.
			}
			if err := l.Fill(want, 12+step*l.Stride()); err != nil {
				t.Fatal(err)
			}
			if got.Position != want.Position || !slices.Equal(got.Ints[IDs], want.Ints[IDs]) || !slices.Equal(got.Ints[Targets], want.Ints[Targets]) {
				t.Fatalf("step %d differs", step)
			}
		}
		p.Close()
	})
}

// synctest fails when a goroutine outlives Close.
func TestPrefetchClose(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(100)...)
	l := newLoader(t, set, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 16}, Seed: 3})
	for _, depth := range []int{0, 1, 4} {
		for taken := range 4 {
			synctest.Test(t, func(t *testing.T) {
				p := NewPrefetch(l, 0, depth)
				for range taken {
					if _, err := p.Next(); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				p.Close()
			})
		}
	}
}

func TestPrefetchEnd(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(100)...)
	e, err := NewEval(set, Sequences{Rows: Rows{Batch: 2}, Context: 16}, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := NewPrefetch(e, 0, 2)
		steps, counted := 0, 0
		for {
			b, err := p.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			steps++
			counted += int(b.Weight)
		}
		if steps != e.Steps() || counted != int(set.Tokens()-1) {
			t.Errorf("%d steps, %d targets; want %d, %d", steps, counted, e.Steps(), set.Tokens()-1)
		}
		if _, err := p.Next(); !errors.Is(err, io.EOF) {
			t.Error("the end does not last:", err)
		}
		p.Close()
	})
}
