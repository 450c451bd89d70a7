package pairs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
)

// write puts files into a directory of the test.
func write(t testing.TB, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read are the pairs of a file as "source>target@offset", and the error that they end with.
func read(c Config, paths, targets []string) (list []string, err error) {
	for p, err := range c.Read(paths, targets, "") {
		if err != nil {
			return list, err
		}
		list = append(list, fmt.Sprintf("%s>%s@%d", p.Source, p.Target, p.Origin.Offset))
	}
	return list, nil
}

func TestRead(t *testing.T) {
	dir := write(t, map[string]string{
		"named.tsv":    "id\ttarget\tsource\n1\tzwei \"Worte\"\ttwo words\n\n2\tnein\tno\n",
		"numbered.tsv": "Gen 1\tin the beginning\ten el principio\nGen 2\tthe earth\tla tierra\n",
		"named.csv":    "source,target\n\"a, b\",\"c\nd\"\n",
		"flat.jsonl":   `{"source": "a", "target": "b"}` + "\n\n" + `{"source": "c", "target": "d", "more": 1}`,
		"deep.jsonl":   `{"translation": {"en": "yes", "de": "ja"}}`,
		"x.en":         "one\ntwo\n\nthree\r\n", "x.de": "eins\nzwei\n\ndrei",
	})
	type row struct {
		Source, Target string
	}
	if err := parquet.WriteFile(filepath.Join(dir, "p.parquet"), []row{{"a", "b"}, {"c", "d"}}); err != nil {
		t.Fatal(err)
	}
	at := func(name string) []string { return []string{filepath.Join(dir, name)} }
	for _, c := range []struct {
		file, targets, source, target string
		want                          string
	}{
		{"named.tsv", "", "source", "target", `two words>zwei "Worte"@2 no>nein@4`},
		{"numbered.tsv", "", "2", "3", "in the beginning>en el principio@1 the earth>la tierra@2"},
		{"named.csv", "", "source", "target", "a, b>c\nd@2"},
		{"flat.jsonl", "", "source", "target", "a>b@1 c>d@3"},
		{"deep.jsonl", "", "translation.en", "translation.de", "yes>ja@1"},
		{"p.parquet", "", "Source", "Target", "a>b@1 c>d@2"},
		{"x.en", "x.de", "source", "target", "one>eins@1 two>zwei@2 three>drei@4"},
	} {
		cfg := Default()
		cfg.Source, cfg.Target = c.source, c.target
		var targets []string
		if c.targets != "" {
			targets = at(c.targets)
		}
		got, err := read(cfg, at(c.file), targets)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v, want %q", c.file, got, err, c.want)
		}
	}
}

func TestReadFaults(t *testing.T) {
	if _, err := read(Default(), []string{"a", "b"}, []string{"c"}); err == nil || !strings.Contains(err.Error(), "1 files of targets for 2 files of sources") {
		t.Errorf("%v", err)
	}
	for want, c := range map[string]Config{
		"data.pairs.target is":    {Source: "a", Target: "a"},
		"name the key":            {Source: "a"},
		"both by number":          {Source: "1", Target: "b"},
		"data.pairs.max_pairs is": {Source: "a", Target: "b", MaxPairs: -1},
		"data.pairs.cipher is":    {Source: "a", Target: "b", Cipher: -1},
		"cipher and targets":      {Source: "a", Target: "b", Cipher: 3, Targets: []string{"x"}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// encoder has a token for each byte, and one that begins and ends a target.
func encoder(t testing.TB) Encoder {
	t.Helper()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	end, ok := tokens.Special(bpe.EndOfText)
	if !ok {
		t.Fatal("no end")
	}
	return Encoder{tokens, end, end}
}

// made yields n pairs of various lengths.
func made(n int) func(yield func(Pair, error) bool) {
	return func(yield func(Pair, error) bool) {
		for i := range n {
			source := strings.Repeat("ab", 1+i%5) + fmt.Sprint(i)
			if !yield(Pair{source, strings.ToUpper(source) + "!", data.Origin{File: "made", Offset: int64(i)}}, nil) {
				return
			}
		}
	}
}

// TestBuild: what is held out depends on the sources alone; long pairs are counted and named;
// what a run knows stays on its side.
func TestBuild(t *testing.T) {
	enc := encoder(t)
	train, held, ledger, err := Build(t.Context(), enc, 20, 0, Split{Fraction: 0.2}, made(200))
	if err != nil {
		t.Fatal(err)
	}
	if n := held.Len(); train.Len()+n != 200 || n < 20 || n > 60 {
		t.Errorf("%d trained on, %d held out", train.Len(), n)
	}
	if x := train.Example(0); enc.Text(x.Target) != "AB"+fmt.Sprint(x.Origin.Offset)+"!" && train.Len() == 0 {
		t.Errorf("%q", enc.Text(x.Target))
	}
	again, _, _, err := Build(t.Context(), enc, 20, 0, Split{Fraction: 0, Known: ledger}, made(200))
	if err != nil || again.Len() != 200 {
		t.Errorf("%d, %v", again.Len(), err)
	}
	// The run goes on with another fraction: every pair stays.
	kept, _, _, err := Build(t.Context(), enc, 20, 0, Split{Fraction: 0.5, Known: ledger}, made(200))
	if err != nil || kept.Len() != train.Len() {
		t.Errorf("%d of %d stay in training, %v", kept.Len(), train.Len(), err)
	}
	long, _, _, err := Build(t.Context(), enc, 8, 50, Split{}, made(200))
	if err != nil {
		t.Fatal(err)
	}
	if s := long.Stats(); s.Long != 30 || s.Pairs != 20 || s.LongFirst != "made:2" {
		t.Errorf("%+v", s)
	}
	if _, _, _, err := Build(t.Context(), enc, 2, 0, Split{}, made(9)); err == nil || !strings.Contains(err.Error(), "every pair has a side that is longer than a row of 2 tokens, the first of 9 at made:0") {
		t.Errorf("%v", err)
	}
	if _, _, _, err := Build(t.Context(), enc, 20, 0, Split{}, made(0)); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
	for _, fraction := range []float64{1e-9, 0.5 - 1e-9} {
		a, b, _, err := Build(t.Context(), enc, 20, 2, Split{Fraction: fraction}, made(2))
		if err != nil || a.Len() != 1 || b.Len() != 1 {
			t.Errorf("two pairs, %g held out: %d and %d, %v", fraction, a.Len(), b.Len(), err)
		}
	}
}

// TestLoader: a batch is a pure function of seed and position, whatever the number of ranks;
// an epoch has every pair once, beside its own source.
func TestLoader(t *testing.T) {
	enc := encoder(t)
	set, _, _, err := Build(t.Context(), enc, 24, 0, Split{}, made(57))
	if err != nil {
		t.Fatal(err)
	}
	size := data.Sequences{Rows: data.Rows{Batch: 4}, Context: 24, VocabSize: 257}
	l, err := NewLoader(set, data.LoaderConfig{Sequences: size, Seed: 3}, true, enc)
	if err != nil {
		t.Fatal(err)
	}
	rows := l.Epoch()
	if source, target := l.Density(24); rows >= 57 || source < 0.6 || target < 0.7 {
		t.Errorf("%d rows, full to %.2f and %.2f", rows, source, target)
	}
	var first []string
	for epoch := range 2 {
		var seen []string
		for row := range rows {
			b := l.NewBatch()
			if err := l.Fill(b, uint64(epoch*rows+row)); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, pairsOf(t, b, 24, enc)...)
		}
		order := slices.Clone(seen)
		slices.Sort(seen)
		if len(seen) != 57 || len(slices.Compact(slices.Clone(seen))) != 57 {
			t.Errorf("epoch %d has %d pairs", epoch, len(seen))
		}
		if epoch == 0 {
			first = order
		} else if slices.Equal(first, order) {
			t.Error("two epochs have one order")
		}
	}
	whole := l.NewBatch()
	if err := l.Fill(whole, 40); err != nil {
		t.Fatal(err)
	}
	for rank := range 2 {
		half := size
		place, err := mesh.New(rank, map[mesh.Axis]int{mesh.DP: 2})
		if err != nil {
			t.Fatal(err)
		}
		half.Rows = data.Rows{Batch: 2, Samples: 4, Rank: place}
		p, err := NewLoader(set, data.LoaderConfig{Sequences: half, Seed: 3}, true, enc)
		if err != nil {
			t.Fatal(err)
		}
		b := p.NewBatch()
		if err := p.Fill(b, 40); err != nil {
			t.Fatal(err)
		}
		for name, got := range b.Ints {
			if want := whole.Ints[name][rank*48:][:48]; !reflect.DeepEqual(got, want) {
				t.Errorf("rank %d: %s is %v, want %v", rank, name, got, want)
			}
		}
	}
}

// pairsOf are the pairs of the first row of a batch, each of whose tokens stands in its place.
func pairsOf(t *testing.T, b *data.Batch, length int, enc Encoder) (found []string) {
	t.Helper()
	for segment := int32(0); ; segment++ {
		var source, read, target []int32
		for i := range length {
			if b.Ints[SourceSegments][i] == segment {
				if b.Ints[SourcePositions][i] != int32(len(source)) {
					t.Errorf("position %d of a source is %d", len(source), b.Ints[SourcePositions][i])
				}
				source = append(source, b.Ints[SourceIDs][i])
			}
			if b.Ints[data.Segments][i] == segment {
				if b.Ints[data.Positions][i] != int32(len(target)) {
					t.Errorf("position %d of a target is %d", len(target), b.Ints[data.Positions][i])
				}
				read, target = append(read, b.Ints[data.IDs][i]), append(target, b.Ints[data.Targets][i])
			}
		}
		if len(source) == 0 && len(target) == 0 {
			return found
		}
		text := enc.Text(source)
		if got := enc.Text(target); got != strings.ToUpper(text)+"!" || read[0] != enc.Start || !slices.Equal(read[1:], target[:len(target)-1]) || target[len(target)-1] != enc.End {
			t.Errorf("%q beside %q: %v reads %v", text, got, target, read)
		}
		found = append(found, text)
	}
}

// TestEval covers a set once and counts its bytes.
func TestEval(t *testing.T) {
	enc := encoder(t)
	set, _, _, err := Build(t.Context(), enc, 24, 0, Split{}, made(57))
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEval(set, data.Sequences{Rows: data.Rows{Batch: 4}, Context: 24}, true, enc)
	if err != nil {
		t.Fatal(err)
	}
	weight, bytes := 0.0, int64(0)
	b := e.NewBatch()
	for at := uint64(0); ; at += e.Stride() {
		if err := e.Fill(b, at); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		weight, bytes = weight+b.Weight, bytes+b.TextBytes
	}
	if s := set.Stats(); weight != float64(s.TargetTokens) || bytes != s.TargetTokens-57 {
		t.Errorf("%g targets of %d bytes, want %d of %d", weight, bytes, s.TargetTokens, s.TargetTokens-57)
	}
}

// FuzzRead: whatever a file holds, reading ends with pairs that have both sides or with an
// error that names the file.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"source\ttarget\na\tb\n", "{\"source\":\"a\",\"target\":\"b\"}\n", "a,b\n\"x\"\"y\",z\n", "PAR1", "\xff\xfe", "{\"source\":{}}", "a\n\n\tb"} {
		f.Add([]byte(text), uint8(0))
		f.Add([]byte(text), uint8(1))
		f.Add([]byte(text), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, kind uint8) {
		name := []string{"x.tsv", "x.jsonl", "x.csv", "x.txt"}[kind%4]
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		var targets []string
		if kind%4 == 3 {
			targets = []string{path}
		}
		c := Default()
		if kind&4 != 0 {
			c.Source, c.Target = "1", "2"
		}
		for p, err := range c.Read([]string{path}, targets, "") {
			if err != nil {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("the error does not name the file: %v", err)
				}
				return
			}
			if strings.TrimSpace(p.Source) == "" || strings.TrimSpace(p.Target) == "" {
				t.Errorf("an empty side: %+v", p)
			}
		}
	})
}

// TestCounted: pairs that are too long are left out and counted, those whose target is their source stay and are counted;
// where all are too long, that is an error with a cure.
func TestCounted(t *testing.T) {
	list := func(pairs ...[2]string) func(func(Pair, error) bool) {
		return func(yield func(Pair, error) bool) {
			for i, p := range pairs {
				if !yield(Pair{p[0], p[1], data.Origin{File: "f", Offset: int64(i + 1)}}, nil) {
					return
				}
			}
		}
	}
	long := strings.Repeat("x", 9)
	set, _, _, err := Build(t.Context(), encoder(t), 8, 0, Split{}, list([2]string{"a", "b"}, [2]string{long, "b"}, [2]string{"same", "same"}, [2]string{"a", long}, [2]string{"c", "c"}))
	if err != nil {
		t.Fatal(err)
	}
	s := set.Stats()
	if s.Pairs != 3 || s.Long != 2 || s.LongFirst != "f:2" || s.Copies != 2 || s.CopiesFirst != "f:3" {
		t.Errorf("%+v", s)
	}
	_, _, _, err = Build(t.Context(), encoder(t), 8, 0, Split{}, list([2]string{long, long}, [2]string{"a", long}))
	if want := "pairs: every pair has a side that is longer than a row of 8 tokens, the first of 2 at f:1 (raise train.context and model.context, or cut the texts)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
