package encode_test

import (
	"context"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/wordpiece"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/encode"
	"example.com/gotrain/nn/nntest"
)

// newModel is a BERT with all heads and random weights.
func newModel(t *testing.T, outputs nn.Outputs) (nn.TextEncoder, *exec.Store) {
	t.Helper()
	c := bert.Config{Layers: 2, Heads: 2, Width: 16, Context: 80, Vocab: 50}
	c.SetOutputs(outputs)
	m, err := bert.New(c, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return m, nntest.Random(t, m, 3, 1)
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-5 })
}

// TestReader: what is told of a row depends neither on the rows beside it nor on the length
// of the program, and the NLL is that of the logits.
func TestReader(t *testing.T) {
	m, store := newModel(t, nn.Outputs{Masked: true, Pooled: true, Next: true, Labels: []string{"a", "b", "c"}})
	want := encode.Masked | encode.NLL | encode.Best | encode.Mean | encode.First | encode.Next | encode.Classes
	rows := []encode.Row{
		{IDs: []int32{2, 7, 4, 9, 3}, Asked: []int32{2, 3}, Targets: []int32{11, 12}},
		{IDs: []int32{2, 8, 3, 5, 6, 3}, Kinds: []int32{0, 0, 0, 1, 1, 1}, Asked: []int32{1}, Targets: []int32{20}},
		{IDs: slices.Repeat([]int32{9, 10}, 30)},
	}
	alone, err := encode.NewReader(m, store, encode.Config{Want: want})
	if err != nil {
		t.Fatal(err)
	}
	together, err := encode.NewReader(m, store, encode.Config{Rows: 2, Asked: 3, Want: want})
	if err != nil {
		t.Fatal(err)
	}
	all, err := together.Read(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		one, err := alone.Read([]encode.Row{row})
		if err != nil {
			t.Fatal(err)
		}
		a, b := one[0], all[i]
		if len(a.Masked) != len(row.Asked) || len(a.NLL) != len(row.Asked) || len(a.Mean) != 16 || len(a.Next) != 2 || len(a.Classes) != 3 {
			t.Fatalf("row %d: %+v", i, a)
		}
		one, err = alone.Read([]encode.Row{{IDs: row.IDs[:1], Kinds: row.Kinds[:min(1, len(row.Kinds))]}})
		if err != nil || !near(one[0].Mean, one[0].First) || near(a.Mean, a.First) || !near(a.First, b.First) {
			t.Errorf("row %d: the state of the first token is %v, the mean %v, %v", i, a.First, a.Mean, err)
		}
		if !slices.Equal(a.Best, b.Best) || len(a.Best) != len(row.Asked) {
			t.Errorf("row %d: the likeliest are %v and %v", i, a.Best, b.Best)
		}
		for k, logits := range a.Masked {
			if slices.Index(logits, slices.Max(logits)) != int(a.Best[k]) {
				t.Errorf("row %d: the likeliest is not %d", i, a.Best[k])
			}
		}
		if !near(a.NLL, b.NLL) || !near(a.Mean, b.Mean) || !near(a.Next, b.Next) || !near(a.Classes, b.Classes) {
			t.Errorf("row %d: alone %v, together %v", i, a, b)
		}
		for k, target := range row.Targets {
			if p := encode.Probabilities(a.Masked[k])[target]; math.Abs(-math.Log(p)-float64(a.NLL[k])) > 1e-4 || !near(a.Masked[k], b.Masked[k]) {
				t.Errorf("row %d: the NLL is %g, the probability %g", i, a.NLL[k], p)
			}
		}
	}
}

// TestRefuses: heads that are not there, rows that are too long, tokens that no model knows.
func TestRefuses(t *testing.T) {
	m, store := newModel(t, nn.Outputs{Pooled: true})
	for want, text := range map[encode.Want]string{encode.Masked: "no head for masked tokens", encode.Next: "no head for the next sentence", encode.Classes: "the model has no classes"} {
		if _, err := encode.NewReader(m, store, encode.Config{Want: want}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	r, err := encode.NewReader(m, store, encode.Config{Want: encode.Mean})
	if err != nil {
		t.Fatal(err)
	}
	for text, row := range map[string]encode.Row{
		"a text of 81 tokens does not fit the context of 80": {IDs: make([]int32, 81)},
		"token 50 is outside the vocabulary of 50":           {IDs: []int32{50}},
		"a row of 0 tokens":                                  {},
	} {
		if _, err := r.Read([]encode.Row{row}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}

// TestTexts: questions, what fills them, and what does not fit a row.
func TestTexts(t *testing.T) {
	docs := iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) { yield([]byte("the rays of light"), nil) })
	tok, err := wordpiece.Train(context.Background(), docs, wordpiece.TrainConfig{Vocab: 50, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := newModel(t, nn.Outputs{Masked: true})
	texts, err := encode.NewTexts(tok, hf.Roles{}, m, true)
	if err != nil {
		t.Fatal(err)
	}
	row, err := texts.Question("The [MASK] of [MASK]")
	if err != nil || !slices.Equal(row.Asked, []int32{2, 4}) || row.IDs[0] != 2 || row.IDs[5] != 3 {
		t.Errorf("%+v, %v", row, err)
	}
	for text, want := range map[string]string{"the rays": `"the rays" has no [MASK]: put one where`, strings.Repeat("[MASK] ", 90): "the text has 92 tokens, more than the model's context of 80"} {
		if _, err := texts.Question(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if got := texts.Fill("The [MASK] of [MASK].", []string{"rays", "light"}); got != "The rays of light." {
		t.Errorf("%q", got)
	}
	if got := texts.Fill("The ray [MASK] of [MASK]", []string{"##s", "light"}); got != "The rays of light" {
		t.Errorf("%q", got)
	}
	logits := make([]float32, 50)
	logits[7], logits[8] = 3, 4
	if c := texts.Candidates(logits, 2); c[0].ID != 8 || c[1].ID != 7 || !(c[0].Probability > c[1].Probability) {
		t.Errorf("%+v", c)
	}
	second := strings.Repeat("light ", 20)
	long, cut, err := texts.Row(strings.Repeat("rays ", 100), &second)
	if err != nil || !cut || len(long.IDs) != 80 || long.Kinds[79] != 1 || long.Kinds[80-21] != 1 || long.Kinds[80-22] != 0 {
		t.Errorf("%d tokens of kinds %v, %v", len(long.IDs), long.Kinds, err)
	}
	if c := texts.Candidates(logits[:9], 99); len(c) != 9 || c[2].ID != 0 || c[8].ID != 6 || c[0].Token == "" {
		t.Errorf("%+v", c)
	}
	words := func(n int) string { return strings.Repeat("rays ", n) }
	for _, c := range []struct {
		first, second int // words; no second where it is 0
		a, b          int // what is left of them in 80 tokens
	}{{78, 0, 78, 0}, {79, 0, 78, 0}, {40, 37, 40, 37}, {40, 38, 39, 38}, {38, 40, 38, 39}, {60, 60, 39, 38}, {1, 200, 1, 76}, {200, 1, 76, 1}} {
		var second *string
		if c.second > 0 {
			second = new(words(c.second))
		}
		row, cut, err := texts.Row(words(c.first), second)
		want := slices.Concat([]int32{2}, slices.Repeat(row.IDs[1:2], c.a), []int32{3})
		kinds := make([]int32, len(want))
		if second != nil {
			want = append(append(want, slices.Repeat(row.IDs[1:2], c.b)...), 3)
			kinds = append(kinds, slices.Repeat([]int32{1}, c.b+1)...)
		}
		if err != nil || cut != (c.a < c.first || c.b < c.second) || !slices.Equal(row.IDs, want) || !slices.Equal(row.Kinds, kinds) {
			t.Errorf("%d and %d words: cut %t, %v of kinds %v, %v; want %d and %d", c.first, c.second, cut, row.IDs, row.Kinds, err, c.a, c.b)
		}
	}
	if texts.Context() != 80 || texts.Mask() != "[MASK]" || texts.Marks().Mask != 4 || !slices.Equal(texts.Frame().Before, []int32{2}) {
		t.Errorf("%d, %s, %+v, %+v", texts.Context(), texts.Mask(), texts.Marks(), texts.Frame())
	}
	if got := texts.Fill("[MASK] [MASK]", []string{"a"}); got != "a [MASK]" {
		t.Errorf("%q", got)
	}
	if got := texts.Fill("[MASK]", []string{"a", "b"}); got != "a" {
		t.Errorf("%q", got)
	}
	if row, err := texts.Question(strings.Repeat("[MASK] ", 78)); err != nil || len(row.Asked) != 78 || row.Asked[77] != 78 {
		t.Errorf("78 masks fill a row: %v", err)
	}
	empty := " "
	if _, _, err := texts.Row("rays", &empty); err != encode.ErrEmpty {
		t.Error(err)
	}
	if _, _, err := texts.Row(" ", nil); err != encode.ErrEmpty {
		t.Error(err)
	}
	if u := encode.Unit([]float32{3, 4}); !near(u, []float32{0.6, 0.8}) || !near(encode.Unit([]float32{0}), []float32{0}) {
		t.Errorf("%v", u)
	}
}
