package labelled

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, name, content string, keys Keys) ([]Example, error) {
	t.Helper()
	var all []Example
	for e, err := range Read([]string{write(t, name, content)}, "", keys) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// TestRead reads tables and JSON Lines, pairs too; numbers and truth values are labels as they
// are written.
func TestRead(t *testing.T) {
	alone, pairs := Keys{Text: "text", Label: "label"}, Keys{Text: "a", Pair: "b", Label: "same"}
	for _, c := range []struct {
		name, content string
		keys          Keys
		want          string
	}{
		{"a.csv", "label,text\ngood,\"bright, clear\"\nbad,dark\n", alone, "bright, clear=good 2;dark=bad 3"},
		{"a.tsv", "text\tlabel\nbright\t1\n", alone, "bright=1 2"},
		{"a.jsonl", "{\"text\": \"bright\", \"label\": 1}\n\n{\"text\": \"dark\", \"label\": true}", alone, "bright=1 1;dark=true 3"},
		{"a.jsonl", `{"a": "x", "b": "y", "same": "no"}`, pairs, "x|y=no 1"},
	} {
		all, err := read(t, c.name, c.content, c.keys)
		var got []string
		for _, e := range all {
			text := e.Text
			if e.Pair != nil {
				text += "|" + *e.Pair
			}
			got = append(got, text+"="+e.Label+" "+e.Origin.String()[strings.LastIndex(e.Origin.String(), ":")+1:])
		}
		if err != nil || strings.Join(got, ";") != c.want {
			t.Errorf("%s: %q, %v, want %q", c.content, got, err, c.want)
		}
	}
}

// TestFaults: each wrong file has one error with its place and its cure.
func TestFaults(t *testing.T) {
	keys := Keys{Text: "text", Label: "label"}
	for _, c := range []struct{ name, content, want string }{
		{"a.csv", "text,class\nbright,1\n", `a.csv:2: no column "label" among ["text" "class"] (set data.label_key)`},
		{"a.jsonl", `{"body": "x", "label": 1}`, `a.jsonl:1: no key "text" among ["body" "label"] (set data.text_key)`},
		{"a.jsonl", `{"text": " ", "label": 1}`, "a.jsonl:1: the text is empty"},
		{"a.jsonl", `{"text": "x", "label": ""}`, "a.jsonl:1: the label is empty"},
		{"a.jsonl", `{"text": "x", "label": null}`, `key "label" is no text: null`},
		{"a.jsonl", `{"text": ["x"], "label": 1}`, `key "text" is no text: ["x"]`},
		{"a.jsonl", "x", "a.jsonl:1: a line that is no JSON object"},
	} {
		if _, err := read(t, c.name, c.content, keys); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.content, err, c.want)
		}
	}
}

// TestLabels: numbers stand in their order.
func TestLabels(t *testing.T) {
	of := func(labels ...string) (all []Example) {
		for _, l := range labels {
			all = append(all, Example{Label: l})
		}
		return all
	}
	if got := Labels(of("10", "9", "10", "-1")); !slices.Equal(got, []string{"-1", "9", "10"}) {
		t.Errorf("%q", got)
	}
	if got := Labels(of("b", "10", "9")); !slices.Equal(got, []string{"10", "9", "b"}) {
		t.Errorf("%q", got)
	}
	held := 0
	for i := range 1000 {
		if (Example{Text: strings.Repeat("x", i)}).HeldOut(0.2) {
			held++
		}
	}
	if held < 150 || held > 250 {
		t.Errorf("%d of 1000 are held out", held)
	}
}

// TestLoader: a pass has each row once, in another order than the next; rows of a batch do not
// depend on its size; held-out rows come in order and end.
func TestLoader(t *testing.T) {
	var set []Row
	for i := range int32(5) {
		set = append(set, Row{IDs: []int32{2, 10 + i, 3}, Kinds: []int32{0, 0, 1}, Label: i, Origin: data.Origin{File: "f", Offset: int64(i) + 1}})
	}
	l := &Loader{Rows: data.Rows{Batch: 5}, Set: set, Context: 4, Pad: 9, Seed: 1}
	b := l.NewBatch()
	var passes [2][]int32
	for pass := range 2 {
		if err := l.Fill(b, uint64(5*pass)); err != nil {
			t.Fatal(err)
		}
		passes[pass] = slices.Clone(b.Ints[Label])
		sorted := slices.Sorted(slices.Values(passes[pass]))
		if !slices.Equal(sorted, []int32{0, 1, 2, 3, 4}) || b.Weight != 5 {
			t.Errorf("a pass has %v", passes[pass])
		}
	}
	if slices.Equal(passes[0], passes[1]) {
		t.Error("two passes have the same order")
	}
	if got := b.Ints[data.IDs][:4]; got[3] != 9 || b.Ints[data.Segments][3] != -1 || b.Ints[data.Segments][2] != 0 || b.Ints[Kinds][2] != 1 || b.Ints[data.Positions][6] != 2 {
		t.Errorf("row %v", got)
	}
	one := &Loader{Rows: data.Rows{Batch: 1}, Set: set, Context: 4, Pad: 9, Seed: 1}
	c := one.NewBatch()
	if err := one.Fill(c, 7); err != nil || c.Ints[Label][0] != passes[1][2] {
		t.Errorf("row 7 alone is %v, in a batch %v: %v", c.Ints[Label], passes[1], err)
	}
	held := &Loader{Rows: data.Rows{Batch: 3}, Set: set, Context: 4, Pad: 9, Held: true}
	d := held.NewBatch()
	if err := held.Fill(d, 3); err != nil || !slices.Equal(d.Ints[Label], []int32{3, 4, data.Ignore}) || d.Weight != 2 {
		t.Errorf("held out: %v, %v", d.Ints[Label], err)
	}
	if err := held.Fill(d, 6); err != io.EOF {
		t.Error(err)
	}
}
