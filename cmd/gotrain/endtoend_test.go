package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"example.com/gotrain/data"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// writeConfig writes a configuration and its texts into dir.
func writeConfig(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, "line %d says that %d and %d make %d.\n", i, i%7, i%11, i%7+i%11)
	}
	write(t, filepath.Join(dir, "train.txt"), text.String()[:9000])
	write(t, filepath.Join(dir, "validation.txt"), text.String()[9000:])
	return write(t, filepath.Join(dir, "tiny.yaml"), strings.ReplaceAll(`
run:       {dir: DIR/run, seed: 7}
threads:   2
model:     {family: gpt2, layers: 2, heads: 2, width: 16, context: 32}
tokenizer: {kind: bytes}
data:      {train: [DIR/train.txt], validation_paths: [DIR/validation.txt], cache_dir: DIR/cache}
train:     {steps: 12, batch: 4, eval_every: 6, save_every: 4, sample: "line ", sample_tokens: 4}
optimizer: {lr: 1e-2, warmup: 2}
`, "DIR", dir))
}

func write(t *testing.T, file, content string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// stopAt cancels a context once a text was written.
type stopAt struct {
	bytes.Buffer
	text string
	stop context.CancelFunc
}

func (s *stopAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.text)) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

// TestTraining goes the way of a user: train, stop, resume, sample, evaluate,
// score, look inside.
func TestTraining(t *testing.T) {
	dir := t.TempDir()
	config, runDir := writeConfig(t, dir), filepath.Join(dir, "run")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	errOut := &stopAt{text: "step-00000004", stop: stop}
	var out bytes.Buffer
	if code := run(ctx, []string{"pretrain", "--config", config}, strings.NewReader(""), &out, errOut); code != exitRequeue {
		t.Fatalf("a stopped run has exit code %d\n%s", code, errOut.String())
	}
	must(t, "resume", runDir)
	validation := checkMetrics(t, runDir, 12)
	t.Run("eval", func(t *testing.T) { testEval(t, dir, validation) })
	t.Run("sample", func(t *testing.T) { testSample(t, runDir) })
	t.Run("score", func(t *testing.T) { testScore(t, dir) })
	t.Run("inspect", func(t *testing.T) { testInspect(t, dir) })
	t.Run("data", func(t *testing.T) { testData(t, config) })
	t.Run("damaged", func(t *testing.T) { testDamaged(t, runDir) })
}

// TestStopBeforeTheFirstStep stops a rank that waits for the others, and a process
// that fits its tokenizer: nothing is lost, so the scheduler has to start them again.
// TestPretrainPaths learns from files and directories that the command line names, with a
// configuration that ships.
func TestPretrainPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	text := strings.Repeat("A line of a text.\n", 200)
	if err := os.MkdirAll("my [1] texts/deep", 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, "my [1] texts/deep/a.txt", text)
	write(t, "my [1] texts/b.txt", text)
	var records strings.Builder
	for i := range 200 {
		fmt.Fprintf(&records, `{"text": "Record %d."}`+"\n", i)
	}
	write(t, "records.jsonl", records.String())
	small := []string{"--set", "train.steps=2", "--set", "model.layers=1", "--set", "model.context=32", "--set", "tokenizer.vocab=270", "--set", "data.cache_dir=cache"}
	must(t, append([]string{"pretrain", "my [1] texts"}, small...)...)
	var info struct {
		Data struct{ Train []string }
	}
	cfg, err := os.ReadFile("runs/my [1] texts/config.yaml")
	if err != nil || yaml.Unmarshal(cfg, &info) != nil || len(info.Data.Train) != 1 || info.Data.Train[0] != "my [[]1] texts/**" {
		t.Fatalf("%v, %+v", err, info)
	}
	must(t, append([]string{"pretrain", "records.jsonl", "--config", "characters", "--run", "runs/other"}, small...)...)
	if cfg, err := os.ReadFile("runs/other/config.yaml"); err != nil || !strings.Contains(string(cfg), "format: jsonl") || !strings.Contains(string(cfg), "kind: characters") {
		t.Errorf("%v: %s", err, cfg)
	}
	for _, wrong := range [][]string{{"pretrain", "nope.txt"}, {"pretrain", "--config", "optick"}} {
		if r := gotrain(t, "", wrong...); r.code != 2 || !strings.Contains(r.errOut, "no such file") {
			t.Errorf("%q: exit code %d, %s", wrong, r.code, r.errOut)
		}
	}
}

func TestStopBeforeTheFirstStep(t *testing.T) {
	config := writeConfig(t, t.TempDir())
	stop := func(after time.Duration, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		var errOut bytes.Buffer
		code := run(ctx, append([]string{"pretrain", "--config", config}, args...), strings.NewReader(""), io.Discard, &errOut)
		if code != exitRequeue || !strings.Contains(errOut.String(), "it had not begun to train") {
			t.Errorf("exit code %d\n%s", code, errOut.String())
		}
	}
	stop(0, "--set", "tokenizer.kind=bpe", "--set", "tokenizer.vocab=300")
	t.Setenv("RANK", "1")
	t.Setenv("WORLD_SIZE", "2")
	t.Setenv("MASTER_ADDR", "127.0.0.1")
	t.Setenv("MASTER_PORT", "9") // where nobody answers
	stop(100 * time.Millisecond)
}

// checkMetrics wants each step once and returns the last validation.
func checkMetrics(t *testing.T, runDir string, steps int) metrics.Record {
	t.Helper()
	raw, err := os.ReadFile(train.MetricsPath(runDir))
	if err != nil {
		t.Fatal(err)
	}
	var last metrics.Record
	next := int64(1)
	for line := range bytes.Lines(raw) {
		var r metrics.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Split == metrics.Val {
			last = r
			continue
		}
		if r.Step != next {
			t.Fatalf("metrics.jsonl goes on with step %d, want %d", r.Step, next)
		}
		if !(r.MFU > 0) {
			t.Errorf("step %d has mfu %g", r.Step, r.MFU)
		}
		next++
	}
	if next != int64(steps)+1 {
		t.Fatalf("metrics.jsonl ends before step %d, want %d steps", next, steps)
	}
	return last
}

// testEval wants the score that training gave the same text.
func testEval(t *testing.T, dir string, want metrics.Record) {
	var got evalResult
	mustJSON(t, &got, "eval", "--model", filepath.Join(dir, "run"), "--data", filepath.Join(dir, "validation.txt"))
	if math.Abs(got.NLL-want.Get("nll")) > 1e-5 || got.BitsPerByte == nil || math.Abs(*got.BitsPerByte-want.Get("bits_per_byte")) > 1e-5 || got.Step != 12 {
		t.Errorf("eval gives %+v, training gave %s", got, want.Text())
	}
	var strided evalResult
	mustJSON(t, &strided, "eval", "--model", filepath.Join(dir, "run"), "--data", filepath.Join(dir, "validation.txt"), "--stride", "4")
	if strided.Tokens != got.Tokens || strided.Bytes != got.Bytes || strided.NLL == got.NLL {
		t.Errorf("with a stride %+v, without %+v", strided, got)
	}
	if r := gotrain(t, "", "eval", "--model", filepath.Join(dir, "run"), "--data", filepath.Join(dir, "validation.txt"), "--stride", "100000"); r.code != 2 || !strings.Contains(r.errOut, "--stride is 100000") {
		t.Errorf("a stride beyond the context: %d, %s", r.code, r.errOut)
	}
	if !strings.Contains(must(t, "eval", "--model", filepath.Join(dir, "run"), "--data", filepath.Join(dir, "validation.txt")), "bits per byte") {
		t.Error("eval prints no bits per byte")
	}
}

func testSample(t *testing.T, runDir string) {
	link := filepath.Join(runDir, "checkpoints", "latest")
	var a, b sampleResult
	mustJSON(t, &a, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "8")
	mustJSON(t, &b, "sample", "--model", link, "--prompt", "line ", "--max-tokens", "8")
	if a.Text != b.Text || len(a.Tokens) == 0 || a.PromptTokens != 5 {
		t.Errorf("two samples of one seed: %+v and %+v", a, b)
	}
	o := gotrain(t, "line \n", "sample", "--model", runDir, "--prompt", "-", "--max-tokens", "8")
	if want := strings.TrimSuffix("line "+a.Text, "\n") + "\n"; strings.ToValidUTF8(o.out, "\uFFFD") != want {
		t.Errorf("sample streams %q, --json gives %q", o.out, want)
	}
	var c sampleResult
	mustJSON(t, &c, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "0", "--greedy")
	// 5 tokens of prompt and 28 are one more than the context: the last is not fed back.
	if len(c.Tokens) != 28 && c.EndedBy != "stop" {
		t.Errorf("the whole context gives %d tokens, ended by %s", len(c.Tokens), c.EndedBy)
	}
	testSampleFlags(t, runDir)
}

// testSampleFlags goes beyond the context, makes several texts, and stops at strings.
func testSampleFlags(t *testing.T, runDir string) {
	var long, again, several, stopped sampleResult
	mustJSON(t, &long, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "100")
	if long.EndedBy == generate.Length && len(long.Tokens) != 100 {
		t.Errorf("100 tokens of a context of 32 are %d, ended by %s", len(long.Tokens), long.EndedBy)
	}
	file := write(t, filepath.Join(t.TempDir(), "prompt.txt"), "line \n")
	mustJSON(t, &again, "sample", "--model", runDir, "--prompt-file", file, "--max-tokens", "100")
	if again.Text != long.Text {
		t.Errorf("from a file the text is %q, want %q", again.Text, long.Text)
	}
	mustJSON(t, &several, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "100", "--num-samples", "3")
	if len(several.Samples) != 3 || several.Samples[0].Text != long.Text || several.Samples[1].Seed != long.Seed+1 || several.Samples[1].Text == long.Text {
		t.Errorf("three texts are %+v, the first alone is %+v", several.Samples, long.Continuation)
	}
	middle := []rune(long.Text)
	stop := string(middle[len(middle)/2 : len(middle)/2+2])
	mustJSON(t, &stopped, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "100", "--stop", "no such text", "--stop", stop)
	if before, _, _ := strings.Cut(long.Text, stop); stopped.Text != before || stopped.EndedBy != generate.Stopped {
		t.Errorf("stopped at %q: %q, ended by %s, want %q", stop, stopped.Text, stopped.EndedBy, before)
	}
	o := gotrain(t, "", "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "100", "--stop", stop, "--count", "2")
	if first, _, _ := strings.Cut(o.out, "\n---------------\n"); o.code != 0 || strings.ToValidUTF8(strings.TrimSuffix(first, "\n"), "\uFFFD") != strings.TrimSuffix("line "+stopped.Text, "\n") || !strings.Contains(o.errOut, "ended by --stop") {
		t.Errorf("printed %q and %q, want %q", o.out, o.errOut, "line "+stopped.Text)
	}
	o = gotrain(t, strings.Repeat("line ", 20), "sample", "--model", runDir, "--prompt", "-", "--max-tokens", "2")
	if o.code != 0 || !strings.Contains(o.errOut, "it reads the newest of them") {
		t.Errorf("a prompt longer than the context: exit code %d, %q", o.code, o.errOut)
	}
	testSampleBatch(t, runDir)
	for _, wrong := range [][]string{{"--count", "0", "--prompt", "x"}, {"--batch", "0", "--prompt", "x"}, {"--batch", "2", "--prompt-file", write(t, filepath.Join(t.TempDir(), "long.txt"), strings.Repeat("line ", 20))}, {"--prompt", "x", "--prompt-file", file}, {"--prompt-file", file + ".none"}, nil} {
		if o := gotrain(t, "", append([]string{"sample", "--model", runDir}, wrong...)...); o.code != 2 {
			t.Errorf("%v: exit code %d, %s", wrong, o.code, o.errOut)
		}
	}
}

// testSampleBatch writes texts at once: those of any other number at once, each with its seed.
func testSampleBatch(t *testing.T, runDir string) {
	var few, many sampleResult
	mustJSON(t, &few, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "9", "--count", "3", "--batch", "2")
	mustJSON(t, &many, "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "9", "--count", "12", "--batch", "11")
	if len(few.Samples) != 3 || len(many.Samples) != 12 {
		t.Fatalf("%d and %d samples, want 3 and 12", len(few.Samples), len(many.Samples))
	}
	for i, s := range few.Samples {
		if s.Text != many.Samples[i].Text || s.Seed != few.Samples[0].Seed+uint64(i) {
			t.Errorf("text %d is %q with seed %d, of twelve %q", i, s.Text, s.Seed, many.Samples[i].Text)
		}
	}
	stop := string([]rune(few.Samples[0].Text)[1:3])
	o := gotrain(t, "", "sample", "--model", runDir, "--prompt", "line ", "--max-tokens", "9", "--count", "2", "--batch", "2", "--stop", stop)
	before, _, _ := strings.Cut(few.Samples[0].Text, stop)
	if first, _, _ := strings.Cut(o.out, "\n---------------\n"); o.code != 0 || first != strings.TrimSuffix("line "+before, "\n") || !strings.Contains(o.errOut, "2 texts") {
		t.Errorf("printed %q and %q, want %q", o.out, o.errOut, "line "+before)
	}
}

// testScore holds log-likelihoods to the chain rule and greedy to sample.
func testScore(t *testing.T, dir string) {
	runDir := filepath.Join(dir, "run")
	var s sampleResult
	mustJSON(t, &s, "sample", "--model", runDir, "--prompt", "line", "--max-tokens", "3", "--greedy")
	lines := []map[string]string{
		{"prompt": "line", "completion": "ab"}, {"prompt": "line", "completion": "a"}, {"prompt": "linea", "completion": "b"},
		{"prompt": "line", "completion": s.Text}, {"prompt": strings.Repeat("x", 100), "completion": "y"}, {"prompt": "", "completion": "l"},
	}
	var file bytes.Buffer
	for _, l := range lines {
		if err := json.NewEncoder(&file).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	var r scoreResult
	mustJSON(t, &r, "score", "--model", runDir, "--data", write(t, filepath.Join(dir, "questions.jsonl"), file.String()))
	if len(r.Results) != len(lines) {
		t.Fatalf("%d results of %d lines", len(r.Results), len(lines))
	}
	whole, parts := r.Results[0].LogLikelihood, r.Results[1].LogLikelihood+r.Results[2].LogLikelihood
	if math.Abs(whole-parts) > 1e-4 {
		t.Errorf("log-likelihood %g, in two parts %g", whole, parts)
	}
	if !r.Results[3].Greedy || r.Results[3].Tokens != 3 {
		t.Errorf("the greedy continuation %q is scored as %+v", s.Text, r.Results[3])
	}
	if a := r.Results[0]; a.PerToken != a.LogLikelihood/2 || a.Greedy {
		t.Errorf("the score is %+v", a)
	}
	o := gotrain(t, file.String(), "score", "--model", runDir, "--data", "-")
	if o.code != 0 || strings.Count(o.out, "\n") != len(lines) || !strings.Contains(o.errOut, "did not fit") {
		t.Errorf("score of standard input: exit code %d, %q, %q", o.code, o.out, o.errOut)
	}
}

func testInspect(t *testing.T, dir string) {
	var info checkpointInfo
	mustJSON(t, &info, "inspect", "checkpoint", filepath.Join(dir, "run"))
	if !info.Verified || info.State == nil || info.State.Step != 12 || len(info.Tensors) == 0 {
		t.Errorf("inspect checkpoint gives %+v", info)
	}
	var n int64
	for _, tensor := range info.Tensors {
		n += tensor.Elements()
		if tensor.Bad != 0 || !(tensor.Norm >= tensor.Max) {
			t.Errorf("tensor %+v", tensor)
		}
	}
	if n != info.Params {
		t.Errorf("%d parameters in tensors of %d elements", info.Params, n)
	}
	shards, err := filepath.Glob(filepath.Join(dir, "cache", "*", "train-*.gtsh"))
	if err != nil || len(shards) == 0 {
		t.Fatalf("no shards in the cache: %v", err)
	}
	if out := must(t, "inspect", "shard", shards[0]); !strings.Contains(out, "checksums agree") {
		t.Errorf("inspect shard prints %q", out)
	}
}

func testData(t *testing.T, config string) {
	var r struct {
		Inputs, Targets []int32
		Counted         int
	}
	mustJSON(t, &r, "data", "inspect", "--config", config, "--sample", "3")
	if len(r.Inputs) != 32 || r.Counted != 32 || r.Inputs[1] != r.Targets[0] {
		t.Errorf("data inspect gives %+v", r)
	}
	if out := must(t, "data", "inspect", "--config", config); strings.Count(out, "\n") != 34 {
		t.Errorf("data inspect prints %q", out)
	}
	var p struct {
		Reused     bool
		Train      *setInfo
		Validation *setInfo
	}
	mustJSON(t, &p, "data", "prepare", "--config", config)
	if !p.Reused || p.Train.Tokens != 9001 || p.Validation == nil {
		t.Errorf("data prepare gives %+v", p)
	}
}

// testDamaged cuts a checkpoint short; it comes last.
func testDamaged(t *testing.T, runDir string) {
	dir := filepath.Join(runDir, "checkpoints", "step-00000012")
	if err := os.Truncate(filepath.Join(dir, hub.ModelFile), 1000); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"sample", "--prompt", "x", "--json", "--model", dir}, {"eval", "--data", filepath.Join(dir, "config.json"), "--json", "--model", dir}, {"inspect", "checkpoint", "--json", dir},
	} {
		o := gotrain(t, "", args...)
		if o.code != exitFailed || o.out != "" || strings.Count(o.errOut, "\n") != 1 || !strings.Contains(o.errOut, "model.safetensors") {
			t.Errorf("%s of a damaged checkpoint: exit code %d, %q, %q", args[0], o.code, o.out, o.errOut)
		}
	}
}

// TestDryRun wants the plan and no trace.
func TestDryRun(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	before := tree(t, dir)
	out := must(t, "pretrain", "--config", config, "--dry-run")
	if !strings.Contains(out, "would begin at step 0") || !strings.Contains(out, "vocabulary 257") {
		t.Errorf("--dry-run prints %q", out)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("--dry-run leaves %s", after)
	}
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

func TestPlanCost(t *testing.T) {
	args := []string{"plan", "--config", "../../configs/gpt2-124m.yaml", "--card", "h100-sxm"}
	var r forecast.Report
	mustJSON(t, &r, append(args, "--price", "2.5")...)
	if want := 2.5 * r.Seconds / 3600; r.Seconds <= 0 || math.Abs(r.Cost-want) > 1e-9 {
		t.Errorf("%g s at 2.5 an hour cost %g, want %g", r.Seconds, r.Cost, want)
	}
	if out := must(t, append(args, "--price", "2.5")...); !strings.Contains(out, "\ncost         about 0.") {
		t.Errorf("no cost in\n%s", out)
	}
}

// TestLargestBatch plans for a GPU that is not here: the batch that plan names
// fits, one more sequence does not.
func TestLargestBatch(t *testing.T) {
	for _, batch := range []string{"4", "64", "100000"} { // the last does not fit
		args := []string{"plan", "--config", "../../configs/gpt2-124m.yaml", "--card", "h100-sxm", "--set", "train.accumulate=1", "--set"}
		var first forecast.Report
		mustJSON(t, &first, append(args, "train.batch="+batch)...)
		for _, more := range []int{0, 1} {
			var r forecast.Report
			mustJSON(t, &r, append(args, fmt.Sprintf("train.batch=%d", first.LargestBatch+more))...)
			if fits := r.Memory.Total <= r.Limits.Usable(); fits != (more == 0) {
				t.Errorf("from %s: the largest batch is %d, but %d needs %d of %d bytes", batch, first.LargestBatch, first.LargestBatch+more, r.Memory.Total, r.Limits.Usable())
			}
		}
	}
}

// TestPlan holds the plan's memory to what an engine allocates.
func TestPlan(t *testing.T) {
	file := writeConfig(t, t.TempDir())
	for _, set := range []string{"train.accumulate=1", "train.accumulate=3"} {
		var r forecast.Report
		mustJSON(t, &r, "plan", "--config", file, "--set", set)
		cfg, err := config.Load(file, []string{set}, tables())
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.SetVocab(r.Vocab); err != nil {
			t.Fatal(err)
		}
		job, err := table().Design(t.Context(), recipe.Env{Config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		backend, _, err := device.Open(cfg.Device, cfg.Threads, device.Collectives{}) // the one that was planned for
		if err != nil {
			t.Fatal(err)
		}
		defer backend.Close()
		engine, err := engine.New(cfg, job, backend, ranks.Coordinate(nil))
		if err != nil {
			t.Fatal(err)
		}
		m := r.Memory
		if state := m.Parameters + m.Optimizer + m.Gradients + m.Caches; state != engine.Store().Bytes() || m.Arena != engine.Programs().Arena() {
			t.Errorf("%s: the plan has %d bytes of state and %d of arena, the engine %d and %d", set, state, m.Arena, engine.Store().Bytes(), engine.Programs().Arena())
		}
		if r.Vocab != 257 || r.UnitsPerS <= 0 || r.Seconds <= 0 || m.Parameters != 4*r.Params {
			t.Errorf("%s: plan gives %+v", set, r)
		}
	}
	if out := must(t, "inspect", "plan", file, "--program", "step", "--dump"); !strings.Contains(out, "MatMul") {
		t.Errorf("inspect plan prints %q", out)
	}
	if out := must(t, "inspect", "config", file); !strings.Contains(out, "label_smoothing") {
		t.Errorf("inspect config prints %q", out)
	}
	if out := must(t, "inspect", "config", "--config", file); out != must(t, "inspect", "config", file) {
		t.Errorf("inspect config --config prints %q", out)
	}
}

// TestTokenizer trains one and goes there and back.
func TestTokenizer(t *testing.T) {
	dir := t.TempDir()
	config, out := writeConfig(t, dir), filepath.Join(dir, "tokenizer")
	text := filepath.Join(dir, "train.txt")
	must(t, "tokenizer", "train", "--data", text, "--vocab", "300", "--out", out)
	var info data.Vocabulary
	mustJSON(t, &info, "tokenizer", "info", "--tokenizer", out, "--data", text)
	if info.Vocab != 300 || info.Text == nil || info.Text.Bytes != 9000 || info.Text.BytesPerToken <= 1 || len(info.Special) != 1 {
		t.Errorf("tokenizer info gives %+v", info)
	}
	bytesText := "line 1 \xff\x00 says\n<|endoftext|>"
	ids := gotrain(t, bytesText, "tokenizer", "encode", "--tokenizer", out)
	if back := gotrain(t, ids.out, "tokenizer", "decode", "--tokenizer", out); back.out != bytesText {
		t.Errorf("encode and decode of %q give %q", bytesText, back.out)
	}
	var e encodedText
	mustJSON(t, &e, "tokenizer", "encode", "--tokenizer", out, "--special", "<|endoftext|>")
	if len(e.IDs) != 1 || e.IDs[0] != info.Special[0].ID {
		t.Errorf("encode --special gives %+v", e)
	}
	must(t, "tokenizer", "train", "--config", config, "--out", filepath.Join(dir, "bytes"))
	mustJSON(t, &info, "tokenizer", "info", "--tokenizer", filepath.Join(dir, "bytes"))
	if info.Vocab != 257 {
		t.Errorf("the tokenizer of the configuration has %d tokens", info.Vocab)
	}
}

// TestPlanOfRanks: ranks share the rows of a step and, with cluster.zero, the
// optimizer's state; the parameters are everywhere.
func TestPlanOfRanks(t *testing.T) {
	config := writeConfig(t, t.TempDir())
	plan := func(args ...string) (r forecast.Report) {
		mustJSON(t, &r, append([]string{"plan", "--config", config}, args...)...)
		return r
	}
	alone, four, zero := plan(), plan("--ranks", "4"), plan("--ranks", "4", "--set", "cluster.zero=1")
	whole := alone.Memory.Optimizer
	if four.Memory.Optimizer != whole || zero.Memory.Optimizer < whole/4 || zero.Memory.Optimizer > whole*2/5 {
		t.Errorf("optimizer's state is %d bytes, of 4 ranks %d each, with cluster.zero %d", whole, four.Memory.Optimizer, zero.Memory.Optimizer)
	}
	if zero.Memory.Parameters != alone.Memory.Parameters || zero.CheckpointBytes != alone.CheckpointBytes || zero.Ranks != 4 {
		t.Errorf("of 4 ranks the plan is %+v, of one %+v", zero, alone)
	}
	if four.Memory.Arena >= alone.Memory.Arena || four.StepUnits != alone.StepUnits || four.LargestBatch < alone.LargestBatch {
		t.Errorf("of 4 ranks the arena is %d, the largest batch %d; of one %d and %d", four.Memory.Arena, four.LargestBatch, alone.Memory.Arena, alone.LargestBatch)
	}
	if out := must(t, "plan", "--config", config, "--ranks", "4"); !strings.Contains(out, "of a rank, of 4") {
		t.Errorf("plan prints %q", out)
	}
}
