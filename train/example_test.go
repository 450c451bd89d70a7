package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe/all"
)

// A model is configured, trained on a text, loaded from its checkpoint and asked to go
// on with a line.
func Example() {
	dir, err := os.MkdirTemp("", "train")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	poem := strings.Repeat("twinkle, twinkle, little star, how I wonder what you are.\n", 40)
	if err := os.WriteFile(filepath.Join(dir, "poem.txt"), []byte(poem), 0o666); err != nil {
		log.Fatal(err)
	}

	table := all.Table()
	cfg, err := config.Parse("poem.yaml", []byte(fmt.Sprintf(`
run:       {dir: %q}
model:     {family: llama, layers: 1, heads: 2, width: 32, context: 32}
tokenizer: {kind: bytes}
data:      {train: [%q], validation: 0.1}
train:     {steps: 60, batch: 8, eval_every: 30, save_every: 60}
optimizer: {kind: adamw, lr: 1e-2, warmup: 5}
`, filepath.Join(dir, "run"), filepath.Join(dir, "poem.txt"))), table.Config())
	if err != nil {
		log.Fatal(err)
	}
	backend, err := cpu.New(cpu.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
	var losses []float64
	result, err := train.Train(context.Background(), cfg, train.Deps{
		Backend: backend, Table: table, FS: vfs.OS{}, Now: time.Now,
		Listener: events.Listener{Step: func(s events.Step) { losses = append(losses, s.Record.Get("nll")) }},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("steps:", result.Steps, "learnt:", losses[len(losses)-1] < losses[0]/4)

	loaded, err := hub.Load(filepath.Join(cfg.Run.Dir, "checkpoints", "latest"), "", backend, vfs.OS{}, table.Families)
	if err != nil {
		log.Fatal(err)
	}
	model, err := nn.AsLanguageModel(loaded.Model)
	if err != nil {
		log.Fatal(err)
	}
	generator, err := generate.New(model, loaded.Store, generate.Config{})
	if err != nil {
		log.Fatal(err)
	}
	prompt := loaded.Tokenizer.AppendEncode(nil, []byte("twinkle, twin"))
	text, err := generator.Generate(context.Background(), prompt, generate.Options{MaxTokens: 17}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", loaded.Tokenizer.AppendDecode(nil, text.Tokens))
	// Output:
	// steps: 60 learnt: true
	// kle, little star,
}
