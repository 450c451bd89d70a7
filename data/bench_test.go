package data

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
)

// benchSet has about n tokens in documents of about a thousand.
func benchSet(b *testing.B, n int) *Set {
	document := strings.Repeat("abcdefghij", 100)
	documents := make([]string, n/len(document))
	for i := range documents {
		documents[i] = document[i%500:]
	}
	return newSet(b, byteEncoder{}, 4<<20, documents...)
}

// BenchmarkLoader fills batches of 32 × 1024; MB/s counts the int32 inputs and targets written.
func BenchmarkLoader(b *testing.B) {
	set := benchSet(b, 16<<20)
	for _, mask := range []bool{false, true} {
		b.Run(fmt.Sprintf("mask=%t", mask), func(b *testing.B) {
			shape := Sequences{Rows: Rows{Batch: 32}, Context: 1024, DocumentMask: mask}
			l, err := NewLoader(set, LoaderConfig{Sequences: shape, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			batch := l.NewBatch()
			b.SetBytes(int64(len(batch.Ints[IDs])) * 8)
			b.ReportAllocs()
			position := uint64(0)
			for b.Loop() {
				if err := l.Fill(batch, position); err != nil {
					b.Fatal(err)
				}
				position += l.Stride()
			}
		})
	}
}

// BenchmarkOpenShard verifies a file of 8 MB in the page cache.
func BenchmarkOpenShard(b *testing.B) {
	path := benchSet(b, 4<<20).Shards()[0].Path()
	b.SetBytes(8 << 20)
	for b.Loop() {
		s, err := OpenShard(path)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// bpeEncoder makes an Encoder of a tokenizer with an end-of-text token of id 256.
type bpeEncoder struct{ *bpe.Tokenizer }

func (e bpeEncoder) VocabSize() int     { return e.Vocab() }
func (bpeEncoder) BeginOfText() []int32 { return nil }

func (bpeEncoder) EndOfText() int32 { return 256 }

// BenchmarkPrepare tokenizes text to shards on disk; MB/s counts text. With byteEncoder this is the cost
// of all that is not tokenizing, most of it the disk's.
func BenchmarkPrepare(b *testing.B) {
	text := prose(8 << 20)
	var lines bytes.Buffer
	for _, paragraph := range bytes.SplitAfter(text, []byte("\n\n")) {
		line, err := json.Marshal(map[string]string{"text": string(paragraph)})
		if err != nil {
			b.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	dir := b.TempDir()
	writeFile(b, filepath.Join(dir, "a.txt"), text)
	writeFile(b, filepath.Join(dir, "a.jsonl"), lines.Bytes())
	tokenizer, err := bpe.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	for _, enc := range []Encoder{byteEncoder{}, bpeEncoder{tokenizer}} {
		for format, name := range map[Format]string{FormatText: "a.txt", FormatJSONL: "a.jsonl"} {
			b.Run(fmt.Sprintf("%T/%s/workers=%d", enc, format, runtime.GOMAXPROCS(0)), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				cfg := Config{Paths: []string{filepath.Join(dir, name)}, Format: format, Validation: 0.05}
				for b.Loop() {
					cfg.CacheDir = b.TempDir()
					p, err := Prepare(context.Background(), cfg, enc, nil)
					if err != nil {
						b.Fatal(err)
					}
					p.Close()
				}
			})
		}
	}
}

func BenchmarkStringField(b *testing.B) {
	line, err := json.Marshal(map[string]any{"id": 12345, "url": "https://example.org/a/b", "text": string(prose(5000))})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, err := stringField(line, "text"); err != nil {
			b.Fatal(err)
		}
	}
}
