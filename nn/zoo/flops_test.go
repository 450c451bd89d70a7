package zoo_test

import (
	"math"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
)

// TestFLOPs holds the arithmetic of a token that `gotrain plan` shows and the model
// FLOPs utilization is made of.
func TestFLOPs(t *testing.T) {
	tied, untied := true, false
	gpt := gpt2.Config{Layers: 12, Heads: 12, Width: 768, Context: 1024, Vocab: 50257}                                     // configs/gpt2-124m.yaml
	rope := llama.Config{Layers: 14, Heads: 8, KVHeads: 4, Width: 512, FFN: 1408, Context: 512, Vocab: 32000, Tied: &tied} // configs/llama-60m.yaml
	// 2·4·512·(512+512) in the layers, 4096·512 in the head; three products of each.
	recurrent := lstm.Config{Layers: 2, Width: 512, Context: 128, Vocab: 4096, Tied: &untied}
	window, separate := rope, rope
	window.SlidingWindow, separate.Tied = 100, &untied
	build := func(config any, tuning nn.Tuning) (m nn.LanguageModel, err error) {
		if c, ok := config.(gpt2.Config); ok {
			return gpt2.New(c, tuning)
		}
		if c, ok := config.(lstm.Config); ok {
			return lstm.New(c, tuning)
		}
		return llama.New(config.(llama.Config), tuning)
	}
	for _, c := range []struct {
		name        string
		config      any
		tuning      nn.Tuning
		length      int
		exact, sixN float64
	}{
		{"gpt2-124m", gpt, nn.Tuning{}, 1024, 797870592, 741920256},
		{"gpt2-124m, half the context", gpt, nn.Tuning{}, 512, 769559040, 741920256},
		{"gpt2-124m, tables and 3 blocks frozen", gpt, nn.Tuning{Freeze: []string{"transformer.wte.*", "transformer.wpe.*", "transformer.h.0.*", "transformer.h.1.*", "transformer.h.2.*"}}, 1024, 626294784, 741920256},
		{"gpt2-124m, 6 blocks frozen behind trained tables", gpt, nn.Tuning{Freeze: []string{"transformer.h.[0-5].*"}}, 1024, 712935936, 741920256},
		{"gpt2-124m, adapters", gpt, nn.Tuning{Adapter: nn.Adapter{Rank: 8, Targets: []string{"c_attn"}}}, 1024, 549024768, 743689728},
		{"lstm", recurrent, nn.Tuning{}, 128, 6 * (4194304 + 2097152), 6 * (4194304 + 2097152 + 2*2*2048)},
		{"lstm, shorter", recurrent, nn.Tuning{}, 16, 6 * (4194304 + 2097152), 6 * (4194304 + 2097152 + 2*2*2048)},
		{"llama-60m", rope, nn.Tuning{}, 512, 368093184, 346119168},
		{"llama-60m, window", window, nn.Tuning{}, 512, 353800080, 346119168},
		{"llama-60m, untied", separate, nn.Tuning{}, 512, 368093184, 346119168},
		{"llama-60m, adapters", rope, nn.Tuning{Adapter: nn.Adapter{Rank: 8, Targets: []string{"q_proj", "v_proj"}}}, 512, 252889088, 347323392},
	} {
		m, err := build(c.config, c.tuning)
		if err != nil {
			t.Fatal(err)
		}
		if got := nn.FLOPsPerToken(m, c.length); math.Abs(got.Exact-c.exact) > 1e-3 || got.SixN != c.sixN {
			t.Errorf("%s: %.4f FLOPs a token and 6N %.0f, want %.0f and %.0f", c.name, got.Exact, got.SixN, c.exact, c.sixN)
		}
	}
}
