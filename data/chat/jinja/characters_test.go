package jinja

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	stdhash "hash"
	"os"
	"testing"
)

// TestEveryCharacter calls methods of str on each character that Python knows; see
// scripts/golden/characters.py.
func TestEveryCharacter(t *testing.T) {
	raw, err := os.ReadFile("testdata/characters.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Assigned [][2]rune
		Chunk    int
		Methods  map[string][]string
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	for name, want := range golden.Methods {
		m := newMachine(context.Background(), Limits{Work: 1 << 40, Memory: 1 << 40})
		sums := make([]stdhash.Hash, len(want))
		for _, span := range golden.Assigned {
			for c := span[0]; c <= span[1]; c++ {
				h := &sums[int(c)/golden.Chunk]
				if *h == nil {
					*h = sha256.New()
				}
				(*h).Write(append([]byte(m.str(strMethods[name].call(m, string(c), callArgs{}))), 0))
			}
		}
		for i, h := range sums {
			got := ""
			if h != nil {
				got = fmt.Sprintf("%x", h.Sum(nil))[:8]
			}
			if got != want[i] {
				t.Errorf("%s() differs in U+%04X to U+%04X", name, i*golden.Chunk, (i+1)*golden.Chunk-1)
			}
		}
	}
	if len(golden.Methods) < 18 {
		t.Errorf("only %d methods", len(golden.Methods))
	}
}
