package instruct

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
)

// TestNarrow holds that narrow rows have the same examples, each once, and that they are
// no larger than these need.
func TestNarrow(t *testing.T) {
	for _, c := range []struct {
		answers              []string
		together             bool
		wantContext, wantRow int
	}{
		{[]string{"one", "another", "a third"}, true, 64, 1},
		{[]string{"one", "another", "a third"}, false, 64, 3},
		{[]string{strings.Repeat("long ", 14), "short"}, false, 128, 2},
		{[]string{strings.Repeat("x", 196), "short"}, false, 200, 2}, // the context of the whole rows
		{[]string{"a", "b", "c", "d", "e", "f", "g"}, false, 64, 5},  // more rows than a batch has
	} {
		set, e := plainSet(t, Default(), 200, c.answers...)
		size := data.Sequences{Rows: data.Rows{Batch: 5, Samples: 5}, Context: 200, DocumentMask: true, VocabSize: 400}
		whole, err := NewEval(set, size, c.together, 7, e.tokens)
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := whole.Narrow()
		if err != nil {
			t.Fatal(err)
		}
		if narrow.Context != c.wantContext || narrow.Batch != c.wantRow || whole.Context != 200 {
			t.Errorf("%q: %d rows of %d, want %d of %d", c.answers, narrow.Batch, narrow.Context, c.wantRow, c.wantContext)
		}
		read := func(e2 *Eval) (texts []string, weight float64, bytes int64) {
			b := e2.NewBatch()
			for position := uint64(0); ; position += e2.Stride() {
				if err := e2.Fill(b, position); errors.Is(err, io.EOF) {
					slices.Sort(texts)
					return texts, weight, bytes
				} else if err != nil {
					t.Fatal(err)
				}
				columns, err := e2.Columns(b)
				if err != nil {
					t.Fatal(err)
				}
				for row := range e2.Batch {
					texts = append(texts, split(e, columns.Row(row, e2.Context), 7)...)
				}
				weight, bytes = weight+b.Weight, bytes+b.TextBytes
			}
		}
		texts, weight, bytes := read(whole)
		narrowTexts, narrowWeight, narrowBytes := read(narrow)
		if len(texts) != len(c.answers) || !slices.Equal(texts, narrowTexts) || weight != narrowWeight || bytes != narrowBytes {
			t.Errorf("%q: narrow rows hold %q, %g targets, %d bytes; want %q, %g, %d", c.answers, narrowTexts, narrowWeight, narrowBytes, texts, weight, bytes)
		}
	}
}
