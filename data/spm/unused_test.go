package spm

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestUnusedPieces: a piece that is unused is joined, since others are made of it, and falls apart again where it is left; see
// scripts/golden/unused.py.
func TestUnusedPieces(t *testing.T) {
	raw, err := os.ReadFile("testdata/unused.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Unused []int
		Texts  []string
		IDs    [][]int32
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		cfg := load(t, "bpe").Config()
		cfg.Pieces = slices.Clone(cfg.Pieces)
		for _, id := range c.Unused {
			cfg.Pieces[id].Type = Unused
		}
		tok, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range c.Texts {
			if got := tok.AppendEncode(nil, []byte(text)); !slices.Equal(got, c.IDs[i]) {
				t.Errorf("%d unused: %q is %v, sentencepiece has %v", len(c.Unused), text, got, c.IDs[i])
			}
		}
	}
	if len(cases) < 4 {
		t.Errorf("only %d cases", len(cases))
	}
}
