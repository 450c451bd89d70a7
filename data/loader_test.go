package data

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/gotrain/autograd/mesh"
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
		size := Sequences{Rows: Rows{Batch: 1}, Context: rapid.IntRange(1, 70).Draw(rt, "context"), DocumentMask: rapid.Bool().Draw(rt, "mask")}
		seed := rapid.Uint64().Draw(rt, "seed")
		reference := newLoader(t, set, LoaderConfig{Sequences: size, Seed: seed})
		row := reference.NewBatch()

		ranks := rapid.IntRange(1, 5).Draw(rt, "ranks")
		size.Batch = rapid.IntRange(1, 6).Draw(rt, "batch")
		// All rows that fit, or as many as leave a rank less than another.
		total := size.Batch * ranks
		size.Samples = rapid.SampledFrom([]int{0, total - rapid.IntRange(0, ranks-1).Draw(rt, "missing")}).Draw(rt, "samples")
		next := uint64(0)
		position := rapid.OneOf(rapid.Uint64Max(500), rapid.Uint64Max(1<<62)).Draw(rt, "position")
		for rank := range ranks {
			size.Rank = mesh.Of(rank, ranks)
			first, rows := size.Share()
			if first != next || rows > size.Batch {
				rt.Fatalf("rank %d has %d samples from %d on, want them from %d on", rank, rows, first, next)
			}
			next = first + uint64(rows)
			l := newLoader(t, set, LoaderConfig{Sequences: size, Seed: seed})
			b := l.NewBatch()
			if err := l.Fill(b, position); err != nil {
				rt.Fatal(err)
			}
			counted := 0
			for j := rows; j < size.Batch; j++ {
				if slices.Max(b.Ints[Targets][j*size.Context:(j+1)*size.Context]) != Ignore {
					rt.Fatalf("rank %d, row %d is not of the step but has targets", rank, j)
				}
			}
			for j := range rows {
				sample := position + first + uint64(j)
				if err := reference.Fill(row, sample); err != nil {
					rt.Fatal(err)
				}
				lo, hi := j*size.Context, (j+1)*size.Context
				if !slices.Equal(b.Ints[IDs][lo:hi], row.Ints[IDs]) || !slices.Equal(b.Ints[Targets][lo:hi], row.Ints[Targets]) {
					rt.Fatalf("rank %d, row %d differs from sample %d", rank, j, sample)
				}
				if size.DocumentMask && (!slices.Equal(b.Ints[Segments][lo:hi], row.Ints[Segments]) || !slices.Equal(b.Ints[Positions][lo:hi], row.Ints[Positions])) {
					rt.Fatalf("rank %d, row %d: masks differ from sample %d", rank, j, sample)
				}
				counted += int(row.Weight)
			}
			if int(b.Weight) != counted || b.Position != position {
				rt.Fatalf("counted %d, want %d; position %d, want %d", int(b.Weight), counted, b.Position, position)
			}
		}
		if next != size.Stride() {
			rt.Fatalf("the ranks have %d samples of a step of %d", next, size.Stride())
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
func (e fixedEncoder) BeginOfText() []int32                       { return nil }
func (e fixedEncoder) EndOfText() int32                           { return int32(len(e)) }
func (e fixedEncoder) Fingerprint() string                        { return "fixed" }

// Within an epoch no target comes twice and all but less than two windows' worth come once; over epochs all come.
func TestLoaderEpochs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		context := rapid.IntRange(1, 8).Draw(rt, "context")
		n := rapid.IntRange(context+1, 120).Draw(rt, "tokens")
		l := newLoader(t, countingSet(t, n), LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: context}, Seed: rapid.Uint64().Draw(rt, "seed")})
		b := l.NewBatch()
		ever := make([]bool, n)
		const epochs = 300
		for epoch := range uint64(epochs) {
			seen := make([]bool, n)
			for i := range l.Windows() {
				if err := l.Fill(b, epoch*l.Windows()+i); err != nil {
					rt.Fatal(err)
				}
				for k, target := range b.Ints[Targets] {
					if target != b.Ints[IDs][k]+1 || k > 0 && b.Ints[IDs][k] != b.Ints[IDs][k-1]+1 {
						rt.Fatalf("inputs %v, targets %v", b.Ints[IDs], b.Ints[Targets])
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
		l := newLoader(t, set, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}, Seed: seed})
		b := l.NewBatch()
		if err := l.Fill(b, position); err != nil {
			t.Fatal(err)
		}
		return b.Ints[IDs][0]
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
		l := newLoader(t, set, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 3}, Context: context, DocumentMask: true}, Seed: 7})
		b := l.NewBatch()
		for position := range 2 * l.Windows() {
			if err := l.Fill(b, position); err != nil {
				t.Fatal(err)
			}
			counted := 0
			for row := range 3 {
				segment, place := int32(0), int32(0)
				for i := row * context; i < (row+1)*context; i++ {
					if b.Ints[Segments][i] != segment || b.Ints[Positions][i] != place {
						t.Fatalf("input %d: segment %d, position %d; want %d, %d", i, b.Ints[Segments][i], b.Ints[Positions][i], segment, place)
					}
					place++
					ends := b.Ints[IDs][i] == enc.EndOfText()
					if ends != (b.Ints[Targets][i] == Ignore) {
						t.Fatalf("input %d is %d, its target %d", i, b.Ints[IDs][i], b.Ints[Targets][i])
					}
					if ends {
						segment++
						place = 0
					} else {
						counted++
					}
				}
			}
			if counted != int(b.Weight) {
				t.Fatalf("counted %d, want %d", int(b.Weight), counted)
			}
		}
	}
}

// The origin of a row is the shard and the place in it of its first token.
func TestOrigins(t *testing.T) {
	set := newSet(t, byteEncoder{}, 37, words(60)...)
	size := Sequences{Rows: Rows{Batch: 3}, Context: 8}
	e, err := NewEval(set, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := newLoader(t, set, LoaderConfig{Sequences: size, Seed: 7})
	seen := map[string]bool{}
	for _, source := range []Source{l, e} {
		b := source.NewBatch()
		for position := uint64(0); position < 30; position += 3 {
			if err := source.Fill(b, position); err != nil {
				t.Fatal(err)
			}
			for row, from := range b.From {
				found := false
				for _, shard := range set.Shards() {
					if shard.Path() == from.File {
						first := make([]int32, 1)
						shard.read(first, from.Offset)
						found = first[0] == b.Ints[IDs][row*8]
						// A token alone may be at many places: compare as many as the shard holds.
						rest := make([]int32, min(8, shard.Tokens-from.Offset))
						shard.read(rest, from.Offset)
						found = found && slices.Equal(rest, b.Ints[IDs][row*8:row*8+len(rest)])
					}
				}
				if seen[from.File] = true; !found {
					t.Errorf("position %d, row %d: its tokens are not those of %v", position, row, from)
				}
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("the rows are from %d shards", len(seen))
	}
}

func TestLoaderErrors(t *testing.T) {
	set := newSet(t, byteEncoder{}, 100, "seven b")
	for _, test := range []struct {
		cfg  LoaderConfig
		want []string
	}{
		{LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}}, []string{"has 8 tokens", "context length 8 needs 9", "shorten the context"}},
		{LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 0}, Context: 4}}, []string{"batch size 0"}},
		{LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 0}}, []string{"context length 0"}},
		{LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1, Samples: 3, Rank: mesh.Of(1, 2)}, Context: 4}}, []string{"3 samples", "1 rows on each of 2 ranks"}},
		{LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 4, VocabSize: 256}}, []string{"vocabulary of 257, the model has 256"}},
	} {
		_, err := NewLoader(set, test.cfg)
		wantError(t, err, test.want...)
	}
	l := newLoader(t, set, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 7}})
	wantError(t, l.Fill(NewBatch(1, []Field{{IDs, Int32, []int{7}}}), 0), "make it with NewBatch")
}

func TestFillAllocatesNothing(t *testing.T) {
	set := newSet(t, byteEncoder{}, 500, words(200)...)
	size := Sequences{Rows: Rows{Batch: 4}, Context: 32, DocumentMask: true}
	l := newLoader(t, set, LoaderConfig{Sequences: size, Seed: 1})
	e, err := NewEval(set, size, byteEncoder{})
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

// TestFixedWindows: where the grid is fixed, each epoch has the same windows in another order.
func TestFixedWindows(t *testing.T) {
	l := newLoader(t, countingSet(t, 60), LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}, Seed: 5, Fixed: true})
	b := l.NewBatch()
	var first [3][]int32
	for epoch := range first {
		for i := range l.Windows() {
			if err := l.Fill(b, uint64(epoch)*l.Windows()+i); err != nil {
				t.Fatal(err)
			}
			first[epoch] = append(first[epoch], b.Ints[IDs][0])
		}
	}
	if slices.Equal(first[0], first[1]) && slices.Equal(first[1], first[2]) {
		t.Errorf("each epoch has the same order: %v", first)
	}
	for _, order := range first {
		slices.Sort(order)
		if !slices.Equal(order, first[0]) || order[0] != 0 || order[1] != 8 {
			t.Errorf("windows begin at %v", first)
		}
	}
}
