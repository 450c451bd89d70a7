package data

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/gotrain/autograd/mesh"
)

func ptr[T any](v T) *T { return &v }

// mixed is a mixture of sources of words, of some lengths and weights.
func mixed(t testing.TB, cfg LoaderConfig, lengths []int, weights ...float64) *Mixture {
	t.Helper()
	var parts []Part
	for i, n := range lengths {
		p := Part{Name: fmt.Sprintf("s%d", i), Prepared: &Prepared{Train: newSet(t, byteEncoder{}, 500, words(n)...)}}
		if len(weights) > 0 {
			p.Weight = weights[i]
		}
		parts = append(parts, p)
	}
	m, err := newMixture(parts, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Each source is read in its own order, without a gap, and its share of any stretch of samples is its weight.
func TestMixtureCounts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(rt, "sources")
		lengths, weights := make([]int, n), make([]float64, n)
		sum := 0.0
		for i := range n {
			lengths[i] = rapid.IntRange(5, 40).Draw(rt, "length")
			weights[i] = rapid.SampledFrom([]float64{0.001, 0.3, 1, 2, 7}).Draw(rt, "weight")
			sum += weights[i]
		}
		cfg := LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}, Seed: rapid.Uint64().Draw(rt, "seed")}
		m := mixed(t, cfg, lengths, weights...)
		position := rapid.OneOf(rapid.Uint64Max(100), rapid.Uint64Max(1<<62)).Draw(rt, "position")
		next := m.Drawn(position)
		for sample := position; sample < position+300; sample++ {
			source, number := m.at(sample)
			if number != next[source].Samples {
				rt.Fatalf("sample %d is number %d of source %d, want %d", sample, number, source, next[source].Samples)
			}
			next[source].Samples++
		}
		for i, d := range m.Drawn(position + 300) {
			if d != next[i] {
				rt.Fatalf("%d samples on, %+v are drawn, want %+v", 300, d, next[i])
			}
			got := float64(d.Samples - m.Drawn(position)[i].Samples)
			if want := 300 * weights[i] / sum; math.Abs(got-want) > float64(n) {
				rt.Fatalf("%g of 300 samples are of source %d, want %g", got, i, want)
			}
		}
	})
}

// Without weights a pass has each window of each source once.
func TestMixturePass(t *testing.T) {
	m := mixed(t, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}, Seed: 5}, []int{40, 3, 90})
	for pass := range uint64(3) {
		seen := map[string]int{}
		for sample := pass * m.Windows(); sample < (pass+1)*m.Windows(); sample++ {
			source, number := m.at(sample)
			l := m.loaders[source]
			e := l.epoch(number / l.windows)
			seen[fmt.Sprintf("%d of %d in pass %d", e.order.At(number%l.windows), source, number/l.windows)]++
		}
		if len(seen) != int(m.Windows()) {
			t.Errorf("pass %d has %d windows of %d", pass, len(seen), m.Windows())
		}
		for _, d := range m.Drawn(m.Windows() * (pass + 1)) {
			if d.Samples != d.Windows*(pass+1) {
				t.Errorf("after pass %d %s has given %d of %d", pass, d.Name, d.Samples, d.Windows)
			}
		}
	}
}

// Sources of one length are read in orders of their own.
func TestMixtureOrders(t *testing.T) {
	m := mixed(t, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}, Seed: 5}, []int{90, 90})
	a, b := m.loaders[0].epoch(0), m.loaders[1].epoch(0)
	same := 0
	for i := range m.loaders[0].windows {
		if a.order.At(i) == b.order.At(i) {
			same++
		}
	}
	if same > int(m.loaders[0].windows)/4 {
		t.Errorf("%d of %d windows are at the same place in both orders", same, m.loaders[0].windows)
	}
}

// A row depends on the seed and its global sample alone: ranks together have what one process has.
func TestMixturePurity(t *testing.T) {
	size := Sequences{Rows: Rows{Batch: 6, Samples: 6}, Context: 8, DocumentMask: true}
	one := mixed(t, LoaderConfig{Sequences: size, Seed: 3}, []int{40, 90, 30}, 1, 2, 4)
	other := mixed(t, LoaderConfig{Sequences: size, Seed: 4}, []int{40, 90, 30}, 1, 2, 4)
	whole, differs := one.NewBatch(), other.NewBatch()
	for _, position := range []uint64{6, 0, 1 << 40} {
		if err := one.Fill(whole, position); err != nil {
			t.Fatal(err)
		}
		if err := other.Fill(differs, position); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(whole.Ints[IDs], differs.Ints[IDs]) {
			t.Error("another seed gives the same batch")
		}
		var ids []int32
		weight := 0.0
		for rank := range 2 {
			size.Batch, size.Rank = 4, mesh.Of(rank, 2)
			m := mixed(t, LoaderConfig{Sequences: size, Seed: 3}, []int{40, 90, 30}, 1, 2, 4)
			b := m.NewBatch()
			if err := m.Fill(b, position); err != nil {
				t.Fatal(err)
			}
			ids, weight = append(ids, b.Ints[IDs][:3*8]...), weight+b.Weight
			if b.From[3] != (Origin{}) || b.Ints[Targets][3*8] != Ignore {
				t.Error("a row without a sample has one")
			}
		}
		if !slices.Equal(ids, whole.Ints[IDs]) || weight != whole.Weight {
			t.Errorf("at %d two ranks have other rows than one process", position)
		}
	}
	if allocs := testing.AllocsPerRun(10, func() {
		if err := one.Fill(whole, 12); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("filling a batch allocates %g times", allocs)
	}
}

// sourcesDir has a file of text, one of JSON Lines and one of Parquet-like columns, as sources.
func sourcesDir(t *testing.T) Config {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 400 {
		fmt.Fprintf(&lines, "{\"body\": \"record %d of wiki\"}\n", i)
	}
	writeFile(t, filepath.Join(dir, "wiki", "a.jsonl"), []byte(lines.String()))
	writeFile(t, filepath.Join(dir, "book.txt"), prose(30_000))
	writeFile(t, filepath.Join(dir, "held.txt"), []byte("held out text"))
	return Config{
		CacheDir: filepath.Join(dir, "cache"), Validation: 0.1,
		Sources: []SourceConfig{
			{Paths: []string{dir + "/wiki/*.jsonl"}, TextKey: "body", Weight: ptr(3.0)},
			{Paths: []string{dir + "/book.txt"}, ValidationPaths: []string{dir + "/held.txt"}, Weight: ptr(1.0)},
		},
	}
}

// TestPrepareSources: sources have their own format, key, held-out part and place in the cache, and one that stands beside
// another is not made again.
func TestPrepareSources(t *testing.T) {
	cfg, enc := sourcesDir(t), byteEncoder{}
	alone := cfg
	alone.Sources = alone.Sources[:1]
	alone.Sources[0].Weight = nil
	first, err := Prepare(context.Background(), alone, enc, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	cfg.Sources[0].Weight = ptr(3.0)
	p, err := Prepare(context.Background(), cfg, enc, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Reused || !p.Parts[0].Reused || p.Parts[1].Reused || p.Parts[0].Name != "wiki" || p.Parts[1].Name != "book" {
		t.Errorf("%+v", p.Parts)
	}
	if held := decode(p.Validation, enc); !strings.HasSuffix(held, "held out text¶") || !strings.Contains(held, "of wiki¶") {
		t.Errorf("held out is %q", held)
	}
	if n := p.Parts[0].Train.Documents() + p.Parts[0].Validation.Documents(); n != 400 || p.Train.Tokens() != p.Parts[0].Train.Tokens()+p.Parts[1].Train.Tokens() {
		t.Errorf("%d records, %d tokens", n, p.Train.Tokens())
	}
	b, err := p.Batches(LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 16}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range b.(*Mixture).Drawn(4000) {
		if want := map[string]uint64{"wiki": 3000, "book": 1000}[d.Name]; max(d.Samples, want)-min(d.Samples, want) > 1 {
			t.Errorf("%s has %d of 4000 samples", d.Name, d.Samples)
		}
	}
	// A run that goes on, with these sources or one more, finds their shards and keeps their sides.
	path := filepath.Join(t.TempDir(), "ledger")
	if err := p.Ledger.save(path); err != nil {
		t.Fatal(err)
	}
	if cfg.Known, err = ReadLedger(path); err != nil {
		t.Fatal(err)
	}
	more := filepath.Join(t.TempDir(), "more.txt")
	writeFile(t, more, []byte("more text"))
	cfg.Sources = append(cfg.Sources, SourceConfig{Paths: []string{more}, Validation: ptr(0.0), Weight: ptr(1.0)})
	again, err := Prepare(context.Background(), cfg, enc, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.Parts[0].Reused || !again.Parts[1].Reused || again.Parts[2].Reused || again.Ledger.Plain == p.Ledger.Plain {
		t.Error("a source that is there is made again")
	}
	// Equal records are one text; the book and what is held out of its source are two files, and one is new.
	if want := (Kept{Known: p.Ledger.Len(), New: 1}); !reflect.DeepEqual(again.Ledger.Kept, want) {
		t.Errorf("the run is told %+v, want %+v", again.Ledger.Kept, want)
	}
}

// A text that one source holds out and another trains on is counted.
func TestLeakedBetweenSources(t *testing.T) {
	cfg := sourcesDir(t)
	cfg.Sources[1] = SourceConfig{Paths: []string{filepath.Join(t.TempDir(), "copy.jsonl")}, Validation: ptr(0.0), TextKey: "body", Weight: ptr(1.0)}
	text, err := os.ReadFile(strings.Replace(cfg.Sources[0].Paths[0], "*", "a", 1))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, cfg.Sources[1].Paths[0], text[:bytes.LastIndexByte(text[:len(text)/2], '\n')])
	p, err := Prepare(context.Background(), cfg, byteEncoder{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want := 0
	for _, hash := range p.Parts[0].Ledger.hashes[Validation] {
		if side, ok := p.Parts[1].Ledger.Side(hash); ok && side == Train {
			want++
		}
	}
	if p.Ledger.Both != want || want == 0 {
		t.Errorf("%d texts leaked, want %d", p.Ledger.Both, want)
	}
}

// TestSourceFaults: contradictions are errors that name the source.
func TestSourceFaults(t *testing.T) {
	dir := t.TempDir()
	a, b := writeFile(t, filepath.Join(dir, "a.txt"), prose(3000)), writeFile(t, filepath.Join(dir, "b.txt"), prose(4000))
	copied := writeFile(t, filepath.Join(dir, "c.txt"), prose(3000))
	two := func(first, second SourceConfig) Config {
		return Config{Sources: []SourceConfig{first, second}, CacheDir: filepath.Join(dir, "cache")}
	}
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"both":        {Config{Paths: []string{a}, Sources: []SourceConfig{{Paths: []string{b}}}}, "train and sources are both set"},
		"held":        {Config{ValidationPaths: []string{a}, Sources: []SourceConfig{{Paths: []string{b}}}}, "validation_paths and sources are both set"},
		"weights":     {two(SourceConfig{Paths: []string{a}, Weight: ptr(1.0)}, SourceConfig{Paths: []string{b}}), "1 of 2 have a weight"},
		"zero":        {two(SourceConfig{Paths: []string{a}, Weight: ptr(0.0)}, SourceConfig{Paths: []string{b}, Weight: ptr(1.0)}), "sources[0]: weight 0 is not a positive number"},
		"nan":         {two(SourceConfig{Paths: []string{a}, Weight: ptr(math.NaN())}, SourceConfig{Paths: []string{b}, Weight: ptr(1.0)}), "weight NaN"},
		"names":       {two(SourceConfig{Name: "x", Paths: []string{a}}, SourceConfig{Name: "x", Paths: []string{b}}), `both called "x"`},
		"letters":     {two(SourceConfig{Name: "x y", Paths: []string{a}}, SourceConfig{Paths: []string{b}}), `the name "x y"`},
		"empty":       {two(SourceConfig{}, SourceConfig{Paths: []string{b}}), "sources[0]: train: no paths"},
		"format":      {two(SourceConfig{Paths: []string{a}, Format: "yaml"}, SourceConfig{Paths: []string{b}}), `sources[0]: format: unknown "yaml"`},
		"encoding":    {two(SourceConfig{Paths: []string{a}}, SourceConfig{Paths: []string{b}, Encoding: "klingon"}), "sources[1]: encoding"},
		"sides":       {two(SourceConfig{Paths: []string{a}, Validation: ptr(0.1), ValidationPaths: []string{b}}, SourceConfig{Paths: []string{b}}), "validation and validation_paths are both set"},
		"twice":       {two(SourceConfig{Paths: []string{a}}, SourceConfig{Paths: []string{a, b}}), "is in the sources a and a-2"},
		"leak":        {two(SourceConfig{Paths: []string{a}}, SourceConfig{Paths: []string{b}, ValidationPaths: []string{a}}), "source a: data: "},
		"copy":        {two(SourceConfig{Paths: []string{a}}, SourceConfig{Paths: []string{b}, ValidationPaths: []string{copied}}), "is a copy of the training file"},
		"prose":       {two(SourceConfig{Paths: []string{a}, Format: FormatJSONL}, SourceConfig{Paths: []string{b}}), "begins no JSON object"},
		"missing":     {two(SourceConfig{Paths: []string{a}}, SourceConfig{Paths: []string{dir + "/none.txt"}}), "none.txt"},
		"held by two": {two(SourceConfig{Paths: []string{a}, ValidationPaths: []string{copied}}, SourceConfig{Paths: []string{b}, ValidationPaths: []string{copied}}), "is in the sources a and b"},
	} {
		p, err := Prepare(context.Background(), test.cfg, byteEncoder{}, nil)
		if p != nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
