package eval

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/tables.txt")

// TestTablesOfFormats compares what tells each published layout of questions, and how its tasks ask, with
// testdata/tables.txt; -update writes it.
func TestTablesOfFormats(t *testing.T) {
	var got strings.Builder
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	for _, f := range Formats {
		if err := e.Encode(map[string]any{"name": f.Name, "tells": f.Tells, "keys": f.Keys, "config": f.Config}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Encode(bigBenchTask.written()); err != nil {
		t.Fatal(err)
	}
	goldenText(t, "testdata/tables.txt", got.String())
}

// goldenText wants a text to be that of a file, which -update writes.
func goldenText(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("line %d is\n%q\nwant\n%q", i+1, is[min(i, len(is)):min(i+1, len(is))], was[min(i, len(was)):min(i+1, len(was))])
		}
	}
}

// TestTextsOfRecords: what a key holds as text.
func TestTextsOfRecords(t *testing.T) {
	r := Record{Source: "q:1", Keys: map[string]any{"text": "a", "number": 2.5, "truth": true, "list": []any{"a"}, "none": nil}}
	for key, want := range map[string]string{"text": "a", "number": "2.5", "truth": "true", "list": `q:1: "list" is neither text nor a number`, "none": `q:1: there is no key "none"`} {
		got, err := r.text(key)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}
