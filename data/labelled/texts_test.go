package labelled

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
)

// TestTextsOfFaults: what is said of each wrong file, to the letter, and which errors are those
// of a setting.
func TestTextsOfFaults(t *testing.T) {
	alone, pairs := Keys{Text: "text", Label: "label"}, Keys{Text: "text", Label: "label", Pair: "other"}
	const empty = "the text is empty (fill it in, or take the line out)"
	const object = " (write one object a line, or give the file the name of a table: .csv or .tsv)"
	for _, c := range []struct {
		name, content string
		keys          Keys
		want          string
		setting       bool
	}{
		{"a.jsonl", `{"text": " ", "label": 1}`, alone, "a.jsonl:1: " + empty, false},
		{"a.jsonl", `{"text": "x", "other": "\t", "label": 1}`, pairs, "a.jsonl:1: " + empty, false},
		{"a.jsonl", `{"text": "", "other": "x", "label": 1}`, pairs, "a.jsonl:1: " + empty, false},
		{"a.jsonl", `{"text": "x", "label": 1}`, pairs, `a.jsonl:1: no key "other" among ["label" "text"] (set data.pair_key)`, true},
		{"a.jsonl", `{"label": 1}`, pairs, `a.jsonl:1: no key "text" among ["label"] (set data.text_key)`, true},
		{"a.jsonl", `{"text": "x"}`, alone, `a.jsonl:1: no key "label" among ["text"] (set data.label_key)`, true},
		{"a.jsonl", `{"text": "x", "label": " "}`, alone, "a.jsonl:1: the label is empty (fill it in, or take the line out)", false},
		{"a.jsonl", `{"text": {"of": "` + strings.Repeat("x", 80) + `"}, "label": 1}`, alone, `a.jsonl:1: key "text" is no text: {"of": "` + strings.Repeat("x", 52) + " (set data.text_key)", true},
		{"a.jsonl", "\n\n[1]", alone, "a.jsonl:3: a line that is no JSON object: json: cannot unmarshal array into Go value of type map[string]json.RawMessage" + object, false},
		{"a.tsv", "text\tlabel\nx\t1\nx\t\n", alone, "a.tsv:3: the label is empty (fill it in, or take the line out)", false},
		{"a.csv", "body,label\nx,1\n", alone, `a.csv:2: no column "text" among ["body" "label"] (set data.text_key)`, true},
		{"a.jsonl", `{"text": "` + strings.Repeat("x", 16<<20) + `"}`, alone, "a.jsonl:1: a line of more than 16 MiB, the most that is read at once (is the file JSON Lines?)", false},
	} {
		path := write(t, c.name, c.content)
		n := 0
		var fault error
		for _, err := range Read([]string{path, path}, "", c.keys) {
			if fault != nil {
				t.Errorf("%.80s: goes on behind an error", c.content)
			}
			if fault = err; err == nil {
				n++
			}
		}
		if got := strings.ReplaceAll(fmt.Sprint(fault), path, c.name); got != c.want {
			t.Errorf("%.80s: %s\nwant %s", c.content, got, c.want)
		}
		if _, ok := fault.(*data.SettingError); ok != c.setting {
			t.Errorf("%.80s: a wrong setting %t", c.content, ok)
		}
		open, _ := os.ReadDir("/proc/self/fd")
		for _, f := range open {
			if name, _ := os.Readlink("/proc/self/fd/" + f.Name()); name == path {
				t.Errorf("%.80s: the file stays open", c.content)
			}
		}
	}
	if _, err := read(t, "a.jsonl", `{"text": "x"}`, Keys{Text: "text", Label: "label", Unlabelled: true}); err != nil {
		t.Errorf("without labels: %v", err)
	}
	if all, err := read(t, "a.jsonl", `{"text": "`+strings.Repeat("x", 16<<20-25)+`","label":1}`, alone); err != nil || len(all) != 1 || all[0].Label != "1" {
		t.Errorf("a long line: %d, %v", len(all), err)
	}
	for _, err := range Read([]string{t.TempDir() + "/gone.jsonl"}, "", alone) {
		if err == nil || !strings.Contains(err.Error(), "gone.jsonl") {
			t.Error(err)
		}
	}
}

// TestReadStops when its caller has enough, before the next file.
func TestReadStops(t *testing.T) {
	for _, name := range []string{"a.csv", "a.jsonl"} {
		content := "text,label\nx,1\ny,2\n"
		if name == "a.jsonl" {
			content = `{"text": "x", "label": 1}` + "\n" + `{"text": "y", "label": 2}`
		}
		path := write(t, name, content)
		for stop := range 3 {
			n := 0
			for e, err := range Read([]string{path, path}, "", Keys{Text: "text", Label: "label"}) {
				if n++; err != nil || e.Text != []string{"x", "y"}[(n-1)%2] {
					t.Fatal(e, err)
				}
				if n > stop {
					break
				}
			}
			if n != stop+1 {
				t.Errorf("%s: %d examples, want %d", name, n, stop+1)
			}
		}
	}
}

// TestHeldOutOfPairs: both texts decide, and where one ends and the other begins.
func TestHeldOutOfPairs(t *testing.T) {
	same := 0
	for i := range 400 {
		a := fmt.Sprint(i)
		of := func(first, second string) bool { return Example{Text: first, Pair: &second}.HeldOut(0.5) }
		sides := []bool{of(a, "x"), of(a, "y"), of(a+"x", ""), Example{Text: a}.HeldOut(0.5), Example{Text: a + "x"}.HeldOut(0.5)}
		if sides[0] == sides[1] && sides[0] == sides[2] && sides[0] == sides[3] && sides[0] == sides[4] {
			same++
		}
		if of(a, "x") != sides[0] {
			t.Error("a pair changes its side")
		}
	}
	if same > 60 { // 400/16 by chance
		t.Errorf("%d of 400 have one side for five pairs of texts", same)
	}
}

// TestRowsAsTheyAre: every field of a batch, of rows shorter and as long as it, and of none.
func TestRowsAsTheyAre(t *testing.T) {
	set := []Row{
		{IDs: []int32{2, 10, 11, 3}, Kinds: []int32{0, 0, 1, 1}, Label: 7, Origin: data.Origin{File: "f", Offset: 1}},
		{IDs: []int32{2, 12, 3}, Kinds: []int32{0, 1, 1}, Label: 0, Origin: data.Origin{File: "f", Offset: 2}},
		{IDs: []int32{2, 3}, Kinds: []int32{0, 0}, Label: 5, Origin: data.Origin{File: "g", Offset: 3}},
	}
	l := &Loader{Rows: data.Rows{Batch: 4}, Set: set, Context: 4, Pad: 9, Held: true}
	b := l.NewBatch()
	b.TextBytes = 77
	for name := range b.Ints {
		if name != data.Positions {
			for i := range b.Ints[name] {
				b.Ints[name][i] = 99 // of an earlier step
			}
		}
	}
	if err := l.Fill(b, 0); err != nil {
		t.Fatal(err)
	}
	want := map[string][]int32{
		data.IDs:       {2, 10, 11, 3, 2, 12, 3, 9, 2, 3, 9, 9, 9, 9, 9, 9},
		data.Segments:  {0, 0, 0, 0, 0, 0, 0, -1, 0, 0, -1, -1, -1, -1, -1, -1},
		Kinds:          {0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		data.Positions: {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3},
		Label:          {7, 0, 5, data.Ignore},
	}
	if !reflect.DeepEqual(b.Ints, want) {
		t.Errorf("%v, want %v", b.Ints, want)
	}
	if from := []data.Origin{set[0].Origin, set[1].Origin, set[2].Origin, {}}; !slices.Equal(b.From, from) || b.Weight != 3 || b.Position != 0 || b.TextBytes != 0 {
		t.Errorf("%v, weight %g, position %d, %d bytes", b.From, b.Weight, b.Position, b.TextBytes)
	}
	if fields := fmt.Sprint(l.Fields()); fields != fmt.Sprint([]data.Field{
		{Name: data.IDs, Shape: []int{4}}, {Name: data.Positions, Shape: []int{4}}, {Name: data.Segments, Shape: []int{4}}, {Name: Kinds, Shape: []int{4}}, {Name: Label},
	}) {
		t.Error(fields)
	}
}
