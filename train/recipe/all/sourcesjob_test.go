package all_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
)

const sourced = `
run: {dir: DIR/run, seed: 5}
model: {family: gpt2, layers: 1, heads: 2, width: 16, context: 8}
tokenizer: {kind: bytes}
data: {sources: [{name: one, train: [DIR/a.txt], weight: 3}, {name: two, train: [DIR/b.txt], weight: 1}], validation: 0.3, cache_dir: DIR/cache}
train: {steps: 10, batch: 4, accumulate: 2, sample: ""}
`

// TestSourcesJob: each source is held out by itself, and a pass over each is told.
func TestSourcesJob(t *testing.T) {
	dir := t.TempDir()
	var a, b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&a, "{\"text\": %q}\n", strings.Repeat("a", 5+i))
		fmt.Fprintf(&b, "{\"text\": %q}\n", strings.Repeat("b", 5+i))
	}
	one, two := write(t, filepath.Join(dir, "a.jsonl"), a.String()), write(t, filepath.Join(dir, "b.jsonl"), b.String())
	yaml := strings.NewReplacer("DIR/a.txt", one, "DIR/b.txt", two, "data: {", "data: {format: jsonl, ").Replace(sourced)
	for name, set := range map[string][]string{"packed": nil, "masked": {"train.document_mask=true"}} {
		c, err := loaded(t, dir, yaml, append(set, "run.dir="+filepath.Join(dir, name))...)
		if err != nil {
			t.Fatal(err)
		}
		job, lines := told(t, c, recipe.Env{})
		if len(job.EvalParts) != 2 || job.EvalParts[0].Name != "one" || job.EvalParts[1].Name != "two" || job.Drawn == nil {
			t.Fatalf("%s: %+v", name, job.EvalParts)
		}
		whole := map[int32]int{}
		count := func(s data.Source, counts map[int32]int) {
			batch := s.NewBatch()
			for position := uint64(0); s.Fill(batch, position) == nil; position += s.Stride() {
				for i, target := range batch.Ints[data.Targets] {
					if id := batch.Ints[data.IDs][i]; target >= 0 && id < 256 {
						counts[id]++
					}
				}
			}
		}
		count(job.Eval, whole)
		for i, letter := range []int32{'a', 'b'} {
			counts := map[int32]int{}
			count(job.EvalParts[i].Source, counts)
			if len(counts) != 1 || counts[letter] == 0 || counts[letter] > whole[letter] || counts[letter] < whole[letter]-1 {
				t.Errorf("%s: part %d has %v of %v", name, i, counts, whole)
			}
			if got, want := slices.Sorted(maps.Keys(job.EvalParts[i].Source.NewBatch().Ints)), slices.Sorted(maps.Keys(job.Eval.NewBatch().Ints)); !slices.Equal(got, want) {
				t.Errorf("%s: a part has the fields %q, the whole %q", name, got, want)
			}
		}
		e := running(t, job)
		for _, part := range job.EvalParts {
			if _, err := e.Evaluate(part.Source, 0); err != nil {
				t.Errorf("%s: %s: %v", name, part.Name, err)
			}
		}
		drawn := job.Drawn(80)
		var of []string
		for _, l := range lines {
			if strings.HasPrefix(l, "source: ") {
				of = append(of, l)
			}
		}
		if len(of) != 2 || len(drawn) != 2 || drawn[0].Name != "one" || drawn[0].Samples != 60 || drawn[1].Samples != 20 {
			t.Fatalf("%s: %q, %+v", name, of, drawn)
		}
		for i, want := range []string{"75.0%", "25.0%"} {
			tail := fmt.Sprintf(" tokens, %s of the sequences, %.2f times through it in this run", want, float64(drawn[i].Samples)/float64(drawn[i].Windows))
			if !strings.HasPrefix(of[i], "source: "+drawn[i].Name+": ") || !strings.HasSuffix(of[i], tail) {
				t.Errorf("%s: %q, want %q", name, of[i], tail)
			}
		}
	}
	c, err := loaded(t, dir, yaml)
	if err != nil {
		t.Fatal(err)
	}
	// A dry run counts what each has, and a sequence that is shown names its source.
	_, lines := told(t, c, recipe.Env{Dry: true})
	if !slices.ContainsFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "source: one: ") && strings.HasSuffix(l, " training tokens")
	}) {
		t.Errorf("a dry run tells %q", lines)
	}
	seen := map[string]bool{}
	for sample := range uint64(16) {
		view, err := all.Table().Inspect(t.Context(), recipe.Env{Config: c, FS: vfs.OS{}}, recipe.View{Split: "train", Sample: sample})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := view.Print(&b, false); err != nil {
			t.Fatal(err)
		}
		source := "one"
		if strings.Contains(b.String(), `"b"`) {
			source = "two"
		}
		if !strings.Contains(b.String(), source) {
			t.Errorf("sample %d is not of %s:\n%s", sample, source, b.String())
		}
		seen[source] = true
	}
	if len(seen) != 2 {
		t.Errorf("the first samples are of %v", seen)
	}
}
