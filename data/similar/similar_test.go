package similar_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/similar"
)

// TestRougeAsRougeScore: scores and the kept set are those of rouge_score (scripts/golden/rouge.py).
func TestRougeAsRougeScore(t *testing.T) {
	raw, err := os.ReadFile("testdata/rouge.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Texts []string
		Rouge [][]float64
		Kept  []int
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	for i, a := range golden.Texts {
		for k, b := range golden.Texts {
			if got, want := similar.RougeL(a, b), golden.Rouge[i][k]; math.Abs(got-want) > 1e-6 {
				t.Errorf("%.40q and %.40q: %.9f, want %.9f", a, b, got, want)
			}
		}
	}
	var pool similar.Pool
	var kept []int
	for i, text := range golden.Texts {
		if number, rouge := pool.Nearest(text, 0.7); number < 0 {
			pool.Add(text)
			kept = append(kept, i)
		} else if want := golden.Rouge[i][kept[number]]; math.Abs(rouge-want) > 1e-6 {
			t.Errorf("text %d: %.9f with %d, want %.9f", i, rouge, kept[number], want)
		}
	}
	if !slices.Equal(kept, golden.Kept) {
		t.Errorf("kept %v, want %v", kept, golden.Kept)
	}
	// The nearest is that of the largest score, whatever is asked for.
	var all similar.Pool
	for _, text := range golden.Texts {
		all.Add(text)
	}
	for i, text := range golden.Texts {
		if number, rouge := all.Nearest(text, 0); number >= 0 && math.Abs(rouge-slices.Max(golden.Rouge[i])) > 1e-6 {
			t.Errorf("text %d: %.9f with %d, want %.9f", i, rouge, number, slices.Max(golden.Rouge[i]))
		}
	}
}

func TestNear(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	text := func(n int) []string {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprintf("w%d", draw.IntN(5000))
		}
		return words
	}
	var n similar.Near
	var texts [][]string
	for range 50 {
		texts = append(texts, text(200))
		n.Add(strings.Join(texts[len(texts)-1], " "))
	}
	for i, words := range texts {
		changed := slices.Clone(words)
		changed[draw.IntN(len(words))] = "changed" // five of 196 passages
		number, jaccard := n.Find(strings.ToUpper(strings.Join(changed, ", ")))
		if number != i || jaccard < 0.85 {
			t.Errorf("text %d: found %d, %.2f", i, number, jaccard)
		}
	}
	if number, jaccard := n.Find(strings.Join(text(200), " ")); number >= 0 && jaccard > 0.3 {
		t.Errorf("another text is near %d, %.2f", number, jaccard)
	}
	n.Add("短い文です")
	if number, jaccard := n.Find("短い文です。"); number != 50 || jaccard != 1 {
		t.Errorf("%d, %g", number, jaccard)
	}
	if number, _ := n.Find(""); number >= 0 {
		t.Errorf("nothing is near %d", number)
	}
}

func TestGrams(t *testing.T) {
	var g similar.Grams
	long := "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
	g.Add(long, "long.txt:1")
	g.Add("What is the square root of one hundred, please?", "short.jsonl:2")
	g.Add("too short to tell", "none")
	for _, c := range []struct{ text, where string }{
		{"It goes: Two, three four five six seven eight nine ten eleven twelve thirteen (fourteen)!", "long.txt:1"},
		{"two three four five six seven eight nine ten eleven twelve thirteen", ""},
		{"He asked what is the square root of one hundred please", "short.jsonl:2"},
		{"what is the square root of one", ""},
		{"this is too short to tell anything", ""},
	} {
		if passage, where := g.Find(c.text); where != c.where || (passage == "") != (where == "") {
			t.Errorf("%q: %q in %q, want %q", c.text, passage, where, c.where)
		}
	}
	if g.Len() != 3 {
		t.Errorf("%d passages", g.Len())
	}
}

// BenchmarkNearest compares a text of 15 words with 1,000.
func BenchmarkNearest(b *testing.B) {
	draw := rand.New(rand.NewPCG(3, 4))
	text := func() string {
		words := make([]string, 8+draw.IntN(15))
		for i := range words {
			words[i] = fmt.Sprintf("w%d", int(500*draw.ExpFloat64()))
		}
		return strings.Join(words, " ")
	}
	var pool similar.Pool
	for range 1000 {
		pool.Add(text())
	}
	asked := text()
	for b.Loop() {
		pool.Nearest(asked, 0.7)
	}
}
