package prefer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
)

var update = flag.Bool("update", false, "write testdata anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v; got\n%s", name, err, got)
	}
}

// TestRecordsAsText holds what becomes of records of every key, shape and fault, as pairs and as
// judged answers: samples with their margins, places and what was not read, or the error.
func TestRecordsAsText(t *testing.T) {
	text, err := os.ReadFile("testdata/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		fmt.Fprintf(&b, "%s", line)
		path := written(t, strings.TrimSpace(line))
		for name, read := range map[string]func(iter.Seq2[instruct.Record, error], *Skipped) iter.Seq2[Sample, error]{"": Pairs, "judged": Judgements} {
			if judged := strings.Contains(line, `"label"`) || strings.Contains(line, `"kto_tag"`) || strings.Contains(line, `"completion"`); judged != (name == "judged") {
				continue
			}
			var skipped Skipped
			for s, err := range read(instruct.Records(path, ""), &skipped) {
				if err != nil {
					fmt.Fprintf(&b, "  error: %s\n", strings.ReplaceAll(err.Error(), path[0], "p.jsonl"))
					continue
				}
				fmt.Fprintf(&b, "  %g %s | %s margin %g", s.Label, spell(s.First), spell(s.Second), s.Margin)
				for _, u := range slices.Concat(s.First.Unread, s.Second.Unread) {
					fmt.Fprintf(&b, " unread %v", u)
				}
				if s.Source != path[0]+":1" {
					t.Errorf("%s: it is from %s", line, s.Source)
				}
				b.WriteString("\n")
			}
			if skipped != (Skipped{}) {
				fmt.Fprintf(&b, "  skipped %+v\n", skipped)
			}
		}
	}
	golden(t, "records.txt", b.String())
}

// TestBatchesAsText holds every field of batches of each want, with rows of several samples, of
// one, and of none; what an earlier step left is gone.
func TestBatchesAsText(t *testing.T) {
	var b strings.Builder
	for _, want := range []Want{LogProbs, LogProbs | Mean | Referred, LastToken} {
		set, err := newSet(t, instruct.Default(), 92, want,
			`{"prompt": "P", "chosen": "ab", "rejected": "c", "margin": 0.5}`, `{"prompt": "Q", "chosen": "d", "rejected": "efg", "margin": 0.25}`,
			`{"prompt": "R", "chosen": "hi", "rejected": "jk"}`)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.SetReference([]float32{-1, -2, -3, -4, -5, -6}); err != nil {
			t.Fatal(err)
		}
		size := Size{Rows: data.Rows{Batch: 4}, Context: 92, Micro: 2}
		l, err := NewEval(set, size, want, true, 7)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "want %d: %+v, %d rows, %d tokens, density %.5f, ends %v\n", want, set.Stats(), l.Epoch(), l.Tokens(), l.Density(), set.EndTokens())
		for _, f := range l.Fields() {
			fmt.Fprintf(&b, "  %s %v of type %d\n", f.Name, f.Shape, f.Kind)
		}
		batch := l.NewBatch()
		for _, values := range batch.Ints {
			for i := range values {
				values[i] = 99
			}
		}
		for _, values := range batch.Floats {
			for i := range values {
				values[i] = 99
			}
		}
		batch.TextBytes, batch.Weight = 9, 9
		if err := l.Fill(batch, 0); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  position %d, weight %g, %d bytes, from %v\n", batch.Position, batch.Weight, batch.TextBytes, batch.From)
		for _, name := range slices.Sorted(maps.Keys(batch.Ints)) {
			all := batch.Ints[name]
			for row := range 4 {
				fmt.Fprintf(&b, "  %s %v\n", name, all[row*len(all)/4:(row+1)*len(all)/4])
			}
		}
		for _, name := range slices.Sorted(maps.Keys(batch.Floats)) {
			all := batch.Floats[name]
			for row := range 4 {
				fmt.Fprintf(&b, "  %s %v\n", name, all[row*len(all)/4:(row+1)*len(all)/4])
			}
		}
	}
	golden(t, "batches.txt", b.String())
}

// TestTextsOfSets: what is said where samples make no set or loader, to the letter, and what is
// counted.
func TestTextsOfSets(t *testing.T) {
	const short, long = `{"prompt": "Q", "chosen": "a", "rejected": "b"}`, `{"prompt": "Q", "chosen": "a long answer that goes on", "rejected": "b"}`
	all := instruct.Default()
	all.Loss = instruct.LossAll
	for _, c := range []struct {
		cfg    instruct.Config
		length int
		lines  []string
		want   string
	}{
		{all, 64, []string{short}, "data.instruct.loss is all: preferences are of answers; use assistant or last"},
		{instruct.Default(), 64, []string{`{"prompt": "Q", "chosen": "a", "rejected": "a"}`, `{"prompt": "Q", "chosen": "", "rejected": "a"}`, `{"prompt": "Q", "chosen": "c", "rejected": "c"}`}, "prefer: there are no samples (are the files empty, or all records skipped?): 2 records have equal answers, 1 an empty one"},
	} {
		if _, err := newSet(t, c.cfg, c.length, LogProbs, c.lines...); fmt.Sprint(err) != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	// What a sample takes of a row, by trying: one less and it is dropped.
	least := 0
	for least = 4; ; least++ {
		if _, err := newSet(t, instruct.Default(), least, LogProbs, short, short); err == nil {
			break
		} else if want := fmt.Sprintf("prefer: none of 2 samples fits a row of %d tokens with both of its answers (raise train.context, or set data.instruct.truncate to left; 0 have equal answers)", least); err.Error() != want && !strings.HasPrefix(err.Error(), "instruct: all 4 examples are longer than a row") {
			t.Fatalf("%v, want %s", err, want)
		}
	}
	withLast := 0
	for withLast = 4; ; withLast++ {
		if _, err := newSet(t, instruct.Default(), withLast, LastToken, short); err == nil {
			break
		}
	}
	if withLast != least+2 { // the last token of both
		t.Errorf("a sample takes %d positions, with the last tokens %d", least, withLast)
	}
	set, err := newSet(t, instruct.Default(), least, LogProbs, short, long, short)
	if err != nil {
		t.Fatal(err)
	}
	if s := set.Stats(); s.Samples != 2 || s.Dropped != 1 || s.Tokens != int64(2*(least+2)) || set.Samples() != 2 {
		t.Errorf("%+v in rows of %d", s, least)
	}
	most := instruct.Default()
	most.MaxExamples = 2
	if set, err := newSet(t, most, 64, LogProbs, short, short, short); err != nil || set.Samples() != 2 {
		t.Errorf("at most two: %v", err)
	}
	size := Size{Rows: data.Rows{Batch: 1}, Context: least, Micro: 1}
	for _, c := range []struct {
		change func(s *Size)
		want   string
	}{
		{func(s *Size) {}, "<nil>"},
		{func(s *Size) { s.Vocab = 257 }, "<nil>"},
		{func(s *Size) { s.Vocab = 256 }, "prefer: token 256 is outside the model's vocabulary of 256 (tokenizer and model do not belong together)"},
		{func(s *Size) { s.Context-- }, fmt.Sprintf("prefer: a sample takes %d positions, a row has %d (build the set for this context)", least, least-1)},
	} {
		with := size
		c.change(&with)
		if _, err := NewLoader(set, with, LogProbs, true, 0, 1); fmt.Sprint(err) != c.want {
			t.Errorf("%+v: %v, want %s", with, err, c.want)
		}
		if _, err := NewEval(set, with, LogProbs, true, 0); fmt.Sprint(err) != c.want {
			t.Errorf("%+v held out: %v, want %s", with, err, c.want)
		}
	}
	size.Batch = 0
	if _, err := NewLoader(set, size, LogProbs, true, 0, 1); err == nil {
		t.Error("a batch of no rows")
	}
	size.Batch = 1
	l, err := NewLoader(set, size, LogProbs|Referred, true, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Fill(l.NewBatch(), 0); fmt.Sprint(err) != "prefer: the log-probabilities of the reference have not been set" {
		t.Error(err)
	}
	if err := set.SetReference(make([]float32, 3)); fmt.Sprint(err) != "prefer: 3 log-probabilities for 4 sequences" {
		t.Error(err)
	}
	failed := errors.New("a disk")
	if _, err := Build(context.Background(), instruct.Default(), nil, 64, LogProbs, func(yield func(Sample, error) bool) { yield(Sample{}, failed) }, &Skipped{}); !errors.Is(err, failed) {
		t.Error(err)
	}
	for label, want := range map[float32][2]string{1: {"f:3, the good answer", "f:3, the other answer"}, -1: {"f:3, the bad answer", "f:3, an answer to another prompt beside the bad one"}} {
		if a, b := (Sample{Label: label, Source: "f:3"}).sources(); a != want[0] || b != want[1] {
			t.Errorf("%q, %q", a, b)
		}
	}
}
