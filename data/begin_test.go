package data

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// framedEncoder begins documents with tokens of their own, 257 and 258.
type framedEncoder struct{ byteEncoder }

func (framedEncoder) BeginOfText() []int32 { return []int32{257, 258} }
func (framedEncoder) VocabSize() int       { return 259 }
func (framedEncoder) TokenBytes(id int32) []byte {
	if id > 256 {
		return []byte("<begin>")
	}
	return byteEncoder{}.TokenBytes(id)
}

// Each document begins with what its tokenizer puts there, once however many pieces it comes in; shards with and without are
// different data.
func TestDocumentsBegin(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("a line of text\n\n", maxPiece/16) + "b"
	cfg := Config{Paths: []string{writeFile(t, filepath.Join(dir, "a.txt"), []byte("one")), writeFile(t, filepath.Join(dir, "b.txt"), []byte(long))}, CacheDir: filepath.Join(dir, "cache"), ShardTokens: 300_000}
	p := mustPrepare(t, cfg, framedEncoder{})
	got := make([]int32, p.Train.Tokens())
	p.Train.Read(got, 0)
	var want []int32
	for _, text := range []string{"one", long} {
		want = append(want, 257, 258)
		want = append(byteEncoder{}.AppendEncode(want, []byte(text)), 256)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d tokens, want %d: %v", len(got), len(want), got[:min(len(got), 20)])
	}
	if p.Train.TextBytes() != int64(len("one")+len(long)) || p.Train.Documents() != 2 || !slices.Equal(p.Train.BeginOfText(), []int32{257, 258}) {
		t.Errorf("%d bytes, %d documents, begin %v", p.Train.TextBytes(), p.Train.Documents(), p.Train.BeginOfText())
	}
	plain := mustPrepare(t, cfg, byteEncoder{})
	if plain.Dir == p.Dir || plain.Reused || plain.Train.Tokens() != p.Train.Tokens()-4 {
		t.Errorf("%s and %s, %d tokens", plain.Dir, p.Dir, plain.Train.Tokens())
	}
	shards := Config{Format: FormatShards, Paths: []string{filepath.Join(p.Dir, "*.gtsh")}}
	if _, err := Prepare(t.Context(), shards, byteEncoder{}, nil); err == nil || !strings.Contains(err.Error(), "begin with tokens [257 258], those of the run with []") {
		t.Error(err)
	}
}

// What begins a document is no target, in training and in evaluation, with a mask or without; its bytes are none of the text.
func TestBeginsAreNoTargets(t *testing.T) {
	enc := framedEncoder{}
	w := newSetWriter(t.TempDir(), createVolatile, 7, Train, enc, "test")
	documents := []string{"ab", "", "c", "defgh"}
	var all []int32
	for _, text := range documents {
		tokens := append(enc.AppendEncode([]int32{257, 258}, []byte(text)), 256)
		all = append(all, tokens...)
		if err := w.add(tokens, len(text), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(w.dir, "*.gtsh"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := OpenSet(paths...)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for context := 1; context < 25; context++ {
		for _, mask := range []bool{false, true} {
			e, err := NewEval(set, Sequences{Rows: Rows{Batch: 2}, Context: context, DocumentMask: mask}, enc)
			if err != nil {
				t.Fatal(err)
			}
			b := e.NewBatch()
			var targets []int32
			counted, bytes := 0.0, int64(0)
			for position := uint64(0); e.Fill(b, position) != io.EOF; position += e.Stride() {
				targets = append(targets, b.Ints[Targets]...)
				counted += b.Weight
				bytes += b.TextBytes
			}
			want := 0
			for i := range targets {
				target := Ignore
				if i+1 < len(all) && all[i+1] < 257 {
					target = all[i+1]
					want++
				}
				if targets[i] != target {
					t.Fatalf("context %d, mask %t: target %d is %d, want %d", context, mask, i, targets[i], target)
				}
			}
			if int(counted) != want || bytes != int64(len("abcdefgh")) {
				t.Errorf("context %d, mask %t: %v counted, want %d; %d bytes", context, mask, counted, want, bytes)
			}
			if context > len(all)-1 {
				continue
			}
			l, err := NewLoader(set, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 3}, Context: context, DocumentMask: mask}, Seed: 5})
			if err != nil {
				t.Fatal(err)
			}
			batch := l.NewBatch()
			if err := l.Fill(batch, 0); err != nil {
				t.Fatal(err)
			}
			here := 0
			for _, target := range batch.Ints[Targets] {
				if target > 256 {
					t.Fatalf("context %d, mask %t: %d is a target", context, mask, target)
				}
				if target >= 0 {
					here++
				}
			}
			if here != int(batch.Weight) {
				t.Errorf("context %d, mask %t: %d targets, weight %v", context, mask, here, batch.Weight)
			}
		}
	}
}
