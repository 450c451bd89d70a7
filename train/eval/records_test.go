package eval

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRecordsChanged: what becomes of a question of each published layout when a key of it, or
// of an object in it, is missing or holds something else: the whole prompt and choices, or the
// whole error, as testdata/records.txt has them; -update writes it.
func TestRecordsChanged(t *testing.T) {
	var got strings.Builder
	dir := t.TempDir()
	for _, name := range []string{"arc.jsonl", "arc-ai2.jsonl", "hellaswag.jsonl", "lambada.jsonl", "truthfulqa.jsonl", "bigbench.jsonl", "mmlu.jsonl", "gsm8k.jsonl"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		var record map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &record); err != nil {
			t.Fatal(err)
		}
		tell := func(path string, change func(object map[string]any, key string)) {
			var changed map[string]any
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &changed); err != nil {
				t.Fatal(err)
			}
			outer, key, inner := strings.Cut(path, ".")
			object := changed
			if inner {
				object = changed[outer].(map[string]any)
			} else {
				key = outer
			}
			change(object, key)
			written, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(outcome(write(t, dir, name, string(written)+"\n")) + "\n")
		}
		var paths []string
		for _, key := range slices.Sorted(maps.Keys(record)) {
			paths = append(paths, key)
			if object, ok := record[key].(map[string]any); ok {
				for _, inner := range slices.Sorted(maps.Keys(object)) {
					paths = append(paths, key+"."+inner)
				}
			}
		}
		for _, path := range paths {
			fmt.Fprintf(&got, "%s: %s\n", name, path)
			tell(path, func(object map[string]any, key string) { delete(object, key) })
			for _, value := range []any{nil, 7, "", "B", []any{}, []any{"a", 1}, []any{"b", "a", "c"}, map[string]any{}} {
				tell(path, func(object map[string]any, key string) { object[key] = value })
			}
		}
	}
	goldenText(t, "testdata/records.txt", got.String())
}

// outcome is the last question of a file as a model sees it, or the error.
func outcome(file string) string {
	fault := func(err error) string {
		return strings.ReplaceAll(strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", ""), "\n", "¶")
	}
	c, err := Load(file)
	if err != nil {
		return fault(err)
	}
	task, err := Open(c)
	if err != nil {
		return fault(err)
	}
	q, err := task.query(task.Len() - 1)
	if err != nil {
		return fault(err)
	}
	return fmt.Sprintf("%.300q %q %v", q.Prompt, q.Completions, task.questions[task.Len()-1].Keys["answer"])
}
