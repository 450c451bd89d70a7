package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train"
	"example.com/gotrain/train/device"
)

// TestExitCodes holds the codes of the contract as numbers.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {failure{errors.New("disk")}, 1}, {failure{usagef("flag")}, 2}, {errors.New("of cobra"), 2}, {failure{device.Errorf("no GPU")}, 2},
		{failure{train.ErrStopped}, 75}, {failure{fmt.Errorf("rank 1: %w", train.ErrStopped)}, 75}, {failure{fs.ErrNotExist}, 1},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// TestWrongConfigurations: a configuration that is wrong ends with 2 also where that shows only when files are opened, and
// leaves no run behind; data and disks that are at fault end with 1.
func TestWrongConfigurations(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("empty.txt"), "")
	write(t, in("short.txt"), "ab\n")
	write(t, in("word.txt"), "word")
	write(t, in("body.jsonl"), `{"body":"a"}`+"\n")
	write(t, in("late.jsonl"), `{"text":"a"}`+"\n"+`{"body":"a"}`+"\n")
	write(t, in("bad.json"), "{")
	write(t, in("bad.jinja"), "{% if %}")
	question := strings.Repeat("long ", 20)
	write(t, in("long.jsonl"), fmt.Sprintf("{\"prompt\":%q,\"completion\":\"yes\"}\n{\"prompt\":%q,\"completion\":\"no\"}\n", question, question))
	write(t, in("same.jsonl"), strings.Repeat("{\"prompt\":\"a\",\"completion\":\"yes\"}\n", 5))
	must(t, "pretrain", "--config", config, "--run", in("base"), "--set", "train.steps=1")
	tune := write(t, in("tune.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/tuned}
base:      DIR/base
data:      {train: [DIR/same.jsonl], format: instruct, instruct: {template: plain}}
train:     {steps: 1, batch: 2, document_mask: true, sample: ""}
optimizer: {lr: 1e-2, warmup: 0}
`, "DIR", dir))
	for _, c := range []struct {
		code int
		want string
		tune bool
		set  []string
	}{
		{2, "train.patience needs held-out text", false, []string{"train.patience=1", "data.validation_paths=[]"}},
		{2, "train.sample has 40 tokens; use 1 to 31", false, []string{"train.sample=" + strings.Repeat("x", 40)}},
		{2, "model.vocab is 100 but the tokenizer has 257", false, []string{"model.vocab=100"}},
		{2, "train.freeze: no parameter matches", false, []string{"train.freeze=[nothing.*]"}},
		{2, "every parameter is frozen", false, []string{"train.freeze=['*']"}},
		{2, "apart from gpt2, cl100k, o200k: download the tokenizer.json", false, []string{"tokenizer.path=openai-community/gpt2"}},
		{2, "names of models are not looked up", false, []string{"tokenizer.path=meta-llama/Llama-3.2-1B"}},
		{1, "bad.json", false, []string{"tokenizer.path=DIR/bad.json"}},
		{2, "the training text has 4 tokens", false, []string{"data.train=[DIR/short.txt]"}},
		{2, "validation 0.1 holds out none of 1 documents", false, []string{"data.train=[DIR/word.txt]", "data.validation_paths=[]", "data.validation=0.1"}},
		{1, "no text in 1 files", false, []string{"data.train=[DIR/empty.txt]", "data.validation_paths=[]"}},
		{2, `no key "text"`, false, []string{"data.format=jsonl", "data.train=[DIR/body.jsonl]"}},
		{1, `late.jsonl:2: no key "text"`, false, []string{"data.format=jsonl", "data.train=[DIR/late.jsonl]", "data.validation_paths=[]"}},
		{2, "is in train and in validation_paths", false, []string{"data.validation_paths=[DIR/train.txt]"}},
		{2, "NOT_THERE is not set", false, []string{"data.cache_dir=$NOT_THERE"}},
		{2, "train.steps and train.epochs are both given", false, []string{"train.epochs=2", "train.steps=3"}},
		{2, `did you mean "epochs"?`, false, []string{"train.num_epochs=2"}},
		{2, `did you mean "steps"?`, false, []string{"train.max_steps=2"}},
		{2, `did you mean "lr"?`, false, []string{"optimizer.learning_rate=2"}},

		{2, "all 2 examples are longer than a row of 32 tokens (raise train.context, or set data.instruct.truncate to left", true, []string{"data.train=[DIR/long.jsonl]"}},
		{2, "no answer is left when they are cut on the right (set data.instruct.truncate to left", true, []string{"data.train=[DIR/long.jsonl]", "data.instruct.truncate=right"}},
		{2, "data.validation 0.5 ", true, []string{"data.validation=0.5"}},
		{2, `chat template "nope" is not shipped`, true, []string{"data.instruct.template=nope"}},
		{2, "nope.jinja: no such file", true, []string{"data.instruct.template=nope.jinja"}},
		{1, "bad.jinja", true, []string{"data.instruct.template=DIR/bad.jinja"}},
		{2, "has no chat template of its own", true, []string{"data.instruct.template="}},
		{2, "is no special token of this tokenizer", true, []string{"data.instruct.template=chatml", "data.instruct.truncate=left"}},
		{2, `no linear layer is called "nope"`, true, []string{"lora={rank: 2, targets: [nope]}"}},
	} {
		run := in("run-" + t.Name())
		args := []string{"pretrain", "--config", config, "--run", run}
		if c.tune {
			args = []string{"finetune", "--config", tune, "--run", run}
		}
		for _, s := range c.set {
			args = append(args, "--set", strings.ReplaceAll(s, "DIR", dir))
		}
		o := gotrain(t, "", args...)
		if o.code != c.code || !strings.Contains(o.errOut, c.want) {
			t.Errorf("%q: exit code %d, want %d with %q\n%s", c.set, o.code, c.code, c.want, o.errOut)
		}
		if _, err := os.Stat(run); c.code == 2 && err == nil {
			t.Errorf("%q: a run directory is left", c.set)
		}
		os.RemoveAll(run)
	}
}

// TestEpochs: steps follow from passes over the data, as plan says before.
func TestEpochs(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	// 9000 bytes and the end of text are ⌊(9001-32)/32⌋ = 280 windows of 32 tokens; 4 a step are 70 steps an epoch.
	for epochs, want := range map[string]int{"1": 70, "0.1": 7, "0.101": 8, "2.5": 175} {
		var r struct {
			Steps  int
			Epochs float64
		}
		mustJSON(t, &r, "plan", "--config", config, "--set", "train.epochs="+epochs)
		if r.Steps != want || fmt.Sprint(r.Epochs) != epochs {
			t.Errorf("%s epochs: %+v, want %d steps", epochs, r, want)
		}
	}
	if out := must(t, "plan", "--config", config, "--set", "train.epochs=0.1"); !strings.Contains(out, "7 steps × 4 sequences") || !strings.Contains(out, "epochs       0.1, from which the steps follow") {
		t.Errorf("plan prints\n%s", out)
	}
	o := gotrain(t, "", "pretrain", "--config", config, "--set", "train.epochs=0.1")
	if o.code != 0 || !strings.Contains(o.errOut, "steps      7: 0.1 epochs of 280 sequences, 4 a step\n") || !strings.Contains(o.errOut, "\nstep 7/7 ") {
		t.Errorf("exit code %d\n%s", o.code, o.errOut)
	}
	// The same again is no change; more epochs are.
	if o = gotrain(t, "", "pretrain", "--config", config, "--set", "train.epochs=0.1"); strings.Contains(o.errOut, "changed") || !strings.Contains(o.errOut, "is at step 7 of 7") {
		t.Errorf("the same again: %s", o.errOut)
	}
	if o = gotrain(t, "", "resume", filepath.Join(dir, "run"), "--set", "train.epochs=0.13"); !strings.Contains(o.errOut, "train.steps              7          10") {
		t.Errorf("more epochs: %s", o.errOut)
	}
}

// TestEvalOfNothing: where no byte was scored, there are no bits per byte.
func TestEvalOfNothing(t *testing.T) {
	dir := t.TempDir()
	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=1")
	run, letter := filepath.Join(dir, "run"), write(t, filepath.Join(dir, "a.txt"), "a")
	var r map[string]any
	mustJSON(t, &r, "eval", "--model", run, "--data", letter)
	if bits, ok := r["bits_per_byte"]; !ok || bits != nil || r["tokens"] != 1.0 {
		t.Errorf("eval gives %v", r)
	}
	if out := must(t, "eval", "--model", run, "--data", letter); !strings.Contains(out, "bits per byte  none: no byte was scored\n") {
		t.Errorf("eval prints\n%s", out)
	}
}

// TestEvalOfConversations scores the answers as training scores them when they are held out.
func TestEvalOfConversations(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, "pretrain", "--config", config, "--run", in("base"), "--set", "train.steps=2")
	write(t, in("talks.jsonl"), "{\"prompt\":\"hi\",\"completion\":\"hello there\"}\n{\"prompt\":\"bye\",\"completion\":\"so long\"}\n")
	write(t, in("held.jsonl"), "{\"prompt\":\"hey\",\"completion\":\"good day\"}\n{\"prompt\":\"what?\",\"completion\":\"yes\"}\n")
	tune := write(t, in("tune.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/tuned}
base:      DIR/base
data:      {train: [DIR/talks.jsonl], validation_paths: [DIR/held.jsonl], format: instruct, instruct: {template: plain}}
train:     {steps: 2, batch: 2, document_mask: true, sample: ""}
optimizer: {lr: 1e-2, warmup: 0}
`, "DIR", dir))
	must(t, "finetune", "--config", tune)
	want := checkMetrics(t, in("tuned"), 2)
	var got evalResult
	mustJSON(t, &got, "eval", "--model", in("tuned"), "--format", "instruct", "--data", in("held.jsonl"))
	// "good day" and "yes" are 11 bytes; each answer ends with a token of its own.
	if got.Bytes != 11 || got.Tokens != 13 || math.Abs(got.NLL-want.Get("nll")) > 1e-5 || math.Abs(*got.BitsPerByte-want.Get("bits_per_byte")) > 1e-5 {
		t.Errorf("eval gives %+v, training %s", got, want.Text())
	}
	// Beside its base, on what the run has held out itself; an adapter beside what it is put on.
	var alone, both evalResult
	mustJSON(t, &alone, "eval", "--model", in("base"), "--format", "instruct", "--template", "plain", "--data", in("held.jsonl"))
	adapted := write(t, in("lora.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/lora}
base:      DIR/base
lora:      {rank: 2}
data:      {train: [DIR/talks.jsonl], validation_paths: [DIR/held.jsonl], format: instruct, instruct: {template: plain}}
train:     {steps: 2, batch: 2, document_mask: true, sample: ""}
optimizer: {lr: 1e-1, warmup: 0}
`, "DIR", dir))
	must(t, "finetune", "--config", adapted)
	wantLoRA := checkMetrics(t, in("lora"), 2)
	for args, nll := range map[string]float64{
		"--model " + in("tuned"): want.Get("nll"),
		"--model " + in("lora"):  wantLoRA.Get("nll"),
		"--model " + in("tuned") + " --data " + in("held.jsonl") + " --format instruct":                                              want.Get("nll"),
		"--model " + in("base") + " --adapter " + in("lora") + " --data " + in("held.jsonl") + " --format instruct --template plain": wantLoRA.Get("nll"),
	} {
		both = evalResult{}
		words := append([]string{"eval", "--base-too"}, strings.Fields(args)...)
		mustJSON(t, &both, words...)
		if math.Abs(both.NLL-nll) > 1e-5 || both.Base == nil || math.Abs(both.Base.NLL-alone.NLL) > 1e-5 || both.Tokens != 13 || both.Base.Tokens != 13 || math.Abs(nll-alone.NLL) < 1e-4 {
			t.Errorf("%s gives %+v beside %+v, want %g beside %g", args, both, both.Base, nll, alone.NLL)
		}
		printed := must(t, words...)
		if want := fmt.Sprintf("nll            %12.4f %12.4f %+12.4f\n", both.Base.NLL, both.NLL, both.NLL-both.Base.NLL); !strings.Contains(printed, want) {
			t.Errorf("%s prints\n%swithout %s", args, printed, want)
		}
	}
	for _, c := range []struct{ want, args string }{
		{"conversations are of --format instruct", "--model " + in("tuned") + " --format chat --data " + in("held.jsonl")},
		{"name one with --template", "--model " + in("base") + " --format instruct --data " + in("held.jsonl")},
		{"was not tuned from a base", "--model " + in("base") + " --base-too --format jsonl --text-key prompt --data " + in("held.jsonl")},
		{"eval needs --data: " + in("base") + " was not tuned on conversations", "--model " + in("base")},
		{"--template and --date go with --data", "--model " + in("tuned") + " --template plain"},
		{"eval needs --data", "--model " + in("tuned") + " --format text"},
		{"--template and --date go with --format instruct", "--model " + in("base") + " --template plain --data " + in("held.jsonl")},
	} {
		if o := gotrain(t, "", append([]string{"eval"}, strings.Fields(c.args)...)...); o.code != 2 || !strings.Contains(o.errOut, c.want) {
			t.Errorf("%s: exit code %d\n%s", c.args, o.code, o.errOut)
		}
	}
}
