//go:build gpu

package main

import (
	"fmt"
	"testing"

	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// TestCUDAShapes binds and captures the steps of models of every size, two layers of
// each, without running them: every launch is within the limits of the device and its
// kernels, every product is one that cuBLASLt has. scripts/cuda/test_sim.sh gives the
// simulator memory for them, and one chip after the other.
func TestCUDAShapes(t *testing.T) {
	d, err := device.Find("cuda", 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.Card.Memory < 200<<30 {
		t.Skip("the device has too little memory for the largest: CUDASIM_MEMORY=256")
	}
	gpt := func(heads, width, context, vocab int) func(*config.Config) error {
		return func(c *config.Config) error {
			return c.Model.Set(gpt2.Name, &gpt2.Config{Layers: 2, Heads: heads, Width: width, Context: context, Vocab: vocab, Dropout: 0.1})
		}
	}
	grouped := func(heads, kv, width, context, vocab int) func(*config.Config) error {
		return func(c *config.Config) error {
			return c.Model.Set(llama.Name, &llama.Config{Layers: 2, Heads: heads, KVHeads: kv, Width: width, Context: context, Vocab: vocab})
		}
	}
	for _, c := range []struct {
		name  string
		model func(*config.Config) error
		batch int
		set   func(*config.Config)
	}{
		{"gpt2 124M", gpt(12, 768, 1024, 50304), 32, nil},
		{"gpt2 124M of 24576 tokens", gpt(12, 768, 1024, 24576), 4, nil}, // a row of logits of 48 KiB
		{"gpt2 1558M", gpt(25, 1600, 1024, 50304), 16, nil},
		{"norms of 6144", gpt(48, 6144, 512, 50257), 2, nil},
		{"llama 8B", grouped(32, 8, 4096, 8192, 128256), 2, nil},
		{"llama 8B, long", grouped(32, 8, 4096, 131072, 128256), 1, nil},
		{"heads of 256", grouped(8, 4, 2048, 2048, 32000), 4, nil},
		{"heads of 160", gpt(8, 1280, 77, 49408), 16, nil},
		{"odd", gpt(3, 57, 65, 1019), 3, nil},
		{"muon", grouped(16, 4, 1024, 1024, 32000), 8, func(c *config.Config) { c.Optimizer.Kind = "muon" }},
		{"recomputed", gpt(12, 768, 1024, 50304), 8, func(c *config.Config) { c.Train.Recompute, c.Train.DocumentMask = true, true }},
	} {
		for _, precision := range []string{"bfloat16", "float32"} {
			t.Run(fmt.Sprint(c.name, " ", precision), func(t *testing.T) {
				cfg := config.Default(tables())
				if err := c.model(&cfg); err != nil {
					t.Fatal(err)
				}
				cfg.Train.Batch, cfg.Precision, cfg.Train.Sample = c.batch, precision, ""
				if c.set != nil {
					c.set(&cfg)
				}
				job, err := table().Design(t.Context(), recipe.Env{Config: cfg})
				if err != nil {
					t.Fatal(err)
				}
				target, err := d.Target()
				if err != nil {
					t.Fatal(err)
				}
				programs, err := engine.Compile(cfg, job, target)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range programs.All() {
					if err := d.Card.Check(p, "mma"); err != nil {
						t.Skip(err) // which plan --card says, too
					}
				}
				b, err := d.Open()
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				nothing := func([]*plan.Plan) error { return nil } // a choice would run each product once
				if _, err := engine.NewChoosing(cfg, job, b, ranks.Coordinate(nil), nothing); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
