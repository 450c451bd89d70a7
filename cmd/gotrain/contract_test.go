package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/generate/generatetest"
	"example.com/gotrain/nn/talk"
	"example.com/gotrain/train"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/units"
)

// TestContractOfExitCodes: the numbers that scripts and launchers rely on.
func TestContractOfExitCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {failure{errors.New("x")}, 1}, {failure{usagef("x")}, 2}, {errors.New("from cobra"), 2}, {failure{&device.Error{}}, 2},
		{failure{train.ErrStopped}, 75}, {failure{fmt.Errorf("saved: %w", train.ErrStopped)}, 75},
	} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("%v ends with %d, want %d", tc.err, got, tc.want)
		}
	}
	for args, want := range map[string]int{
		"version": 0, "sampel": 2, "sample": 2, "plan --config none.yaml": 2, "score --model none --data none.jsonl": 2, "tokenizer info none": 1,
	} {
		if o := gotrain(t, "", strings.Fields(args)...); o.code != want && !(want == 1 && o.code == 2) {
			t.Errorf("%s ends with %d, want %d: %s", args, o.code, want, o.errOut)
		}
	}
}

// TestContractOfARun: the files of a run and the keys of metrics.jsonl are those that scripts
// read, and what uses the model says what it is.
func TestContractOfARun(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	must(t, "pretrain", "--config", config, "--set", "train.steps=6", "--set", "train.save_every=2", "--set", "train.keep=2", "--set", "train.eval_every=3", "--set", "model.context=128")
	runDir := filepath.Join(dir, "run")
	for _, name := range []string{
		"config.yaml", "metrics.jsonl", "tokenizer/tokenizer.json", "checkpoints/step-00000006/model.safetensors", "checkpoints/step-00000006/config.json",
		"checkpoints/step-00000006/optimizer.safetensors", "checkpoints/step-00000006/trainer_state.json", "checkpoints/step-00000006/manifest.json",
		"checkpoints/step-00000006/generation_config.json", "checkpoints/step-00000006/tokenizer_config.json", "checkpoints/step-00000004",
	} {
		if _, err := os.Stat(filepath.Join(runDir, name)); err != nil {
			t.Error(err)
		}
	}
	if target, err := os.Readlink(filepath.Join(runDir, "checkpoints", "latest")); err != nil || target != "step-00000006" {
		t.Errorf("latest is %s, %v", target, err)
	}
	if events, err := filepath.Glob(filepath.Join(runDir, "events.out.tfevents.*")); err != nil || len(events) != 1 {
		t.Errorf("TensorBoard's files are %v, %v", events, err)
	}
	text, err := os.ReadFile(filepath.Join(runDir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	const common = `step split nll ppl lr grad_norm tokens tokens_per_s step_ms mfu time`
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 8 {
		t.Fatalf("%d lines of metrics, want 6 steps and 2 evaluations:\n%s", len(lines), text)
	}
	for _, line := range lines {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(common)
		if r["split"] == "val" {
			want = append(want, "bits_per_byte")
		}
		if len(r) != len(want) {
			t.Errorf("%s has %d keys, want %v", line, len(r), want)
		}
		for _, key := range want {
			if _, ok := r[key]; !ok {
				t.Errorf("%s lacks %s", line, key)
			}
		}
		nll, _ := r["nll"].(float64)
		if ppl, _ := r["ppl"].(float64); math.Abs(ppl-math.Exp(nll)) > 1e-6*ppl || r["tokens"] != r["step"].(float64)*4*128 {
			t.Errorf("%s: perplexity and tokens are others", line)
		}
	}

	var e evalResult
	mustJSON(t, &e, "eval", "--model", runDir, "--data", filepath.Join(dir, "validation.txt"))
	held, err := os.ReadFile(filepath.Join(dir, "validation.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var last map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if e.Step != 6 || e.Bytes != int64(len(held)) || e.Tokens != len(held) || math.Abs(e.NLL-last["nll"].(float64)) > 1e-4 || math.Abs(*e.BitsPerByte-last["bits_per_byte"].(float64)) > 1e-4 {
		t.Errorf("eval gives %+v, the run ended with %v", e, last)
	}
	// The key of the text decides what is scored.
	records := write(t, filepath.Join(dir, "a.jsonl"), `{"text": "line 1 says", "body": "line 1 says that 1 and 1 make 2."}`+"\n")
	var byText, byBody evalResult
	mustJSON(t, &byText, "eval", "--model", runDir, "--data", records)
	mustJSON(t, &byBody, "eval", "--model", runDir, "--data", records, "--text-key", "body")
	if byText.Bytes != 11 || byBody.Bytes != 32 {
		t.Errorf("%d bytes of text and %d of body", byText.Bytes, byBody.Bytes)
	}

	sample := func(args ...string) (r sampleResult) {
		t.Helper()
		mustJSON(t, &r, append([]string{"sample", "--model", runDir, "--prompt", "line 1", "--max-tokens", "20"}, args...)...)
		return r
	}
	greedy, other, drawn := sample("--greedy"), sample("--greedy", "--seed", "5"), sample("--seed", "5")
	if greedy.Text != other.Text || greedy.Text == drawn.Text || sample("--seed", "5").Text != drawn.Text || sample("--seed", "6").Text == drawn.Text {
		t.Errorf("greedy %q and %q, drawn %q", greedy.Text, other.Text, drawn.Text)
	}
	if greedy.PromptTokens != 6 || len(greedy.Tokens) > 20 || len(greedy.Text) != len(greedy.Tokens) || greedy.Prompt != "line 1" || drawn.Seed != 5 {
		t.Errorf("%+v", greedy)
	}
	if all := 1e3 * float64(len(greedy.Tokens)) / greedy.TokensPerS; greedy.FirstMS <= 0 || greedy.FirstMS >= all {
		t.Errorf("the first token came after %v ms of %v", greedy.FirstMS, all)
	}
	if plain := must(t, "sample", "--model", runDir, "--prompt", "line 1", "--max-tokens", "20", "--greedy"); strings.TrimSuffix(plain, "\n") != strings.TrimSuffix("line 1"+greedy.Text, "\n") {
		t.Errorf("it prints %q, as JSON %q", plain, greedy.Text)
	}

	// What the system says reaches the model however it is said.
	talks := func(input string, args ...string) (answers []string) {
		t.Helper()
		o := gotrain(t, input, append([]string{"chat", "--model", runDir, "--template", "plain", "--max-tokens", "8", "--temperature", "3", "--top-p", "1", "--json"}, args...)...)
		var r chatResult
		if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != 0 {
			t.Fatal(o.errOut, err)
		}
		for _, turn := range r.Turns {
			answers = append(answers, turn.Text)
		}
		return answers
	}
	silent, flag, said := talks("hi\n"), talks("hi\n", "--system", "Be brief."), talks("/system Be brief.\nhi\n/reset\nhi\n")
	if !slices.Equal(said, []string{flag[0], flag[0]}) || silent[0] == flag[0] {
		t.Errorf("without a system %q, with --system %q, with /system and after /reset %q", silent, flag, said)
	}

	// Resume goes on in the directory that it is given, wherever the run was.
	moved := filepath.Join(dir, "moved")
	if err := os.Rename(runDir, moved); err != nil {
		t.Fatal(err)
	}
	must(t, "resume", moved, "--set", "train.steps=8")
	if target, err := os.Readlink(filepath.Join(moved, "checkpoints", "latest")); err != nil || target != "step-00000008" {
		t.Errorf("after resume latest is %s, %v", target, err)
	}
	if text, err = os.ReadFile(filepath.Join(moved, "metrics.jsonl")); err != nil || strings.Count(string(text), `"split":"train"`) != 8 {
		t.Errorf("after resume the metrics are\n%s, %v", text, err)
	}
	if _, err := os.Stat(moved + ".1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("resume sets the run aside: %v", err)
	}
	if _, err := os.Stat(runDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("resume made %s again: %v", runDir, err)
	}
}

// TestContractOfAPlan: what is printed is what the JSON says, of as many ranks as are asked
// for, with the price.
func TestContractOfAPlan(t *testing.T) {
	config := writeConfig(t, t.TempDir())
	args := []string{"plan", "--config", config, "--card", "h100-sxm", "--ranks", "2", "--price", "3", "--set", "train.accumulate=4"}
	var r forecast.Report
	mustJSON(t, &r, args...)
	if r.Ranks != 2 || r.Price != 3 || math.Abs(r.Cost-3*2*r.Seconds/3600) > 1e-9 || r.StepUnits != 4*4*32 || r.Batch != 4 || r.Accumulate != 4 || r.Steps != 12 {
		t.Errorf("%+v", r)
	}
	printed := must(t, args...)
	for name, want := range map[string]string{
		"parameters": units.Bytes(r.Memory.Parameters), "optimizer state": units.Bytes(r.Memory.Optimizer), "inputs and tables": units.Bytes(r.Memory.Inputs),
		"activations, gradients, scratch (arena)": units.Bytes(r.Memory.Arena), "stored gradients": units.Bytes(r.Memory.Gradients), "caches of what shows samples": units.Bytes(r.Memory.Caches),
	} {
		found := false
		for line := range strings.Lines(printed) {
			if strings.HasSuffix(strings.TrimSpace(line), want+"  "+name) {
				found = true
			}
		}
		if !found {
			t.Errorf("no line says %s %s:\n%s", want, name, printed)
		}
	}
	for _, want := range []string{"about " + units.Seconds(r.Seconds), units.Bytes(r.Memory.Total) + " at the peak", units.Bytes(r.CheckpointBytes) + " each", "about " + units.Money(r.Cost) + " at 3 an hour"} {
		if !strings.Contains(printed, want) {
			t.Errorf("no line says %q:\n%s", want, printed)
		}
	}
}

// TestChatStreamsBytes: what is printed are the bytes of the tokens as they come, whatever
// characters they are parts of.
func TestChatStreamsBytes(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	model := generatetest.New(t, tokens.Vocab(), 128)
	generator, err := generate.New(model, model.Store(), generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	template, vars, err := talk.OpenTemplate("plain", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tokens.Special("<|endoftext|>")
	frame, err := talk.NewFrame(tokens, template, vars, []int32{end})
	if err != nil {
		t.Fatal(err)
	}
	const answer = "né 😀\xff!"
	for p := range 128 - 10 {
		if err := model.Say(p, end); err != nil {
			t.Fatal(err)
		}
	}
	var f chatFlags
	c := newChat()
	c.SetContext(t.Context())
	var out, errOut bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&errOut)
	talker := talk.New(talk.Speaker{Generator: generator, Tokens: tokens, Frame: frame, MaxTokens: 20}, "Be kind.")
	ids, err := frame.Prompt(append(talker.Messages(), chat.Message{Role: chat.User, Content: "Q"})...)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.Say(len(ids)-1, append(tokens.AppendEncode(nil, []byte(answer)), end)...); err != nil {
		t.Fatal(err)
	}
	s := chatSession{cobra: c, flags: &f, talk: talker}
	lines := func(text string) lineReader { return &plainLines{bufio.NewReader(strings.NewReader(text))} }
	if err := s.converse(lines("Q\n")); err != nil {
		t.Fatal(err)
	}
	if turns := s.result.Turns; out.String() != answer+"\n" || len(turns) != 1 || turns[0].Text != answer {
		t.Errorf("it prints %q, the turns are %+v; %s", out.String(), turns, errOut.String())
	}
	if err := s.converse(lines("/reset\n/what\n/system\n/system Be brief. \n/reset\n")); err != nil || talker.System() != "Be brief." || len(talker.Messages()) != 1 {
		t.Errorf("%v, the system says %q in %v", err, talker.System(), talker.Messages())
	}
	if err := talker.Wait(); err != nil {
		t.Error(err)
	}
}

// TestTextsEnd: a model that has learnt that texts end after "ab" ends its own there, in every
// command, and computes in the precision that it is asked for.
func TestTextsEnd(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.jsonl"), strings.Repeat("{\"text\": \"ab\"}\n", 200))
	config := write(t, filepath.Join(dir, "c.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run}
model: {family: gpt2, layers: 1, heads: 2, width: 16, context: 12}
tokenizer: {kind: bytes}
data: {format: jsonl, train: [DIR/a.jsonl], cache_dir: DIR/cache}
train: {steps: 400, batch: 8, eval_every: 0, save_every: 0, sample_tokens: 0}
optimizer: {lr: 1e-2, warmup: 5, schedule: constant}
`, "DIR", dir))
	must(t, "pretrain", "--config", config)
	runDir := filepath.Join(dir, "run")
	var s sampleResult
	mustJSON(t, &s, "sample", "--model", runDir, "--prompt", "a", "--greedy", "--max-tokens", "9")
	if s.Text != "b" || s.EndedBy != "stop" || len(s.Tokens) != 1 || s.PromptTokens != 1 {
		t.Errorf("sample goes on with %q, ended by %s", s.Text, s.EndedBy)
	}
	if got := must(t, "sample", "--model", runDir, "--prompt", "a", "--greedy", "--max-tokens", "9"); got != "ab\n" {
		t.Errorf("sample prints %q", got)
	}
	questions := write(t, filepath.Join(dir, "q.jsonl"), `{"prompt": "a", "completion": "b"}`+"\n"+`{"prompt": "a", "completion": "a"}`+"\n")
	likelihood := map[string]float64{}
	for _, precision := range []string{"float32", "bfloat16"} {
		var r scoreResult
		mustJSON(t, &r, "score", "--model", runDir, "--data", questions, "--precision", precision)
		if !r.Results[0].Greedy || r.Results[1].Greedy || r.Results[0].LogLikelihood < -0.5 || r.Results[1].LogLikelihood > -1 {
			t.Errorf("%s: %+v", precision, r.Results)
		}
		likelihood[precision] = r.Results[1].LogLikelihood
	}
	if math.Abs(likelihood["float32"]-likelihood["bfloat16"]) < 1e-6 {
		t.Errorf("both precisions give %v", likelihood)
	}
	// Questions are as many as are asked for, with as many examples.
	var lines strings.Builder
	for i := range 5 {
		fmt.Fprintf(&lines, "{\"q\": \"a%d\", \"a\": \"#### b\"}\n", i)
	}
	write(t, filepath.Join(dir, "t.jsonl"), lines.String())
	task := write(t, filepath.Join(dir, "t.yaml"), "kind: generate\ndata: t.jsonl\nshots_data: t.jsonl\nprompt: '{{.q}}'\ntarget: '{{.a}}'\nseparator: ' '\nanswer: a\npattern: '(b)'\nmax_tokens: 2\nlimit: 4\nshots: 1\n")
	for args, want := range map[string][2]int{"": {4, 1}, "--limit 2": {2, 1}, "--shots 3": {4, 3}, "--limit 3 --shots 0": {3, 0}} {
		got := must(t, append([]string{"eval", "--task", task, "--prompts"}, strings.Fields(args)...)...)
		if n, shots := strings.Count(got, "────"), strings.Count(got, "####"); n != want[0] || shots != want[0]*want[1] {
			t.Errorf("eval --task %s has %d prompts with %d examples:\n%s", args, n, shots, got)
		}
	}
}
