package mlm

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/wordpiece"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// vocabulary is a tokenizer with words of one piece and of several.
func vocabulary(t testing.TB) *wordpiece.Tokenizer {
	t.Helper()
	text := strings.Repeat("the rays of light are refracted by the prism and the rays that are reflected are of the same light as those which were let through; ", 3) +
		"unaffable colours, blue green violet orange"
	docs := iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) { yield([]byte(text), nil) })
	tok, err := wordpiece.Train(context.Background(), docs, wordpiece.TrainConfig{Vocab: 90, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func maskerOf(t testing.TB, c Config) (*masker, *wordpiece.Tokenizer) {
	t.Helper()
	tok := vocabulary(t)
	marks, err := tokenizers.MarksOf(tok, wordpiece.Roles(), true)
	if err != nil {
		t.Fatal(err)
	}
	return newMasker(c, tok, marks), tok
}

// TestRates counts what becomes of a million tokens: 15% are asked for, of which 80% are
// masked, 10% replaced by any token and 10% kept, each within 0.5%; with whole words too.
func TestRates(t *testing.T) {
	for _, whole := range []bool{false, true} {
		m, tok := maskerOf(t, Config{Rate: 0.15, WholeWords: whole})
		var s scratch
		length, tokens, total := 126, 0, 0
		counts := map[string]int{}
		ids, asked, targets := make([]int32, length), make([]int32, 19), make([]int32, 19)
		for row := uint64(0); tokens < 1e6; row++ {
			r := newRandom(7, row)
			draw := newRandom(8, row)
			for i := range ids {
				ids[i] = m.ordinary[draw.below(len(m.ordinary))]
			}
			was := slices.Clone(ids)
			n := m.choose(ids, asked, targets, &s, &r)
			tokens, total = tokens+length, total+n
			for i, place := range asked[:n] {
				if targets[i] != was[place] {
					t.Fatalf("the target at %d is %d, there stood %d", place, targets[i], was[place])
				}
				switch ids[place] {
				case m.mask:
					counts["masked"]++
				case was[place]:
					counts["kept"]++
				default:
					counts["replaced"]++
				}
				if whole {
					checkWhole(t, m, was, asked[:n], place)
				}
			}
		}
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 0.005 {
				t.Errorf("whole words %t: %.4f are %s, want %.4f", whole, got, what, want)
			}
		}
		near("asked for", float64(total)/float64(tokens), 0.15)
		any := 0.1 / float64(len(m.ordinary)) // draws itself
		near("masked", float64(counts["masked"])/float64(total), 0.8)
		near("replaced", float64(counts["replaced"])/float64(total), 0.1-any)
		near("kept", float64(counts["kept"])/float64(total), 0.1+any)
		_ = tok
	}
}

// checkWhole wants the piece behind a place that is asked for to be asked for too, if it goes
// on with the word, unless the word is longer than all that may be asked for.
func checkWhole(t *testing.T, m *masker, ids, asked []int32, place int32) {
	t.Helper()
	if next := int(place) + 1; next < len(ids) && m.continues[ids[next]] && !slices.Contains(asked, place+1) && len(asked) < 18 {
		t.Fatalf("of a word the piece at %d is asked for, and that at %d is not", place, next)
	}
}

// TestChoose: special tokens are never asked for, short rows have a place, places are in
// order and no two alike, and a row is a function of the seed and its number.
func TestChoose(t *testing.T) {
	m, tok := maskerOf(t, Config{Rate: 0.3})
	sep, _ := tok.Special(wordpiece.Sep)
	var s scratch
	row := func(seed, number uint64) (string, int) {
		ids := []int32{m.marks.CLS, m.ordinary[3], sep, m.ordinary[4], m.ordinary[5], m.ordinary[6], sep}
		asked, targets := make([]int32, 3), make([]int32, 3)
		r := newRandom(seed, number)
		n := m.choose(ids, asked, targets, &s, &r)
		for i, place := range asked[:n] {
			if place == 0 || place == 2 || place == 6 || i > 0 && place <= asked[i-1] {
				t.Fatalf("asked for %v", asked[:n])
			}
		}
		return fmt.Sprint(ids, asked[:n], targets[:n]), n
	}
	seen := map[string]bool{}
	for number := range uint64(50) {
		first, n := row(1, number)
		if again, _ := row(1, number); first != again || n < 1 || n > 2 {
			t.Errorf("row %d: %s, then %s", number, first, again)
		}
		seen[first] = true
	}
	if len(seen) < 15 {
		t.Errorf("50 rows are %d different ones", len(seen))
	}
	ids := []int32{m.marks.CLS, sep}
	r := newRandom(1, 1)
	if n := m.choose(ids, make([]int32, 1), make([]int32, 1), &s, &r); n != 0 {
		t.Errorf("of nothing %d tokens are asked for", n)
	}
}

// fixed is text of which window i has the tokens from 100·i on.
type fixed struct {
	data.Sequences
	first   int32
	windows uint64
	short   int // tokens of the last window
}

func (f *fixed) Windows() uint64 { return f.windows }

func (f *fixed) Fill(dst *data.Batch, position uint64) error {
	c, err := f.Columns(dst)
	if err != nil {
		return err
	}
	for i := range c.IDs {
		c.IDs[i], c.Targets[i] = f.first+int32(position%f.windows)*20+int32(i), 0
		if f.short > 0 && position == f.windows-1 && i >= f.short {
			c.Targets[i] = data.Ignore
		}
	}
	dst.From[0] = data.Origin{File: "text", Offset: int64(position) + 1}
	return nil
}

func sourceOf(t *testing.T, rows, micro int, pair, held bool) *source {
	t.Helper()
	m, _ := maskerOf(t, Config{Rate: 0.2})
	specials := 2
	if pair {
		specials = 3
	}
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: 16 - specials}
	f := &fixed{Sequences: size, first: 10, windows: 4}
	if held {
		f.short = 9
	}
	return &source{Windows: text.Windows{Rows: data.Rows{Batch: rows}, Of: f, Size: size, Held: held}, context: 16, asked: 3, micro: micro, pair: pair, seed: 3, masker: m}
}

// TestRows: a row is [CLS], its text and [SEP], its masks undone; places count from the first
// row of their micro-batch; the rows of a batch are those of other sizes of it.
func TestRows(t *testing.T) {
	s := sourceOf(t, 4, 2, false, false)
	batch := s.NewBatch()
	if err := s.Fill(batch, 8); err != nil {
		t.Fatal(err)
	}
	weight := 0
	for row := range 4 {
		ids := slices.Clone(batch.Ints[data.IDs][row*16 : row*16+16])
		for i, target := range batch.Ints[data.Targets][row*3 : row*3+3] {
			place := int(batch.Ints[asked][row*3+i]) - row%2*16
			if target < 0 {
				continue
			}
			weight++
			if place < 1 || place > 14 {
				t.Fatalf("row %d asks for place %d", row, place)
			}
			ids[place] = target
		}
		want := []int32{s.masker.marks.CLS}
		for i := range int32(14) {
			want = append(want, 10+int32(row)*20+i)
		}
		if want = append(want, s.masker.marks.Sep); !slices.Equal(ids, want) {
			t.Errorf("row %d is %v, want %v", row, ids, want)
		}
		if batch.From[row].Offset != int64(8+row)+1 || batch.Ints[data.Positions][row*16+5] != 5 {
			t.Errorf("row %d comes from %v", row, batch.From[row])
		}
	}
	if batch.Weight != float64(weight) {
		t.Errorf("weight %g, %d are asked for", batch.Weight, weight)
	}
	one := sourceOf(t, 1, 1, false, false)
	single := one.NewBatch()
	if err := one.Fill(single, 10); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(single.Ints[data.IDs], batch.Ints[data.IDs][32:48]) {
		t.Errorf("row 10 alone is %v, in a batch %v", single.Ints[data.IDs], batch.Ints[data.IDs][32:48])
	}
	if n := testing.AllocsPerRun(20, func() { _ = s.Fill(batch, 4) }); n > 0 {
		t.Errorf("Fill allocates %g times", n)
	}
}

// TestPairs: half of the second texts go on with the first, and the others are those of
// another row from the same place on.
func TestPairs(t *testing.T) {
	s := sourceOf(t, 1, 1, true, false)
	batch := s.NewBatch()
	elsewhere := 0
	for sample := range uint64(400) {
		if err := s.Fill(batch, sample); err != nil {
			t.Fatal(err)
		}
		ids := slices.Clone(batch.Ints[data.IDs])
		for i, target := range batch.Ints[data.Targets] {
			if target >= 0 {
				ids[batch.Ints[asked][i]] = target
			}
		}
		sep := slices.Index(ids, s.masker.marks.Sep)
		kind := batch.Ints[kinds]
		if sep < 2 || sep > 13 || ids[15] != s.masker.marks.Sep || kind[sep] != 0 || kind[sep+1] != 1 || kind[15] != 1 {
			t.Fatalf("row %v of kinds %v", ids, kind)
		}
		same := ids[sep+1] == ids[sep-1]+1
		if label := batch.Ints[next][0]; same != (label == 0) {
			t.Fatalf("row %v has the label %d", ids, label)
		}
		elsewhere += int(batch.Ints[next][0])
	}
	if elsewhere < 160 || elsewhere > 240 {
		t.Errorf("%d of 400 second texts come from elsewhere", elsewhere)
	}
}

// TestHeldOut: what the last row lacks, and rows behind it, are padding, and the source ends.
func TestHeldOut(t *testing.T) {
	s := sourceOf(t, 3, 3, false, true)
	batch := s.NewBatch()
	if err := s.Fill(batch, 3); err != nil {
		t.Fatal(err)
	}
	segments := batch.Ints[data.Segments]
	if segments[10] != 0 || segments[11] != -1 || slices.Max(segments[16:]) != -1 || batch.Ints[data.IDs][10] != s.masker.marks.Sep {
		t.Errorf("segments %v of %v", segments, batch.Ints[data.IDs])
	}
	if slices.Max(batch.Ints[data.Targets][3:]) != data.Ignore || batch.From[1] != (data.Origin{}) {
		t.Errorf("targets %v", batch.Ints[data.Targets])
	}
	if err := s.Fill(batch, 6); err == nil {
		t.Error("held-out text does not end")
	}
}

// TestPlateau: an evaluation tells the entropy of single tokens, and whether a loss is near it.
func TestPlateau(t *testing.T) {
	var j recipe.Job
	told := ""
	readBeside(recipe.Env{Tell: func(p recipe.Prepared) { told = p.Name + " " + p.Detail }}, &j, 5.5, func() (float64, error) { return 0.25, nil })
	measured, err := j.Measure(t.Context())
	if !strings.HasPrefix(told, "unigram entropy 5.5000 nats") || err != nil || !slices.Equal(measured.Values, []recipe.Measurement{{Name: "accuracy", Value: 0.25}, {Name: "unigram_nll", Value: 5.5}}) {
		t.Errorf("%q, %v, %v", told, measured, err)
	}
	for nll, on := range map[float64]bool{6: false, 5.64: true, 5.4: true, 5.3: false} {
		if got := j.Remark(nll) != ""; got != on {
			t.Errorf("a loss of %g is on the plateau: %t", nll, got)
		}
	}
}
