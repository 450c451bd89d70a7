package data

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func newLoader(t testing.TB, set *Set, cfg LoaderConfig) *Loader {
	t.Helper()
	l, err := NewLoader(set, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// words returns n documents of various lengths.
func words(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	documents := make([]string, n)
	for i := range documents {
		documents[i] = strings.Repeat(string(rune('a'+i%26)), random.IntN(40))
	}
	return documents
}

// A row depends on the seed and its global sample alone: not on rank, world, batch size or what was asked for before.
func TestLoaderPurity(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(100)...)
	rapid.Check(t, func(rt *rapid.T) {
		shape := Shape{Batch: 1, Context: rapid.IntRange(1, 70).Draw(rt, "context"), DocumentMask: rapid.Bool().Draw(rt, "mask")}
		seed := rapid.Uint64().Draw(rt, "seed")
		reference := newLoader(t, set, LoaderConfig{shape, seed})
		row := reference.NewBatch()

		shape.World = rapid.IntRange(1, 5).Draw(rt, "world")
		shape.Batch = rapid.IntRange(1, 6).Draw(rt, "batch")
		// All rows that fit, or as many as leave a rank less than another.
		total := shape.Batch * shape.World
		shape.Samples = rapid.SampledFrom([]int{0, total - rapid.IntRange(0, shape.World-1).Draw(rt, "missing")}).Draw(rt, "samples")
		next := uint64(0)
		position := rapid.OneOf(rapid.Uint64Max(500), rapid.Uint64Max(1<<62)).Draw(rt, "position")
		for rank := range shape.World {
			shape.Rank = rank
			first, rows := shape.Share()
			if first != next || rows > shape.Batch {
				rt.Fatalf("rank %d has %d samples from %d on, want them from %d on", rank, rows, first, next)
			}
			next = first + uint64(rows)
			l := newLoader(t, set, LoaderConfig{shape, seed})
			b := l.NewBatch()
			if err := l.Fill(b, position); err != nil {
				rt.Fatal(err)
			}
			counted := 0
			for j := rows; j < shape.Batch; j++ {
				if slices.Max(b.Targets[j*shape.Context:(j+1)*shape.Context]) != Ignore {
					rt.Fatalf("rank %d, row %d is not of the step but has targets", rank, j)
				}
			}
			for j := range rows {
				sample := position + first + uint64(j)
				if err := reference.Fill(row, sample); err != nil {
					rt.Fatal(err)
				}
				lo, hi := j*shape.Context, (j+1)*shape.Context
				if !slices.Equal(b.Inputs[lo:hi], row.Inputs) || !slices.Equal(b.Targets[lo:hi], row.Targets) {
					rt.Fatalf("rank %d, row %d differs from sample %d", rank, j, sample)
				}
				if shape.DocumentMask && (!slices.Equal(b.Segments[lo:hi], row.Segments) || !slices.Equal(b.Positions[lo:hi], row.Positions)) {
					rt.Fatalf("rank %d, row %d: masks differ from sample %d", rank, j, sample)
				}
				counted += row.Counted
			}
			if b.Counted != counted || b.Position != position {
				rt.Fatalf("counted %d, want %d; position %d, want %d", b.Counted, counted, b.Position, position)
			}
		}
		if next != shape.Stride() {
			rt.Fatalf("the ranks have %d samples of a step of %d", next, shape.Stride())
		}
	})
}

// countingSet holds the tokens 0, 1, 2 and so on, so that a token is its own position.
func countingSet(t testing.TB, n int) *Set {
	t.Helper()
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i)
	}
	return newSet(t, fixedEncoder(tokens[:n-1]), n, "")
}

// fixedEncoder gives the same tokens for any text.
type fixedEncoder []int32

func (e fixedEncoder) AppendEncode(dst []int32, _ []byte) []int32 { return append(dst, e...) }
func (e fixedEncoder) VocabSize() int                             { return len(e) + 1 }
func (e fixedEncoder) EndOfText() int32                           { return int32(len(e)) }
func (e fixedEncoder) Fingerprint() string                        { return "fixed" }

// Within an epoch no target comes twice and all but less than two windows' worth come once; over epochs all come.
func TestLoaderEpochs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		context := rapid.IntRange(1, 8).Draw(rt, "context")
		n := rapid.IntRange(context+1, 120).Draw(rt, "tokens")
		l := newLoader(t, countingSet(t, n), LoaderConfig{Shape{Batch: 1, Context: context}, rapid.Uint64().Draw(rt, "seed")})
		b := l.NewBatch()
		ever := make([]bool, n)
		const epochs = 300
		for epoch := range uint64(epochs) {
			seen := make([]bool, n)
			for i := range l.Windows() {
				if err := l.Fill(b, epoch*l.Windows()+i); err != nil {
					rt.Fatal(err)
				}
				for k, target := range b.Targets {
					if target != b.Inputs[k]+1 || k > 0 && b.Inputs[k] != b.Inputs[k-1]+1 {
						rt.Fatalf("inputs %v, targets %v", b.Inputs, b.Targets)
					}
					if seen[target] {
						rt.Fatalf("target %d twice in epoch %d", target, epoch)
					}
					seen[target], ever[target] = true, true
				}
			}
			missed := 0
			for _, s := range seen[1:] {
				if !s {
					missed++
				}
			}
			if missed > 2*context-2 && context > 1 || context == 1 && missed > 1 {
				rt.Fatalf("%d of %d targets missed in epoch %d, context %d", missed, n-1, epoch, context)
			}
		}
		if i := slices.Index(ever[1:], false); i >= 0 {
			rt.Fatalf("target %d of %d never comes in %d epochs, context %d", i+1, n, epochs, context)
		}
	})
}

func TestLoaderSeedsDiffer(t *testing.T) {
	set := countingSet(t, 10_000)
	first := func(seed, position uint64) int32 {
		l := newLoader(t, set, LoaderConfig{Shape{Batch: 1, Context: 8}, seed})
		b := l.NewBatch()
		if err := l.Fill(b, position); err != nil {
			t.Fatal(err)
		}
		return b.Inputs[0]
	}
	different := map[int32]bool{}
	for seed := range uint64(50) {
		different[first(seed, 0)] = true
		different[first(0, (seed+1)*1249)] = true
	}
	if len(different) < 95 {
		t.Errorf("only %d of 100 first tokens differ", len(different))
	}
}

// The masks follow from the tokens: this is their definition, one token at a time.
func TestDocumentMask(t *testing.T) {
	enc := byteEncoder{}
	set := newSet(t, enc, 37, words(60)...)
	for _, context := range []int{1, 2, 16, 100} {
		l := newLoader(t, set, LoaderConfig{Shape{Batch: 3, Context: context, DocumentMask: true}, 7})
		b := l.NewBatch()
		for position := range 2 * l.Windows() {
			if err := l.Fill(b, position); err != nil {
				t.Fatal(err)
			}
			counted := 0
			for row := range 3 {
				segment, place := int32(0), int32(0)
				for i := row * context; i < (row+1)*context; i++ {
					if b.Segments[i] != segment || b.Positions[i] != place {
						t.Fatalf("input %d: segment %d, position %d; want %d, %d", i, b.Segments[i], b.Positions[i], segment, place)
					}
					place++
					ends := b.Inputs[i] == enc.EndOfText()
					if ends != (b.Targets[i] == Ignore) {
						t.Fatalf("input %d is %d, its target %d", i, b.Inputs[i], b.Targets[i])
					}
					if ends {
						segment++
						place = 0
					} else {
						counted++
					}
				}
			}
			if counted != b.Counted {
				t.Fatalf("counted %d, want %d", b.Counted, counted)
			}
		}
	}
}

func TestLoaderErrors(t *testing.T) {
	set := newSet(t, byteEncoder{}, 100, "seven b")
	for _, test := range []struct {
		cfg  LoaderConfig
		want []string
	}{
		{LoaderConfig{Shape: Shape{Batch: 1, Context: 8}}, []string{"has 8 tokens", "context length 8 needs 9", "shorten the context"}},
		{LoaderConfig{Shape: Shape{Batch: 0, Context: 4}}, []string{"batch size 0"}},
		{LoaderConfig{Shape: Shape{Batch: 1, Context: 0}}, []string{"context length 0"}},
		{LoaderConfig{Shape: Shape{Batch: 1, Context: 4, Rank: 2, World: 2}}, []string{"rank 2", "world of 2"}},
		{LoaderConfig{Shape: Shape{Batch: 1, Context: 4, VocabSize: 256}}, []string{"vocabulary of 257, the model has 256"}},
	} {
		_, err := NewLoader(set, test.cfg)
		wantError(t, err, test.want...)
	}
	l := newLoader(t, set, LoaderConfig{Shape: Shape{Batch: 1, Context: 7}})
	wantError(t, l.Fill(&Batch{Inputs: make([]int32, 7)}, 0), "make it with NewBatch")
}

func TestFillAllocatesNothing(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(200)...)
	shape := Shape{Batch: 4, Context: 32, DocumentMask: true}
	l := newLoader(t, set, LoaderConfig{shape, 1})
	e, err := NewEval(set, shape, byteEncoder{})
	if err != nil {
		t.Fatal(err)
	}
	b := l.NewBatch()
	position := uint64(0)
	for name, source := range map[string]Source{"loader": l, "eval": e} {
		if n := testing.AllocsPerRun(100, func() {
			if err := source.Fill(b, position%64); err != nil {
				t.Error(err)
			}
			position += 4
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
