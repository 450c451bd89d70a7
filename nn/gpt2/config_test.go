package gpt2_test

import (
	"testing"

	"gotrain/nn/gpt2"
)

// TestDefaultWidths: heads share the width, one head as well, and the MLP has four times of
// it.
func TestDefaultWidths(t *testing.T) {
	for heads, width := range map[int]int{1: 24, 2: 12, 3: 8} {
		c := gpt2.Config{Layers: 1, Heads: heads, Width: 24, Context: 8, Vocab: 8}
		c.SetDefaults()
		if c.HeadDim != width || c.KVHeads != heads || c.FFN != 96 {
			t.Errorf("%d heads: %+v", heads, c)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%d heads: %v", heads, err)
		}
	}
}
