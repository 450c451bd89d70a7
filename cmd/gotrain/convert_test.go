package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/nn/hub/convert"
)

// TestExportImport trains, exports to both formats, imports the GGUF file and
// samples: all go on alike.
func TestExportImport(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, "pretrain", "--config", writeConfig(t, dir))
	for _, step := range []struct {
		args   []string
		format convert.Format
		types  map[string]int
	}{
		{[]string{"export", in("run"), in("model.gguf")}, convert.GGUF, map[string]int{"F32": 28}},
		{[]string{"export", in("run"), in("half.gguf"), "--type", "bf16"}, convert.GGUF, map[string]int{"BF16": 9, "F32": 19}},
		{[]string{"export", in("run"), in("hf"), "--type", "f32"}, convert.HuggingFace, map[string]int{"F32": 28}},
		{[]string{"import", in("model.gguf"), in("back")}, convert.HuggingFace, map[string]int{"F32": 28}},
	} {
		var r convert.Report
		mustJSON(t, &r, step.args...)
		if r.Format != step.format || r.ModelType != "gpt2" || r.Parity == nil || r.Parity.Prompt == "" {
			t.Errorf("%s gives %+v", strings.Join(step.args, " "), r)
		}
		for name, n := range step.types {
			if r.Types[name] != n {
				t.Errorf("%s: tensors %v, want %v", strings.Join(step.args, " "), r.Types, step.types)
			}
		}
		if lossy := step.types["BF16"] > 0; (r.Parity.LargestDifference == 0) == lossy {
			t.Errorf("%s: logits differ by %g", strings.Join(step.args, " "), r.Parity.LargestDifference)
		}
	}
	if _, err := os.Stat(in("model.parity.json")); err != nil {
		t.Error(err)
	}
	sample := func(model string) string {
		return must(t, "sample", "--model", in(model), "--prompt", "line 1", "--greedy", "--max-tokens", "12")
	}
	if a, b, c := sample("run"), sample("hf"), sample("back"); a != b || a != c {
		t.Errorf("samples %q, %q, %q", a, b, c)
	}
	text := must(t, "export", in("run"), in("again.gguf"), "--type", "q8_0", "--verify=false")
	if !strings.Contains(text, "matrices with rows of 16 are F16 in place of Q8_0, as in llama.cpp: these are no whole blocks of 32") || strings.Contains(text, "logits") {
		t.Errorf("export to q8_0 prints %q", text)
	}
	text = must(t, "export", in("run"), in("measured.gguf"), "--type", "f16", "--measure", in("run/config.yaml"))
	if !strings.Contains(text, "F16: weights are off by") || !strings.Contains(text, "NLL of ") {
		t.Errorf("an export that is measured prints %q", text)
	}
}

// TestAdapters trains an adapter, takes it out of the checkpoint alone, and uses it
// on the base, on which another run goes on with it; and the base comes back.
func TestAdapters(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	config := writeConfig(t, dir)
	must(t, "pretrain", "--config", config)
	tune := func(run string, args ...string) {
		t.Helper()
		text := "run: {dir: " + in(run) + "}\ndata: {train: [" + in("train.txt") + "]}\ntrain: {steps: 4, batch: 2, save_every: 4, eval_every: 0, sample: \"\"}\noptimizer: {lr: 0.05}\n"
		must(t, append([]string{"finetune", "--config", write(t, in(run+".yaml"), text), "--base", in("run")}, args...)...)
	}
	tune("tuned", "--set", "lora.rank=4", "--set", "lora.targets=[c_attn, mlp.c_fc]", "--set", "lora.merge=true")

	var r convert.Report
	mustJSON(t, &r, "export", in("tuned"), in("adapter"), "--format", "peft")
	if r.Format != convert.PEFT || r.Types["F32"] != 8 || r.Parity != nil {
		t.Errorf("export of the adapter: %+v", r)
	}
	mustJSON(t, &r, "export", in("run"), in("merged"), "--adapter", in("adapter"))
	if !r.Parity.Exact || r.Unmerged || r.Adapter != in("adapter") {
		t.Errorf("merge: %+v", r)
	}
	mustJSON(t, &r, "export", in("tuned"), in("unmerged"), "--unmerge")
	if !r.Parity.Exact || !r.Unmerged {
		t.Errorf("unmerge: %+v", r)
	}
	if text := must(t, "export", in("merged"), in("out.gguf"), "--unmerge", "--adapter", in("tuned")); !strings.Contains(text, "without the adapter "+in("tuned")) {
		t.Errorf("unmerge prints %q", text)
	}

	nll := func(args ...string) float64 {
		t.Helper()
		var r evalResult
		mustJSON(t, &r, append([]string{"eval", "--data", in("train.txt"), "--model"}, args...)...)
		return r.NLL
	}
	tuned, base := nll(in("tuned")), nll(in("run"))
	for _, c := range []struct {
		name string
		got  float64
		want float64
	}{
		{"base and adapter", nll(in("run"), "--adapter", in("adapter")), tuned},
		{"base and the run's adapter", nll(in("run"), "--adapter", in("tuned")), tuned},
		{"merged", nll(in("merged")), tuned},
		{"unmerged", nll(in("unmerged")), base},
	} {
		if math.Abs(c.got-c.want) > 1e-5 {
			t.Errorf("%s: NLL %g, want %g", c.name, c.got, c.want)
		}
	}
	if tuned >= base {
		t.Errorf("tuning takes the NLL from %g to %g", base, tuned)
	}
	tune("again", "--adapter", in("adapter"))
	if again := nll(in("again")); again >= tuned {
		t.Errorf("more tuning takes the NLL from %g to %g", tuned, again)
	}

	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{1, "is merged into the weights of", []string{"sample", "--prompt", "x", "--model", in("tuned"), "--adapter", in("adapter")}},
		{2, "is an adapter: name the model", []string{"finetune", "--config", in("again.yaml"), "--base", in("adapter")}},
		{2, "was trained without one", []string{"sample", "--prompt", "x", "--model", in("run"), "--adapter", in("run")}},
		{2, "as peft saves it", []string{"import", in("run"), in("x"), "--adapter", dir}},
		{2, "was trained without one", []string{"export", in("run"), in("x"), "--unmerge"}},
		{2, "was trained without one", []string{"export", in("run"), in("x"), "--format", "peft"}},
		{2, "leave --adapter, --unmerge and --tokenizer out", []string{"export", in("tuned"), in("x"), "--format", "peft", "--unmerge"}},
		{2, "exists already", []string{"export", in("tuned"), in("adapter"), "--format", "peft"}},
		{2, "lora.rank is 2, but the adapter has 4", []string{"finetune", "--config", in("again.yaml"), "--base", in("run"), "--adapter", in("adapter"), "--set", "lora.rank=2"}},
	} {
		if o := gotrain(t, "", c.args...); o.code != c.code || o.out != "" || !strings.Contains(o.errOut, c.want) {
			t.Errorf("%s: exit code %d, %q; want %d, %q", strings.Join(c.args, " "), o.code, o.errOut, c.code, c.want)
		}
	}
}

// TestAdapterAlone uses a run whose checkpoints hold no weights of the base as any other
// run: the base is found wherever the commands run, and what cannot be done names the way.
func TestAdapterAlone(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	config := writeConfig(t, dir)
	must(t, "pretrain", "--config", config)
	text := "run: {dir: " + in("tuned") + "}\ndata: {train: [" + in("train.txt") + "]}\ntrain: {steps: 4, batch: 2, save_every: 2, eval_every: 0, sample: \"\"}\n" +
		"optimizer: {lr: 0.05}\nlora: {rank: 4}\n"
	t.Chdir(dir)
	must(t, "finetune", "--config", write(t, in("tuned.yaml"), text), "--base", "run")
	t.Chdir(t.TempDir()) // the base was given relative to another directory

	var r convert.Report
	mustJSON(t, &r, "export", in("tuned"), in("merged"))
	if r.Adapter == "" || r.Rank != 4 || r.Changed != 8 || !r.Parity.Exact {
		t.Errorf("export: %+v", r)
	}
	if text := must(t, "export", in("tuned"), in("alone"), "--format", "peft"); !strings.Contains(text, "the adapter alone, to "+in("run")) {
		t.Errorf("the adapter alone: %q", text)
	}
	must(t, "export", in("tuned"), in("tuned.gguf"))
	must(t, "import", in("alone"), in("imported"))

	sample := func(args ...string) string {
		return must(t, append([]string{"sample", "--prompt", "line 1", "--greedy", "--max-tokens", "12", "--model"}, args...)...)
	}
	want := sample(in("merged"))
	for _, args := range [][]string{{in("tuned")}, {in("alone")}, {in("imported")}, {in("run"), "--adapter", in("tuned")}, {in("run"), "--adapter", in("alone")}} {
		if got := sample(args...); got != want {
			t.Errorf("%s goes on with %q, merged it goes on with %q", args, got, want)
		}
	}
	for _, args := range [][]string{
		{"eval", "--data", in("train.txt"), "--model", in("tuned")},
		{"score", "--data", write(t, in("score.jsonl"), `{"prompt": "line", "completion": " 1"}`), "--model", in("tuned")},
		{"data", "inspect", write(t, in("talks.jsonl"), `{"instruction": "line", "output": "1"}`), "--model", in("tuned"), "--template", "plain"},
		{"resume", in("tuned"), "--set", "train.steps=6"},
		{"runs", dir},
	} {
		must(t, args...)
	}
	var info checkpointInfo
	mustJSON(t, &info, "inspect", "checkpoint", in("tuned"))
	if a := info.Adapter; a == nil || a.Rank != 4 || a.Scale != 1 || a.Layers != 8 || a.Fault != "" || info.State.Step != 6 || len(info.Tensors) != 16 {
		t.Errorf("inspect checkpoint gives %+v", info)
	}
	base := info.Adapter.Base

	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "is an adapter: name the model that it was trained on, and the adapter with --adapter", []string{"finetune", "--config", in("tuned.yaml"), "--base", in("tuned")}},
		{1, "there is nothing to take out: the base is " + base, []string{"export", in("tuned"), in("x"), "--unmerge"}},
		{1, "is an adapter itself, to " + base, []string{"sample", "--prompt", "x", "--model", in("tuned"), "--adapter", in("alone")}},
	} {
		if o := gotrain(t, "", c.args...); o.code != c.code || !strings.Contains(o.errOut, c.want) {
			t.Errorf("%s: exit code %d, %q; want %d, %q", strings.Join(c.args, " "), o.code, o.errOut, c.code, c.want)
		}
	}
	if err := os.Rename(in("run"), in("moved")); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(in("moved"), "checkpoints", filepath.Base(base))
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "is an adapter to " + base + ", and there is no such directory", []string{"sample", "--prompt", "x", "--model", in("tuned")}},
		{0, base + ", and there is no such directory", []string{"inspect", "checkpoint", in("tuned")}},
		{2, "the base of the adapter is gone", []string{"resume", in("tuned"), "--set", "train.steps=8", "--dry-run"}},
		{0, "", []string{"sample", "--prompt", "x", "--model", in("moved"), "--adapter", in("tuned")}},
		{0, moved, []string{"resume", in("tuned"), "--set", "train.steps=8", "--set", "base=" + in("moved")}},
		{0, "", []string{"finetune", "--config", in("tuned.yaml"), "--base", in("moved"), "--set", "train.steps=9"}},
		{0, "", []string{"sample", "--prompt", "x", "--model", in("tuned")}},
	} {
		if o := gotrain(t, "", c.args...); o.code != c.code || !strings.Contains(o.out+o.errOut, c.want) {
			t.Errorf("%s: exit code %d, %q, %q; want %d, %q", strings.Join(c.args, " "), o.code, o.out, o.errOut, c.code, c.want)
		}
	}
}
