package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/synth"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

// TestPrintedTables: each number of a table in its place, by hand.
func TestPrintedTables(t *testing.T) {
	number := func(x float64) *float64 { return &x }
	c := &cobra.Command{}
	for _, row := range []struct {
		name  string
		print func(w *bytes.Buffer) error
		want  string
	}{
		{"distances", func(w *bytes.Buffer) error {
			return writeDistances(w, []eval.Distance{{Tokens: 1, TextScore: eval.TextScore{NLL: 3.5, BitsPerByte: number(2.25)}}, {Tokens: 2, TextScore: eval.TextScore{NLL: 3.125}}})
		}, "tokens back         nll  bits per byte       gain\n1                3.5000         2.2500           \n2                3.1250                    0.3750\n"},
		{"pairs", func(w *bytes.Buffer) error {
			return pairsScored{TextScore: eval.TextScore{NLL: 2, PPL: 7.389, BitsPerByte: number(1.5), Tokens: 40}, Pairs: 6, Long: 3, BLEU: number(12.345), BLEUSignature: "b", ChrF: number(45.678), ChrFSignature: "c"}.print(w)
		}, "nll    2.0000 nats a token of the targets, perplexity 7.389, 1.5000 bits a byte; 40 tokens of 6 pairs, and 3 longer than the context left out\nbleu   12.35  b\nchrf   45.68  c\n"},
		{"pairs alone", func(w *bytes.Buffer) error {
			return pairsScored{TextScore: eval.TextScore{NLL: 2, PPL: 7.389, Tokens: 40}, Pairs: 6}.print(w)
		}, "nll    2.0000 nats a token of the targets, perplexity 7.389; 40 tokens of 6 pairs\n"},
		{"text", func(*bytes.Buffer) error {
			return (&evalFlags{}).print(c, evalResult{TextScore: eval.TextScore{NLL: 2, PPL: 7.389, BitsPerByte: number(1.5), Tokens: 40, Bytes: 4096, TokensPerS: 1234}}, "of text in %d documents", 9)
		}, "nll            2.0000 nats per token\nppl            7.39\nbits per byte  1.5000\ntokens         40 scored, of 4.0 KiB of text in 9 documents, 1.23k tokens/s\n"},
		{"no byte", func(*bytes.Buffer) error {
			return (&evalFlags{}).print(c, evalResult{TextScore: eval.TextScore{NLL: 2, PPL: 7.389, Tokens: 1, TokensPerS: 50}}, "of answers")
		}, "nll            2.0000 nats per token\nppl            7.39\nbits per byte  none: no byte was scored\ntokens         1 scored, of 0 B of answers, 50 tokens/s\n"},
		{"base", func(*bytes.Buffer) error {
			return (&evalFlags{}).print(c, evalResult{TextScore: eval.TextScore{NLL: 2, PPL: 7.5, BitsPerByte: number(1.5), Tokens: 40, TokensPerS: 50}, Base: &baseResult{TextScore: eval.TextScore{NLL: 3.5, PPL: 33, BitsPerByte: number(1.25)}}}, "of answers")
		}, "                       base        model   difference\nnll                  3.5000       2.0000      -1.5000\nppl                   33.00         7.50       -25.50\nbits per byte        1.2500       1.5000      +0.2500\ntokens         40 scored, of 0 B of answers, 50 tokens/s\n"},
		{"figure", func(*bytes.Buffer) error {
			f := figureFlags{csv: "a.csv", picture: "a.png"}
			rising := func(from, by float64) (x []float64) {
				for i := range 32 {
					x = append(x, from-by*float64(i))
				}
				return x
			}
			return f.print(c, []ladder.Curve{{Side: "transformer", N: 1500, D: 64000, NLL: rising(4, 0.0625)}, {Side: "lstm", N: 1600, D: 64000, NLL: rising(4, 0.03125)}})
		}, ""},
	} {
		var out bytes.Buffer
		c.SetOut(&out)
		if err := row.print(&out); err != nil {
			t.Fatal(err)
		}
		if row.name == "figure" {
			early, late := ladder.Curve{NLL: make([]float64, 32)}.Ranges()
			mean := func(by float64, of [2]int) float64 { return 4 - by*float64(of[0]+of[1]-1)/2 } // of positions in [of[0], of[1])
			gain := func(by float64) float64 { return mean(by, early) - mean(by, late) }
			row.want = fmt.Sprintf("%21s%9s  %9s %9s    gain\n", "N", "D", fmt.Sprintf("%d-%d", early[0], early[1]-1), fmt.Sprintf("%d-%d", late[0], late[1]-1)) +
				fmt.Sprintf("transformer      1.5k      64k  %9.4f %9.4f  %6.4f\n", mean(0.0625, early), mean(0.0625, late), gain(0.0625)) +
				fmt.Sprintf("lstm             1.6k      64k  %9.4f %9.4f  %6.4f  the Transformer gains %.4f nats more\n", mean(0.03125, early), mean(0.03125, late), gain(0.03125), gain(0.0625)-gain(0.03125)) +
				"a.csv and a.png have the curves\n"
		}
		if out.String() != row.want {
			t.Errorf("%s:\n%s\nwant\n%s", row.name, out.String(), row.want)
		}
	}
}

// TestPrintedPlanned: what a plan lacks is not printed.
func TestPrintedPlanned(t *testing.T) {
	for want, p := range map[string]scale.Plan{
		"law          L\nN            ":                               {N: scale.Estimate{Value: 5}},
		"law          L\nD            ":                               {D: scale.Estimate{Value: 5}},
		"law          L\nC            7 FLOPs\nloss         2.000000": {C: 7, Loss: scale.Estimate{Value: 2}},
	} {
		var out bytes.Buffer
		if err := printPlanned(&out, &scale.Report{Counted: "all"}, "L", p); err != nil {
			t.Fatal(err)
		}
		if got := strings.Replace(out.String(), "; N counts all", "", 1); !strings.HasPrefix(got, want) {
			t.Errorf("%+v:\n%s\nwant\n%s", p, got, want)
		}
	}
}

// TestPlanThatDoesNotFit: the warning names what helps, and what is not trained is counted.
func TestPlanThatDoesNotFit(t *testing.T) {
	var r forecast.Report
	r.Params, r.Trainable, r.Unit = 1000, 250, "tokens"
	r.Memory.Total, r.Memory.Snapshot, r.Limits.Total, r.Limits.Available = 1<<30, 5, 1<<20, 1<<20
	lines := func() map[string]string {
		var out bytes.Buffer
		if err := printPlan(&out, &r); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for line := range strings.Lines(out.String()) {
			name, text, _ := strings.Cut(line, " ")
			all[name] = strings.TrimSpace(text)
		}
		return all
	}
	const cure = "this run does not fit: lower train.batch and raise train.accumulate, set train.recompute: true%s, or shrink the model"
	if all := lines(); all["warning"] != fmt.Sprintf(cure, " and train.save: sync") || all["trained"] != "250 parameters, 25.00%; the others are frozen" {
		t.Errorf("%q", all)
	}
	r.Memory.Snapshot, r.Trainable = 0, 1000
	if all := lines(); all["warning"] != fmt.Sprintf(cure, "") || all["trained"] != "" {
		t.Errorf("%q", all)
	}
	r.Memory.Snapshot, r.Machine.GPU = 5, "a card"
	if all := lines(); all["warning"] != fmt.Sprintf(cure, "") {
		t.Errorf("%q", all)
	}
	if r.Memory.Total = 1; lines()["warning"] != "" {
		t.Errorf("%q", lines())
	}
}

// TestRowOfRuns: a row has the newest and the best values of a run, and nothing for what is no number.
func TestRowOfRuns(t *testing.T) {
	record := func(split metrics.Split, step int64, value, perS float64) metrics.Record {
		return metrics.Record{Split: split, Step: step, Seen: step * 10, Unit: "tokens", PerS: perS, Values: []metrics.Value{{Name: "nll", Value: value}, {Name: "ppl", Value: 99}}, Time: time.Unix(1000+step, 0)}
	}
	r := &runs.Run{Dir: "runs/a", State: "done", Recipe: "lm", Family: "gpt2", Steps: 9, Records: []metrics.Record{
		record(metrics.Train, 2, 4.5, 70), record(metrics.Val, 2, 3.5, 0), record(metrics.Train, 4, math.NaN(), math.Inf(1)), record(metrics.Val, 4, 3.75, 0),
	}}
	row := rowOf(r)
	if row.Run != "runs/a" || row.State != "done" || row.Recipe != "lm" || row.Family != "gpt2" || row.Step != 4 || row.Steps != 9 || row.Seen != 40 || row.Unit != "tokens" || row.Metric != "nll" ||
		row.Train != nil || row.PerS != nil || row.Val == nil || *row.Val != 3.75 || row.Best == nil || *row.Best != 3.5 || row.BestStep == nil || *row.BestStep != 2 || row.Changed == nil || row.Changed.Unix() != 1004 {
		t.Errorf("%+v", row)
	}
	if row := rowOf(&runs.Run{Dir: "b"}); row.Metric != "" || row.Train != nil || row.Val != nil || row.Best != nil || row.BestStep != nil || row.PerS != nil || row.Changed != nil || row.Unit != "" {
		t.Errorf("of a run that has not begun: %+v", row)
	}
}

// TestByDistance: a Transformer-XL that was trained a little is scored by distance, up to all that it sees.
func TestByDistance(t *testing.T) {
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "a.txt"), strings.Repeat("the rays of light are bent. ", 40))
	config := write(t, filepath.Join(dir, "c.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run}
model: {family: xl, layers: 1, heads: 2, width: 16, context: 8, memory: 8}
tokenizer: {kind: bytes}
data: {train: [DIR/a.txt], validation: 0, cache_dir: DIR}
train: {steps: 2, batch: 2, eval_every: 0}
`, "DIR", dir))
	must(t, "pretrain", "--config", config, "--device", "cpu")
	var r struct {
		Distances []struct {
			Distance, Tokens int
			NLL              float64
			BitsPerByte      float64 `json:"bits_per_byte"`
		}
	}
	args := []string{"eval", "--model", filepath.Join(dir, "run"), "--data", text, "--device", "cpu", "--batch", "2", "--by-distance"}
	mustJSON(t, &r, args...)
	var want strings.Builder
	for i, d := range r.Distances {
		gain := ""
		if i > 0 {
			gain = fmt.Sprintf("%.4f", r.Distances[i-1].NLL-d.NLL)
		}
		if fmt.Fprintf(&want, "%-12d %10.4f %14.4f %10s\n", d.Distance, d.NLL, d.BitsPerByte, gain); d.Distance != []int{1, 2, 4, 8, 16}[i] || d.Tokens != 28*40 {
			t.Errorf("%+v", d)
		}
	}
	if _, rows, _ := strings.Cut(must(t, args...), "\n"); rows != want.String() || len(r.Distances) != 5 {
		t.Errorf("it prints\n%s\nwant\n%s", rows, want.String())
	}
	for _, more := range [][]string{{"--format", "instruct"}, {"--stride", "2"}, {"--base-too"}} {
		if o := gotrain(t, "", append(args, more...)...); o.code != 2 || !strings.Contains(o.errOut, "--by-distance goes with") {
			t.Errorf("%q goes with --by-distance", more)
		}
	}
}

// TestCipherOfACommand: the table has the pairs of its seed, and those of data.pairs.cipher by default.
func TestCipherOfACommand(t *testing.T) {
	dir := t.TempDir()
	prose := strings.Repeat("the rays of light are many and none of them is like another in colour. ", 20)
	text := write(t, filepath.Join(dir, "text.txt"), prose)
	for _, seed := range []uint64{1704, 5} {
		out := filepath.Join(dir, fmt.Sprint(seed, ".tsv"))
		args := []string{"data", "cipher", "--out", out, "--data", text, "--count", "12"}
		if seed != 1704 {
			args = append(args, "--seed", fmt.Sprint(seed))
		}
		if got := must(t, args...); got != "12 pairs in "+out+"\n" {
			t.Errorf("it prints %q", got)
		}
		want := "source\ttarget\n"
		for p, err := range synth.Cipher(prose, 12, seed) {
			if err != nil {
				t.Fatal(err)
			}
			want += p[0] + "\t" + p[1] + "\n"
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != want {
			t.Errorf("seed %d: %v\n%s\nwant\n%s", seed, err, got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

// TestTokenizerOfWords: WordPiece loses case and accents unless it is told not to, and takes its size and text from
// the flags.
func TestTokenizerOfWords(t *testing.T) {
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "a.jsonl"), `{"body": "`+strings.Repeat("Café RAYS of Light ", 20)+`", "text": "never"}`+"\n")
	for _, cased := range []bool{false, true} {
		out := filepath.Join(dir, fmt.Sprint(cased))
		args := []string{"tokenizer", "train", "--data", text, "--text-key", "body", "--kind", "wordpiece", "--vocab", "36", "--out", out}
		if cased {
			args = append(args, "--cased")
		}
		var made struct {
			Vocab int
		}
		mustJSON(t, &made, args...)
		var e encodedText
		mustJSON(t, &e, "tokenizer", "encode", "--tokenizer", out, "RAYS Café")
		lower := strings.Contains(strings.Join(e.Tokens, ""), "r")
		if made.Vocab != 36 || lower == cased || e.Bytes != len("RAYS Café") || len(e.IDs) != len(e.Tokens) {
			t.Errorf("cased %t: %d tokens, %+v", cased, made.Vocab, e)
		}
		var d struct {
			Text  string
			Bytes []byte `json:"bytes_base64"`
		}
		mustJSON(t, &d, "tokenizer", "decode", "--tokenizer", out, fmt.Sprint(e.IDs[0]))
		if d.Text != string(d.Bytes) || d.Text == "" {
			t.Errorf("%+v", d)
		}
	}
	var none encodedText
	mustJSON(t, &none, "tokenizer", "encode", "--tokenizer", filepath.Join(dir, "true"), "")
	if none.IDs == nil || none.Tokens == nil || none.Bytes != 0 {
		t.Errorf("of no text: %+v", none)
	}
}

// TestBenchKernels: the kernels of a kind alone, with their share of the peak.
func TestBenchKernels(t *testing.T) {
	var r benchReport
	mustJSON(t, &r, "bench", "--kernels=LayerNorm", "--shapes", "small", "--seconds", "0.01", "--threads", "1")
	if len(r.Kernels) == 0 || len(r.Steps) != 0 || r.Decode != nil || r.Precision != "float32" {
		t.Fatalf("%+v", r)
	}
	for _, k := range r.Kernels {
		if !strings.HasPrefix(k.Name, "LayerNorm") || k.MS <= 0 || k.GBPerS <= 0 || k.FractionOfPeak <= 0 {
			t.Errorf("%+v", k)
		}
	}
	out := must(t, "bench", "--kernels=LayerNorm", "--shapes", "small", "--seconds", "0.01", "--threads", "1")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4+len(r.Kernels) || !strings.HasPrefix(lines[1], "peak  ") || strings.Join(strings.Fields(lines[3]), " ") != "kernel ms GFLOP/s GB/s of the peak" || !strings.HasSuffix(lines[4], "%") {
		t.Errorf("it prints\n%s", out)
	}
}

// TestVersionOfABuild: what the version says of a revision.
func TestVersionOfABuild(t *testing.T) {
	for want, b := range map[string]build{
		"gotrain v1, go9 os/arch":                                  {Version: "v1", Go: "go9", OS: "os", Arch: "arch"},
		"gotrain v1 revision 0123456789ab (modified), go9 os/arch": {Version: "v1", Revision: "0123456789abcdef", Modified: true, Go: "go9", OS: "os", Arch: "arch"},
		"gotrain v1 revision 012, go9 os/arch":                     {Version: "v1", Revision: "012", Go: "go9", OS: "os", Arch: "arch"},
	} {
		if b.String() != want {
			t.Errorf("%s, want %s", b, want)
		}
	}
	if b := readBuild(); b.Go != runtime.Version() || b.OS != runtime.GOOS || b.Arch != runtime.GOARCH || b.Version == "" {
		t.Errorf("%+v", b)
	}
}
