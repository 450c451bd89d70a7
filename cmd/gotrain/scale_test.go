package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/scale"
)

// writeLadder writes a ladder of two sizes and three budgets of a few steps.
func writeLadder(t *testing.T, dir string) (file string) {
	t.Helper()
	return write(t, filepath.Join(dir, "ladder.yaml"), strings.ReplaceAll(`
config: DIR/tiny.yaml
dir: DIR/ladder
count: non-embedding
set: [train.eval_every=0, train.save_every=2, train.sample=""]
sizes: [[model.width=8, model.layers=1], [model.width=16, model.layers=1]]
tokens: [256, 768]
`, "DIR", dir))
}

// writeFigure writes a comparison of one size and a few steps.
func writeFigure(t *testing.T, dir string) (file string) {
	t.Helper()
	return write(t, filepath.Join(dir, "figure.yaml"), strings.ReplaceAll(`
config: DIR/tiny.yaml
dir: DIR/figure
set: [train.eval_every=0, train.save_every=2, train.sample=""]
sizes: [[model.width=32, model.layers=1]]
tokens: 512
`, "DIR", dir))
}

// TestScaleFigure: a comparison that is stopped goes on, makes nothing twice, and writes
// table and picture of what it tells.
func TestScaleFigure(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir)
	file, in := writeFigure(t, dir), func(name string) string { return filepath.Join(dir, "figure", name) }
	args := []string{"scale", "lstm-figure", "--config", file, "--batch", "3"}
	var listed ladderJSON
	mustJSON(t, &listed, append(args, "--dry-run")...)
	if len(listed.Runs) != 2 || listed.Runs[0].State != "waiting" || listed.Runs[0].D != 512 || listed.Runs[1].D != 512 {
		t.Fatalf("%+v", listed)
	}
	ctx, stop := context.WithCancel(t.Context())
	errOut, out := &stopAt{text: "run 1 of 1  N", stop: stop}, bytes.Buffer{}
	if code := run(ctx, args, strings.NewReader(""), &out, errOut); code != exitRequeue {
		t.Fatalf("a comparison that is stopped has exit code %d\n%s", code, errOut.String())
	}
	var figure struct {
		Early, Late [2]int
		Curves      []struct {
			Side                         string
			N, Early_nll, Late_nll, Gain float64
			NLL                          []float64
		}
	}
	mustJSON(t, &figure, args...)
	if len(figure.Curves) != 2 || figure.Curves[0].Side != "transformer" || figure.Curves[1].Side != "lstm" || figure.Late != [2]int{16, 32} {
		t.Fatalf("%+v", figure)
	}
	for _, curve := range figure.Curves {
		if len(curve.NLL) != 32 || curve.NLL[31] < 1 || curve.NLL[31] > 10 || curve.Early_nll-curve.Late_nll != curve.Gain {
			t.Errorf("%+v", curve)
		}
	}
	if table := strings.Split(content(t, in("figure.csv")), "\n"); len(table) != 34 || !strings.HasPrefix(table[0], "position,transformer n=") {
		t.Errorf("the table has %d lines and begins with %q", len(table), table[0])
	}
	if !strings.HasPrefix(content(t, in("figure.png")), "\x89PNG") {
		t.Error("figure.png is no picture")
	}
	svg := filepath.Join(dir, "curves.svg")
	o := gotrain(t, "", append(args, "--picture", svg)...)
	if o.code != 0 || strings.Contains(o.errOut, "run 1 of") || !strings.Contains(o.out, "the Transformer gains") || !strings.Contains(content(t, svg), "<svg") {
		t.Errorf("again: exit code %d\n%s\n%s", o.code, o.out, o.errOut)
	}
}

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type ladderJSON struct {
	Counted string
	Runs    []struct {
		Run, State string
		N, D, C    float64
		Steps      int
	}
}

// TestScaleRun: a ladder that is stopped goes on, makes nothing twice, and comes to the
// same results as one that was not.
func TestScaleRun(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir)
	file := writeLadder(t, dir)
	var listed ladderJSON
	mustJSON(t, &listed, "scale", "run", "--config", file, "--dry-run")
	if len(listed.Runs) != 4 || listed.Counted == "" {
		t.Fatalf("%+v", listed)
	}
	for i, r := range listed.Runs {
		if r.State != "waiting" || r.C != 6*r.N*r.D || r.D != float64(r.Steps)*4*32 || i > 0 && r.C < listed.Runs[i-1].C {
			t.Errorf("run %d is %+v", i, r)
		}
	}
	// 12·8² weights and 9·8 biases of a block, norms of 4·8 in it, 2·8 after it.
	if want := 12*8*8 + 9*8 + 4*8 + 2*8; listed.Runs[0].N != float64(want) {
		t.Errorf("N is %g, want %d", listed.Runs[0].N, want)
	}
	if exists(filepath.Join(dir, "ladder")) {
		t.Error("a dry run leaves a directory")
	}

	ctx, stop := context.WithCancel(t.Context())
	errOut := &stopAt{text: "run 3 of 4", stop: stop}
	var out bytes.Buffer
	if code := run(ctx, []string{"scale", "run", "--config", file}, strings.NewReader(""), &out, errOut); code != exitRequeue {
		t.Fatalf("a ladder that is stopped has exit code %d\n%s", code, errOut.String())
	}
	first := filepath.Join(listed.Runs[0].Run, "metrics.jsonl")
	before, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	o := gotrain(t, "", "scale", "run", "--config", file, "--json")
	if o.code != 0 || strings.Contains(o.errOut, "run 1 of 4") || !strings.Contains(o.errOut, "run 4 of 4") || strings.Count(o.out, `"done"`) != 4 {
		t.Errorf("exit code %d\n%s%s", o.code, o.out, o.errOut)
	}
	if after, err := os.ReadFile(first); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a run that was done is made again: %v", err)
	}
	whole := filepath.Join(dir, "whole")
	must(t, "scale", "run", "--config", file, "--set", fmt.Sprintf("dir=%q", whole))
	one, err := os.ReadFile(filepath.Join(whole, "table.csv"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(dir, "ladder", "table.csv"))
	if err != nil || strings.ReplaceAll(string(one), whole, "") != strings.ReplaceAll(string(other), filepath.Join(dir, "ladder"), "") {
		t.Errorf("%v: a ladder has come to\n%s\nand one that was stopped to\n%s", err, one, other)
	}
	if again := gotrain(t, "", "scale", "run", "--config", file); again.code != 0 || strings.Contains(again.errOut, "step") {
		t.Errorf("a ladder that is done: exit code %d\n%s", again.code, again.errOut)
	}
	o = gotrain(t, "", "scale", "fit", filepath.Join(dir, "ladder"))
	if o.code != 1 || !strings.Contains(o.errOut, "there are 4 points; a law of five coefficients needs 6 or more") {
		t.Errorf("a fit of four runs: exit code %d\n%s", o.code, o.errOut)
	}
}

// lawTable is a table of runs that obey a law.
func lawTable(law scale.Law) string {
	var text strings.Builder
	text.WriteString("Model Size,Training FLOP,loss\n")
	for n := 1e5; n < 3e6; n *= 2 {
		for d := 1e6; d < 2e8; d *= 4 {
			fmt.Fprintf(&text, "%g,%g,%.12g\n", n, 6*n*d, law.Loss(n, d))
		}
	}
	return text.String()
}

// TestScaleFit fits a table; what it writes plans budgets, and runs beside it.
func TestScaleFit(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	law := scale.Law{A: 30, B: 120, E: 1.2, Alpha: .3, Beta: .4}
	csv, fit := write(t, filepath.Join(dir, "points.csv"), lawTable(law)), filepath.Join(dir, scale.FileName)
	var r scale.Report
	mustJSON(t, &r, "scale", "fit", csv, "--out", fit, "--bootstrap", "20", "--picture", filepath.Join(dir, "laws.svg"), "--count", "all")
	if a := r.Parametric.Alpha.Value; a < .2999 || a > .3001 || r.Points != 20 || r.Count != scale.CountAll || len(r.Resamples) != 0 {
		t.Errorf("%+v", r)
	}
	if !exists(filepath.Join(dir, "laws.svg")) {
		t.Error("there is no picture")
	}
	text := must(t, "scale", "fit", csv, "--bootstrap", "0", "--n", "model size", "--drop-worst", "1")
	for _, want := range []string{"19; N from 1e+05", "parameters as the file counts them", "from 4500 starts", "approach 3", "approach 2", "approach 1", "Kaplan"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %q", text, want)
		}
	}
	var best planned
	mustJSON(t, &best, "scale", "plan", "--fit", dir, "--flops", "1e15")
	if n, d := law.Optimal(1e15); best.N.Value/n > 1.001 || n/best.N.Value > 1.001 || best.D.Value/d > 1.001 || best.From != fit || best.Counted == "" {
		t.Errorf("%+v", best)
	}
	mustJSON(t, &best, "scale", "plan", "--fit", fit, "--params", "1e6", "--tokens", "1e7")
	if l := best.Loss.Value / law.Loss(1e6, 1e7); l < .9999 || l > 1.0001 {
		t.Errorf("%+v", best)
	}
	if text := must(t, "scale", "plan", "--flops", "5.76e23"); !strings.Contains(text, "7.2356e+10") || !strings.Contains(text, "1.973963") || !strings.Contains(text, "all parameters, embeddings included") {
		t.Errorf("by the published law\n%s", text)
	}
	if text := must(t, "scale", "plan", "--params", "70e9", "--law", "chinchilla"); !strings.Contains(text, "1.28") {
		t.Errorf("tokens for 70 billion parameters\n%s", text)
	}
	for want, args := range map[string][]string{
		"loss         2.375640": {"--params", "1e9"}, "loss         2.262442": {"--tokens", "1e10"}, "loss         1.332196": {"--flops", "8.64e25"}, "D            1e+10 tokens, 10 a parameter\nloss": {"--params", "1e9", "--tokens", "1e10"},
	} {
		text := must(t, append([]string{"scale", "plan", "--law", "kaplan"}, args...)...)
		if !strings.Contains(text, want) || !strings.Contains(text, "without embeddings and head") {
			t.Errorf("by Kaplan's law %q gives\n%s", args, text)
		}
	}
	if text := must(t, "plan", "--config", config); !strings.Contains(text, fit+" says ") || !strings.Contains(text, "for as many FLOPs") {
		t.Errorf("a plan beside laws\n%s", text)
	}
	o := gotrain(t, "", "pretrain", "--config", config)
	if o.code != 0 || !strings.Contains(o.errOut, "by "+fit+" of 20 runs, band ") {
		t.Errorf("a run beside laws: exit code %d\n%s", o.code, o.errOut)
	}
	must(t, "scale", "fit", csv, "--out", fit, "--bootstrap", "0", "--count", "non-embedding")
	for _, c := range []struct {
		named string
		args  []string
		want  scale.Count
	}{
		{"", []string{dir}, scale.CountBody}, {"all", []string{dir}, scale.CountAll}, {"", []string{dir, dir}, scale.CountAll},
		{"", []string{t.TempDir()}, scale.CountAll}, {"", []string{csv}, ""}, {"all", []string{csv}, scale.CountAll},
	} {
		if got := countOf(c.named, c.args); got != c.want {
			t.Errorf("N of %q counts %q where %q is named, want %q", c.args, got, c.named, c.want)
		}
	}
	write(t, fit, "{")
	if o := gotrain(t, "", "plan", "--config", config); o.code != 1 || !strings.Contains(o.errOut, fit+" holds no fitted laws") {
		t.Errorf("a plan beside a file that holds none: exit code %d\n%s", o.code, o.errOut)
	}
}

// TestScaleWrongUse wants the exit code, and one line that names the fault.
func TestScaleWrongUse(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	file, figure := writeLadder(t, dir), writeFigure(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	csv := write(t, in("points.csv"), "n,d,loss\n1,2,3\n1,2,x\n")
	lacks := write(t, in("lacks.csv"), "n,loss\n1,3\n")
	wrong := write(t, in("wrong.yaml"), "config: opticks\nbudget: [1]\n")
	both := write(t, in("both.yaml"), "config: opticks\ndir: x\nsizes: [[model.layers=1]]\nbudgets: [1e9]\ntokens: [1e3]\n")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "wants a subcommand: fit, lstm-figure, plan, run", []string{"scale"}},
		{2, "needs --config", []string{"scale", "run"}},
		{2, "no such file", []string{"scale", "run", "--config", in("nope.yaml")}},
		{2, `wrong.yaml:2:1: unknown key "budget"`, []string{"scale", "run", "--config", wrong}},
		{2, "give one of budgets, tokens and tokens_per_parameter", []string{"scale", "run", "--config", both}},
		{2, "a budget is -3", []string{"scale", "run", "--config", file, "--set", "tokens=[-3]"}},
		{2, "sizes[0]: 1 tokens are 0.00781 steps of 128 tokens", []string{"scale", "run", "--config", file, "--set", "tokens=[1]"}},
		{2, "two rungs have N = 888 and D = 256", []string{"scale", "run", "--config", file, "--set", "tokens=[256, 257]"}},
		{2, `count is "body"; use all`, []string{"scale", "run", "--config", file, "--set", "count=body"}},
		{2, "sizes is missing", []string{"scale", "run", "--config", file, "--set", "sizes=[]"}},
		{2, "sizes[0]: --set model.layerz: unknown key", []string{"scale", "run", "--config", file, "--set", "sizes=[[model.layerz=1]]"}},
		{2, "needs --config", []string{"scale", "lstm-figure"}},
		{2, "no such file", []string{"scale", "lstm-figure", "--config", in("nope.yaml")}},
		{2, `unknown key "count"`, []string{"scale", "lstm-figure", "--config", figure, "--set", "count=all"}},
		{2, "--windows is 0", []string{"scale", "lstm-figure", "--config", figure, "--windows", "0"}},
		{2, "--picture is", []string{"scale", "lstm-figure", "--config", figure, "--picture", "x.gif"}},
		{2, "layers is -1", []string{"scale", "lstm-figure", "--config", figure, "--set", "layers=-1"}},
		{2, "wants directories of runs, or a table", []string{"scale", "fit"}},
		{2, "no such file", []string{"scale", "fit", in("nope.csv")}},
		{2, "there is no directory", []string{"scale", "fit", in("nope")}},
		{1, `points.csv:3: "loss" is "x", which is no number`, []string{"scale", "fit", csv}},
		{1, "lacks.csv:1: two of N, D and C", []string{"scale", "fit", lacks}},
		{1, `points.csv:1: there is no column "seen"`, []string{"scale", "fit", csv, "--d", "seen"}},
		{2, "which stands alone", []string{"scale", "fit", csv, csv}},
		{2, "name columns of a table", []string{"scale", "fit", dir, "--n", "x"}},
		{2, "--picture is", []string{"scale", "fit", csv, "--picture", "x.gif"}},
		{2, "--band is 95", []string{"scale", "fit", csv, "--band", "95"}},
		{2, "--bootstrap is -1", []string{"scale", "fit", csv, "--bootstrap", "-1"}},
		{2, "--count is", []string{"scale", "fit", csv, "--count", "some"}},
		{2, "give --flops, or --params", []string{"scale", "plan"}},
		{2, "give --flops, or --params", []string{"scale", "plan", "--tokens", "1e9"}},
		{2, "give --flops, or --params", []string{"scale", "plan", "--law", "kaplan"}},
		{2, "--flops is -1", []string{"scale", "plan", "--flops", "-1"}},
		{2, `no published law "x"; use chinchilla`, []string{"scale", "plan", "--flops", "1e9", "--law", "x"}},
		{2, "no such file", []string{"scale", "plan", "--flops", "1e9", "--fit", dir}},
		{1, "holds no fitted laws", []string{"scale", "plan", "--flops", "1e9", "--fit", config}},
	} {
		o := gotrain(t, "", c.args...)
		line, more, _ := strings.Cut(o.errOut, "\n")
		if o.code != c.code || o.out != "" || more != "" || !strings.Contains(line, c.want) {
			t.Errorf("gotrain %s\nexit code %d, want %d\noutput %q\nerror %q\nwant one line with %q", strings.Join(c.args, " "), o.code, c.code, o.out, o.errOut, c.want)
		}
	}
}
