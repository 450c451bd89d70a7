package train

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/metrics"
)

// TestSources trains on two sources of different formats and weights, once through and once stopped after every step:
// the bits are the same, and the metrics tell what each source has given.
func TestSources(t *testing.T) {
	cfg := tinyConfig(t)
	texts, _ := cfg.Texts()
	book := texts.Paths[0]
	records := strings.TrimSuffix(book, ".txt") + ".jsonl"
	var lines strings.Builder
	for i := range 600 {
		fmt.Fprintf(&lines, "{\"text\": \"ray %d of light in water\"}\n", i)
	}
	if err := os.WriteFile(records, []byte(lines.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	three, one := 3.0, 1.0
	texts.Paths = nil
	texts.Sources = []data.SourceConfig{{Name: "book", Paths: []string{book}, Weight: &three}, {Paths: []string{records}, Weight: &one}}
	if err := cfg.Data.Set("text", &texts); err != nil {
		t.Fatal(err)
	}
	first := cfg
	d := deps(t, 2)
	_, said := told(&d)
	mustTrain(t, cfg, d)
	if all := strings.Join(*said, "\n"); !strings.Contains(all, "source corpus: ") || !strings.Contains(all, "25.0% of the sequences") {
		t.Errorf("the run tells %q", all)
	}
	want := bits(t, cfg.Run.Dir)

	cfg.Run.Dir += "-stops"
	d = deps(t, 2)
	trainByStops(t, cfg, d, want)
	log, _, err := metrics.ReadLog(d.FS, MetricsPath(cfg.Run.Dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log {
		// Two batches of each source are scored, of three that are asked for: as many tokens of both.
		if mean := (r.Get("nll_book") + r.Get("nll_corpus")) / 2; r.Split == metrics.Val && !(math.Abs(r.Get("nll")-mean) < 1e-6) {
			t.Errorf("step %d: held-out NLL %g, of the sources %g and %g", r.Step, r.Get("nll"), r.Get("nll_book"), r.Get("nll_corpus"))
		}
		book, corpus := r.Get("seen_book"), r.Get("seen_corpus")
		if r.Split == metrics.Train && (book+corpus != float64(r.Seen) || math.Abs(corpus-float64(r.Seen)/4) > 16) {
			t.Errorf("step %d has seen %d tokens, %g of the book and %g of the records", r.Step, r.Seen, book, corpus)
		}
		if r.Split == metrics.Val && !math.IsNaN(book) {
			t.Error("an evaluation tells what training has seen")
		}
	}
	// The configuration that the run keeps is the one that it had.
	text, err := config.Encode(first)
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse("config.yaml", text, tables)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := config.Encode(again); err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%v:\n%s", err, kept)
	}
}
