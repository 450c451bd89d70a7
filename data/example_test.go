package data_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
)

// encoder adds to a tokenizer what only its user knows: which tokens begin and end a document.
type encoder struct{ *bpe.Tokenizer }

func (e encoder) VocabSize() int       { return e.Vocab() }
func (e encoder) BeginOfText() []int32 { return nil }

func (e encoder) EndOfText() int32 {
	id, _ := e.Special(bpe.EndOfText)
	return id
}

// From text to the first batch.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	text := "{\"text\": \"To be, or not to be\"}\n{\"text\": \"that is the question\"}\n"
	if err := os.WriteFile(filepath.Join(dir, "text.jsonl"), []byte(text), 0o666); err != nil {
		log.Fatal(err)
	}
	tokenizer, err := bpe.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	enc := encoder{tokenizer}
	cfg := data.Config{Paths: []string{dir + "/**/*.jsonl"}, Format: data.FormatJSONL, CacheDir: filepath.Join(dir, "cache")}
	prepared, err := data.Prepare(context.Background(), cfg, enc, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer prepared.Close()
	fmt.Println(prepared.Train.Tokens(), "tokens,", prepared.Train.Documents(), "documents")

	shape := data.Sequences{Rows: data.Rows{Batch: 2}, Context: 8}
	loader, err := data.NewLoader(prepared.Train, data.LoaderConfig{Sequences: shape, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	batches := data.NewPrefetch(loader, 0, 2)
	defer batches.Close()
	batch, err := batches.Next()
	if err != nil {
		log.Fatal(err)
	}
	for row := range shape.Batch {
		fmt.Printf("%q\n", tokenizer.AppendDecode(nil, batch.Ints[data.IDs][row*shape.Context:][:shape.Context]))
	}
	// Output:
	// 41 tokens, 2 documents
	// "t to be<|endoftext|>"
	// "the ques"
}
