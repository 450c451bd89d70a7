package generate_test

import (
	"testing"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/gpt2"
)

// BenchmarkGPT2 is the 124-million-parameter GPT-2 with random weights: a
// prompt of 512 tokens, and single tokens, which read every weight once (0.5 GB
// a token).
func BenchmarkGPT2(b *testing.B) {
	m, err := gpt2.New(gpt2.Config{Layers: 12, Heads: 12, Width: 768, Context: 1024, Vocab: 50257}, nn.Tuning{})
	if err != nil {
		b.Fatal(err)
	}
	backend, err := cpu.New(cpu.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer backend.Close()
	store := exec.NewStore(backend)
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			b.Fatal(err)
		}
	}
	if err := nn.Initialize(m.Params(), 1, store.WriteAt); err != nil {
		b.Fatal(err)
	}
	g, err := generate.New(m, store, generate.Config{})
	if err != nil {
		b.Fatal(err)
	}
	prompt := make([]int32, 512)
	for _, c := range []struct {
		name   string
		tokens []int32
	}{{"prompt", prompt}, {"token", prompt[:1]}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				g.Truncate(len(prompt) - len(c.tokens))
				if err := g.Append(c.tokens...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(c.tokens))/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkInitialize draws the weights of a 124-million-parameter GPT-2.
func BenchmarkInitialize(b *testing.B) {
	m, err := gpt2.New(gpt2.Config{Layers: 12, Heads: 12, Width: 768, Context: 1024, Vocab: 50257}, nn.Tuning{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(4 * nn.SizeOf(m).Params)
	for b.Loop() {
		if err := nn.Initialize(m.Params(), 1, func(string, int, []float32) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
