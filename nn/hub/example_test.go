package hub_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/zoo"
)

// A model is made, saved as transformers reads it, loaded and asked to go on with a
// text.
func Example() {
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tokens, err := bpe.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	model, err := gpt2.New(gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: 32, Vocab: tokens.Vocab()}, nn.Tuning{})
	if err != nil {
		log.Fatal(err)
	}
	backend, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			log.Fatal(err)
		}
	}
	if err := nn.Initialize(model.Params(), 1337, store.WriteAt); err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "model")
	if err := hub.Save(vfs.OS{}, path, model, store, tokens); err != nil {
		log.Fatal(err)
	}

	loaded, err := hub.Load(path, "", backend, vfs.OS{}, zoo.Families())
	if err != nil {
		log.Fatal(err)
	}
	speaker, err := nn.AsLanguageModel(loaded.Model)
	if err != nil {
		log.Fatal(err)
	}
	generator, err := generate.New(speaker, loaded.Store, generate.Config{})
	if err != nil {
		log.Fatal(err)
	}
	prompt := loaded.Tokenizer.AppendEncode(nil, []byte("light"))
	text, err := generator.Generate(context.Background(), prompt, generate.Options{MaxTokens: 8, Stop: loaded.EndTokens()}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(speaker.Family(), len(prompt), len(text.Tokens), text.Reason)
	// Output: gpt2 5 8 length
}
