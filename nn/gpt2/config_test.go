package gpt2_test

import (
	"strings"
	"testing"

	"example.com/gotrain/nn/gpt2"
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

// TestHeadsFillTheWidth: each number of heads, one too, wants heads of width / heads.
func TestHeadsFillTheWidth(t *testing.T) {
	for heads, size := range map[int]int{1: 12, 2: 24, 3: 12, 4: 5} {
		c := gpt2.Config{Layers: 1, Heads: heads, HeadDim: size, Width: 24, Context: 8, Vocab: 8}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "head_dim") {
			t.Errorf("%d heads of %d: %v", heads, size, err)
		}
	}
	c := gpt2.Config{Layers: 1, Heads: 1, HeadDim: 24, Width: 24, Context: 8, Vocab: 8}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
