package denoise

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
)

// golden is what scripts/golden/denoise.py writes of transformers' collator.
type golden struct {
	Lengths [][5]float64 // rate, span, tokens of a source, of its text, of its target
	Rows    []struct {
		Rate, Span     float64
		Mask           string // x is taken out
		Source, Target []int32
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(raw, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestWindow: rows are as long as transformers' run_t5_mlm_flax.py makes them.
func TestWindow(t *testing.T) {
	g := readGolden(t)
	if len(g.Lengths) < 100 {
		t.Fatalf("%d lengths", len(g.Lengths))
	}
	for _, l := range g.Lengths {
		c := Config{Rate: l[0], Span: l[1]}
		if tokens, target := c.Window(int(l[2]), 1); tokens != int(l[3]) || target != int(l[4]) {
			t.Errorf("%+v: a source of %g is made of %d tokens and has a target of %d, want %g and %g", c, l[2], tokens, target, l[3], l[4])
		}
	}
	c := Config{Rate: 0.15, Span: 3}
	for frame, want := range map[int][2]int{0: {35, 8}, 1: {34, 8}, 2: {33, 8}} { // 5 of them in 2 spans
		if tokens, target := c.Window(32, frame); tokens != want[0] || target != want[1] {
			t.Errorf("with %d tokens around it %d and %d, want %v", frame, tokens, target, want)
		}
	}
	if tokens, _ := c.Window(2, 1); tokens != 0 {
		t.Errorf("a source of 2 tokens is made of %d", tokens)
	}
}

// TestTakeOut: both sides of rows with the spans that transformers drew are those of its collator.
func TestTakeOut(t *testing.T) {
	for _, row := range readGolden(t).Rows {
		text := make([]int32, len(row.Mask))
		for i := range text {
			text[i] = 100 + int32(i)
		}
		runs := strings.Split(strings.ReplaceAll(strings.ReplaceAll(row.Mask, ".x", ".|x"), "x.", "x|."), "|")
		next := func(i int) func() int {
			return func() int {
				i += 2
				return len(runs[i-2])
			}
		}
		c := Config{row.Rate, row.Span}
		noise, spans := c.Counts(len(text))
		if noise != strings.Count(row.Mask, "x") || spans != len(runs)/2 {
			t.Errorf("%s: %d tokens in %d spans", row.Mask, noise, spans)
			continue
		}
		m := Marks{After: []int32{1}, End: 1, Sentinels: []int32{5000, 5001, 5002, 5003, 5004, 5005}}
		source, target := takeOut(nil, nil, text, m, spans, next(0), next(1))
		if !slices.Equal(source, row.Source) || !slices.Equal(target, row.Target) {
			t.Errorf("%s: %v and %v, want %v and %v", row.Mask, source, target, row.Source, row.Target)
		}
		if s, n := c.Lengths(len(text), 1); s != len(source) || n != len(target) {
			t.Errorf("%s: lengths are %d and %d, told %d and %d", row.Mask, len(source), len(target), s, n)
		}
	}
}

// TestCorrupt: a row is a function of the seed and its number, both sides together are the text,
// and every token but the first, which is always kept, is taken out as often as the others.
func TestCorrupt(t *testing.T) {
	c := Config{Rate: 0.2, Span: 2.5}
	m := Marks{Before: []int32{8}, After: []int32{7}, End: 9, Sentinels: []int32{50, 51, 52}}
	const n = 25 // of which 5 are taken out, in 2 spans
	text := make([]int32, n)
	for i := range text {
		text[i] = 100 + int32(i)
	}
	rows, seen, out := 6000, map[string]bool{}, make([]int, n)
	lengths := map[int]int{}
	for number := range uint64(rows) {
		source, target := c.Corrupt(nil, nil, text, m, 3, number)
		if a, b := c.Corrupt(nil, nil, text, m, 3, number); !slices.Equal(a, source) || !slices.Equal(b, target) {
			t.Fatalf("row %d is two", number)
		}
		if source[0] != 8 || source[len(source)-1] != 7 || target[0] != 50 || target[len(target)-1] != 9 {
			t.Fatalf("%v → %v", source, target)
		}
		raw, _ := json.Marshal(target)
		seen[string(raw)] = true
		at, spans := map[int32][]int32{}, int32(0)
		for _, id := range target[:len(target)-1] {
			if id < 100 {
				spans = id
				continue
			}
			at[spans] = append(at[spans], id)
			out[id-100]++
		}
		lengths[len(at[50])]++
		var whole []int32
		for _, id := range source[1 : len(source)-1] {
			if id < 100 {
				whole = append(whole, at[id]...)
			} else {
				whole = append(whole, id)
			}
		}
		if !slices.Equal(whole, text) || len(at) != 2 {
			t.Fatalf("%v → %v are not the text", source, target)
		}
	}
	if a, _ := c.Corrupt(nil, nil, text, m, 4, 0); true {
		if b, _ := c.Corrupt(nil, nil, text, m, 3, 0); slices.Equal(a, b) {
			t.Error("two seeds take out the same")
		}
	}
	// 4 lengths of the first taken span by 19 of the first kept one.
	if len(seen) != 4*19 {
		t.Errorf("%d different rows, want 76", len(seen))
	}
	for length := 1; length <= 4; length++ {
		if share := float64(lengths[length]) / float64(rows); math.Abs(share-0.25) > 0.02 {
			t.Errorf("the first span has %d tokens in %.3f of the rows, want 0.25", length, share)
		}
	}
	if out[0] != 0 || out[n-1] != rows {
		t.Errorf("the first token is taken out %d times, the last %d", out[0], out[n-1])
	}
}

// TestFill puts spans back, whatever the model leaves out or adds.
func TestFill(t *testing.T) {
	tok, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	o, err := tokenizers.AddSpecial(tokenizers.Opened{Tokenizer: tok}, []string{Sentinel(0), Sentinel(1), "<extra_id_7>"})
	if err != nil {
		t.Fatal(err)
	}
	if ids := Sentinels(o.Tokenizer); !slices.Equal(ids, []int32{257, 258}) {
		t.Errorf("sentinels %v", ids)
	}
	encode := func(text string) []int32 { return o.Tokenizer.AppendEncodeSpecial(nil, []byte(text)) }
	for _, c := range []struct {
		source, target, want string
		ok                   bool
	}{
		{"the angle of <extra_id_0> is equal <extra_id_1><|endoftext|>", "<extra_id_0> incidence<extra_id_1> to it<|endoftext|>", "the angle of incidence is equal to it", true},
		{"a <extra_id_0> c <extra_id_1>", "x<extra_id_1> d", "a c d", true},
		{"a <extra_id_0>", "", "a", true},
		{" <|endoftext|><extra_id_0> b", "<extra_id_0>a", "a b", true}, // the space of its own gives way
		{"plain", "<extra_id_0>x", "plain", false},
	} {
		if text, ok := Fill(o.Tokenizer, encode(c.source), encode(c.target)); text != c.want || ok != c.ok {
			t.Errorf("%q and %q: %q, %t, want %q", c.source, c.target, text, ok, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{0.15, 3}, ""}, {Config{0.001, 1}, ""},
		{Config{0, 3}, "recipe.rate is 0; use a share"}, {Config{1, 3}, "recipe.rate is 1"}, {Config{math.NaN(), 3}, "recipe.rate is NaN"},
		{Config{0.15, 0.9}, "recipe.span is 0.9; use a mean"}, {Config{2, math.Inf(1)}, "recipe.rate is 2; use a share between 0 and 1, such as 0.15\nrecipe.span is +Inf"},
	} {
		if err := c.cfg.Validate(); (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}
