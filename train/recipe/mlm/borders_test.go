package mlm

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// unmasked are the tokens of a row as they were, and how many are asked for.
func unmasked(s *source, b *data.Batch, row int) (ids []int32, asks int) {
	ids = slices.Clone(s.part(b, data.IDs, row, s.context))
	for i, target := range s.part(b, data.Targets, row, s.asked) {
		if place := s.part(b, asked, row, s.asked)[i] - s.offset(row); target >= 0 {
			ids[place] = target
			asks++
		} else if place != 0 {
			ids[0] = -1 // nothing is asked for, but of the first place
		}
	}
	return ids, asks
}

// TestHeldRows: held-out text ends with a row that is padded, rows of nothing and io.EOF; its masks are others than
// those of training, and the same each time.
func TestHeldRows(t *testing.T) {
	s, train := sourceOf(t, 3, 3, false, true), sourceOf(t, 3, 3, false, false)
	b, other := s.NewBatch(), train.NewBatch()
	if err := errors.Join(s.Fill(b, 0), train.Fill(other, 0)); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(b.Ints[data.IDs], other.Ints[data.IDs]) {
		t.Error("held-out text has the masks of training")
	}
	first := slices.Clone(b.Ints[data.IDs])
	if err := s.Fill(b, 3); err != nil {
		t.Fatal(err)
	}
	ids, asks := unmasked(s, b, 0)
	want := append([]int32{s.masker.marks.CLS, 70, 71, 72, 73, 74, 75, 76, 77, 78, s.masker.marks.Sep}, slices.Repeat([]int32{s.masker.marks.Pad}, 5)...)
	if segments := s.part(b, data.Segments, 0, 16); !slices.Equal(ids, want) || asks < 1 || b.Weight != float64(asks) || !slices.Equal(segments, append(make([]int32, 11), -1, -1, -1, -1, -1)) || b.From[0].Offset != 4 || b.Position != 3 {
		t.Errorf("the last row is %v, %d asked for, %+v", ids, asks, b)
	}
	for row := 1; row < 3; row++ {
		ids, asks := unmasked(s, b, row)
		if asks != 0 || !slices.Equal(ids, slices.Repeat([]int32{s.masker.marks.Pad}, 16)) || !slices.Equal(s.part(b, data.Segments, row, 16), slices.Repeat([]int32{-1}, 16)) || b.From[row] != (data.Origin{}) {
			t.Errorf("row %d behind the end is %v", row, ids)
		}
	}
	if rows := s.rows(b); len(rows) != 1 || len(rows[0].IDs) != 11 || len(rows[0].Kinds) != 11 || len(rows[0].Asked) != asks || rows[0].Asked[0] != s.part(b, asked, 0, s.asked)[0] {
		t.Errorf("the rows of text are %+v", rows)
	}
	if err := s.Fill(b, 4); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
	if err := s.Fill(b, 0); err != nil || !slices.Equal(first, b.Ints[data.IDs]) {
		t.Errorf("a second time the rows are others: %v", err)
	}
	if rows := s.rows(b); len(rows) != 3 || len(rows[2].IDs) != 16 || rows[2].Asked[0] != s.part(b, asked, 2, s.asked)[0]-32 {
		t.Errorf("the rows of text are %+v", rows)
	}
	// Of two micro-batches the places count from the first row of each.
	if s := sourceOf(t, 4, 2, false, false); s.offset(0) != 0 || s.offset(1) != 16 || s.offset(2) != 0 || s.offset(3) != 16 {
		t.Error("places do not count from the first row of a micro-batch")
	}
}

// TestShortPairs: two tokens are a text each; one is a text alone, to which no second belongs.
func TestShortPairs(t *testing.T) {
	for short, want := range map[int][]int32{2: {2, 70, 3, 71, 3}, 1: {2, 70, 3}} {
		s := sourceOf(t, 1, 1, true, true)
		s.Of.(*fixed).short = short
		b := s.NewBatch()
		if err := s.Fill(b, 3); err != nil {
			t.Fatal(err)
		}
		ids, _ := unmasked(s, b, 0)
		if label := b.Ints[next][0]; short == 1 && label != data.Ignore || short == 2 && label == data.Ignore {
			t.Errorf("of %d tokens the label is %d", short, label)
		} else if label == 1 { // from elsewhere
			want[3] = ids[3]
		}
		if kinds := s.part(b, kinds, 0, 16); !slices.Equal(ids[:len(want)], want) || ids[len(want)] != s.masker.marks.Pad || short == 2 && !slices.Equal(kinds[:6], []int32{0, 0, 0, 1, 1, 0}) {
			t.Errorf("of %d tokens the row is %v, kinds %v", short, ids, kinds)
		}
		one := sourceOf(t, 1, 1, true, false)
		one.Of.(*fixed).windows = 1
		for sample := range uint64(20) { // there is no elsewhere
			if err := one.Fill(b, sample); err != nil || b.Ints[next][0] != 0 {
				t.Fatalf("of one window the label is %d, %v", b.Ints[next][0], err)
			}
		}
	}
	// Texts split anywhere, a token on each side at least, in equal shares.
	s := sourceOf(t, 1, 1, true, false)
	b, begins := s.NewBatch(), map[int]int{}
	for sample := range uint64(2400) {
		if err := s.Fill(b, sample); err != nil {
			t.Fatal(err)
		}
		begins[slices.Index(s.part(b, kinds, 0, 16), 1)]++
	}
	for begin, n := range begins { // 13 tokens of text: 12 places
		if begin < 3 || begin > 14 || n < 130 || n > 280 {
			t.Errorf("%d second texts begin at %d", n, begin)
		}
	}
	if len(begins) != 12 {
		t.Errorf("they begin at %v", begins)
	}
}

// TestWordsThatAreTooLong: a word of more pieces than are asked for is asked for in part, where there is no shorter one.
func TestWordsThatAreTooLong(t *testing.T) {
	m, _ := maskerOf(t, Config{Rate: 0.5, WholeWords: true})
	var begins, inside int32 = -1, -1
	for _, id := range m.ordinary {
		if m.continues[id] {
			inside = id
		} else {
			begins = id
		}
	}
	if begins < 0 || inside < 0 {
		t.Fatal("the vocabulary has not both")
	}
	var s scratch
	for number := range uint64(30) {
		ids := []int32{m.marks.CLS, begins, inside, inside, inside, m.marks.Sep}
		places, targets := make([]int32, 2), make([]int32, 2)
		r := newRandom(1, number)
		if n := m.choose(ids, places, targets, &s, &r); n != 2 || !slices.Equal(places, []int32{1, 2}) || !slices.Equal(targets, []int32{begins, inside}) {
			t.Fatalf("row %d asks for %d: %v, %v", number, n, places, targets)
		}
		// Two words of two pieces: one of them is asked for whole.
		ids = []int32{m.marks.CLS, begins, inside, begins, inside, m.marks.Sep}
		if n := m.choose(ids, places, targets, &s, &r); n != 2 || places[1] != places[0]+1 || places[0] != 1 && places[0] != 3 {
			t.Fatalf("row %d asks for %d: %v, %v", number, n, places, targets)
		}
	}
}

// TestSizesOfRows: how many tokens a row asks for, what evaluations show, and what they are read beside.
func TestSizesOfRows(t *testing.T) {
	for _, c := range []struct {
		length      int
		rate        float64
		next        bool
		asks, marks int
	}{{16, 0.15, false, 3, 2}, {16, 0.5, false, 7, 2}, {16, 0.5, true, 7, 3}, {22, 0.1, false, 2, 2}, {23, 0.1, false, 3, 2}} {
		cfg, err := config.Assemble(recipe.Table{Families: nn.Families{bert.Family()}, Recipes: []recipe.Recipe{Recipe()}}.Config(), "recipe.kind=mlm", "model={family: bert, layers: 1, heads: 1, width: 4, context: 64}",
			"data.train=[x]", fmt.Sprintf("recipe.rate=%g", c.rate), fmt.Sprintf("recipe.next_sentence=%t", c.next), fmt.Sprintf("train.context=%d", c.length))
		if err != nil {
			t.Fatal(err)
		}
		if askedPerRow(cfg) != c.asks || specials(cfg) != c.marks {
			t.Errorf("%+v: %d asked for, %d marks", c, askedPerRow(cfg), specials(cfg))
		}
	}
	var cfg config.Config
	for sample, want := range map[string]string{"": "", "the rays": "the rays [MASK]", "[MASK] of": "[MASK] of"} {
		if cfg.Train.Sample = sample; sampleText(cfg) != want {
			t.Errorf("%q is shown as %q, want %q", sample, sampleText(cfg), want)
		}
	}
	j := &recipe.Job{}
	readBeside(recipe.Env{}, j, 2, func() (float64, error) { return 0.25, nil })
	m, err := j.Measure(t.Context())
	if err != nil || !slices.Equal(m.Values, []recipe.Measurement{{Name: "accuracy", Value: 0.25}, {Name: "unigram_nll", Value: 2}}) {
		t.Errorf("%+v, %v", m, err)
	}
	broken := errors.New("broken")
	readBeside(recipe.Env{}, j, 2, func() (float64, error) { return 0, broken })
	if _, err := j.Measure(t.Context()); err != broken {
		t.Error(err)
	}
	readBeside(recipe.Env{}, j, 2, nil)
	if m, err := j.Measure(t.Context()); err != nil || len(m.Values) != 1 || j.Remark(2+plateau) == "" || j.Remark(2+plateau+1e-9) != "" || j.Remark(math.NaN()) != "" {
		t.Errorf("%+v, %v, %q", m, err, j.Remark(math.NaN()))
	}
}

func sampleText(c config.Config) string { return sample(c, "[MASK]") }
