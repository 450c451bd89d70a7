package bleu

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// TestGolden holds scores, tokens and signatures against sacrebleu.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Signature     string
		ChrFSignature string `json:"chrf_signature"`
		Corpora       []struct {
			Texts, References []string
			BLEU, ChrF        float64
		}
		Tokens [][2]string
	}
	if err := json.Unmarshal(text, &golden); err != nil || len(golden.Corpora) < 10 || len(golden.Tokens) < 10 {
		t.Fatalf("%d corpora, %v", len(golden.Corpora), err)
	}
	if golden.Signature != Signature || golden.ChrFSignature != ChrFSignature {
		t.Errorf("signatures %q, %q", golden.Signature, golden.ChrFSignature)
	}
	for _, tokens := range golden.Tokens {
		if got := strings.Join(Tokenize(tokens[0]), " "); got != tokens[1] {
			t.Errorf("%q: %q, want %q", tokens[0], got, tokens[1])
		}
	}
	for i, corpus := range golden.Corpora {
		var c Corpus
		for j, text := range corpus.Texts {
			c.Add(text, corpus.References[j])
		}
		if got := c.BLEU(); math.Abs(got-corpus.BLEU) > 1e-6 {
			t.Errorf("corpus %d: BLEU %g, want %g", i, got, corpus.BLEU)
		}
		if got := c.ChrF(); math.Abs(got-corpus.ChrF) > 1e-6 {
			t.Errorf("corpus %d: chrF %g, want %g", i, got, corpus.ChrF)
		}
	}
	var none Corpus
	if none.BLEU() != 0 || none.ChrF() != 0 {
		t.Error("no texts have a score")
	}
}
