package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train"
	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/save"
)

// TestPrintedReports: what people read has each number in its place; here each is another one.
func TestPrintedReports(t *testing.T) {
	var out bytes.Buffer
	info := &checkpointInfo{
		Dir: "runs/x/checkpoints/step-00000007", Verified: true, Bytes: 5 << 20, Params: 1234567,
		State:   &save.State{Step: 7, Samples: 42, Units: 336, Phases: []save.PhaseState{{Applied: 6}}},
		Tensors: []safetensors.Statistics{{Name: "wte.weight", DType: "F32", Shape: []int{3, 4}, Norm: 1.5, RMS: 0.25, Max: 0.75}, {Name: "b", DType: "BF16", Shape: []int{5}, Norm: 2, RMS: 0.5, Max: 1, Bad: 2}},
	}
	if err := info.print(&out); err != nil {
		t.Fatal(err)
	}
	metrics := func(acc, stderr, perplexity float64) []eval.Metric {
		return []eval.Metric{{Name: "acc", Value: acc, StdErr: stderr}, {Name: "perplexity", Value: perplexity, StdErr: 0.75}}
	}
	report := eval.Report{
		Task: eval.Config{Name: "quiz", Shots: 3}, Seconds: 61, Results: make([]eval.Result, 5),
		Scores: []eval.Score{{Questions: 5, Metrics: metrics(0.4, 0.125, 6)}, {Group: "law", Questions: 2, Metrics: metrics(0.5, 0.25, 123456)}},
	}
	if err := report.Print(&out); err != nil {
		t.Fatal(err)
	}
	printStep(&out, bench.Timing{Name: "tiny", Params: 11200, Batch: 6, Context: 32, Vocab: 67, StepMS: 1.25, TokensPerS: 153600, GFLOPS: 10.5, FractionOfPeak: 0.42,
		PlannedBytes: 3 << 20, GPU: &bench.GPU{FirstStepS: 2.5, UsedBytes: 4 << 20, Nodes: 99, Idle: 0.031},
		Chosen: 12, ChosenS: 0.25, ChosenSaves: 0.125, Bits: []string{"abc", "abc"},
		ByKind:        []bench.Instruction{{Kind: "MatMul", Count: 3, MS: 1.5, Share: 0.75, GFLOPS: 123.25, GBPerS: 9, FractionOfPeak: 0.5}, {Kind: "Add", Count: 1, MS: 0.5, Share: 0.25, GBPerS: 7}},
		ByInstruction: []bench.Instruction{{Kind: "MatMul", What: "f32(2, 3) → f32(2)", Count: 3, MS: 1.5, Share: 0.75, GFLOPS: 123.25, GBPerS: 9, FractionOfPeak: 0.5}}})
	for _, d := range []train.Dry{{From: "c", Step: 9}, {Aside: true}, {}} {
		fmt.Fprintln(&out, beginning(&d))
	}
	const want = `checkpoint  runs/x/checkpoints/step-00000007
checksums   all files agree with the manifest, 5.0 MiB
state       step 7, 6 updates, 42 sequences, 336 tokens
parameters  1.23M in 2 tensors

tensor      type  shape                 norm        rms        max
wte.weight  F32   (3, 4)              1.5000    0.25000    0.75000
b           BF16  (5)                 2.0000    0.50000    1.00000  2 not finite
quiz, 3 shots, 5 questions in 1m1s

                                 questions        acc  ± stderr  perplexity  ± stderr
all                                      5      40.0%     12.5%        6.00      0.75
law                                      2      50.0%     25.0%    1.23e+05      0.75
tiny             11.2k batch 6 × 32, vocab 67            1.25      154k      10.5          42%
            first step after 2.50 s, 4.0 MiB used, 3.0 MiB planned, graph of 99 nodes, GPU idle 3.1%
            12 kernels chosen by timing in 250 ms, which saves 12.5% of their time
            first step: the same bits twice, abc

       ms  share launches    GFLOP/s      GB/s of the peak  by kind
    1.500  75.0%        3      123.2       9.0         50%  MatMul
    0.500  25.0%        1          -       7.0          0%  Add

       ms  share launches    GFLOP/s      GB/s of the peak  by kind and shape
    1.500  75.0%        3      123.2       9.0         50%  MatMul f32(2, 3) → f32(2)
at step 9, from c,
at step 0, with the earlier run set aside,
at step 0
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

// TestPrintedTokens: ids, tokens and texts of a tokenizer whose tokens are bytes.
func TestPrintedTokens(t *testing.T) {
	dir := t.TempDir()
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := tokenizers.Save(vfs.OS{}, dir, b, tokenizers.RolesOf(b, hf.Roles{}, 8)); err != nil {
		t.Fatal(err)
	}
	text := write(t, filepath.Join(dir, "a.txt"), "aab é")
	for _, tc := range []struct{ args, want string }{
		{"tokenizer encode --tokenizer DIR aé<|endoftext|>", fmt.Sprintf("%s\n", strings.Trim(fmt.Sprint([]byte("aé<|endoftext|>")), "[]"))},
		{"tokenizer encode --special --tokenizer DIR aé<|endoftext|>", "97 195 169 256\n"},
		{"tokenizer decode --tokenizer DIR 97 195 169 256", "aé<|endoftext|>"},
		{"tokenizer decode --tokenizer DIR 255 97", "\xffa"},
	} {
		if got := must(t, strings.Fields(strings.ReplaceAll(tc.args, "DIR", dir))...); got != tc.want {
			t.Errorf("%s prints %q, want %q", tc.args, got, tc.want)
		}
	}
	info := must(t, "tokenizer", "info", "--tokenizer", dir, "--data", text)
	for _, want := range []string{"vocabulary   257 tokens\n", "special      256     <|endoftext|>\n", "text         6 B are 6 tokens, 1.000 bytes a token, 5 of the vocabulary used\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("info prints\n%s\nwithout %q", info, want)
		}
	}
	var e encodedText
	mustJSON(t, &e, "tokenizer", "encode", "--tokenizer", dir, "é!")
	if fmt.Sprint(e) != `{[195 169 33] ["\xc3" "\xa9" "!"] 3}` {
		t.Errorf("as JSON %v", e)
	}
}

// TestPrintedData: the sequence that data inspect shows is that of a step, with its targets,
// and the sizes are those of the text.
func TestPrintedData(t *testing.T) {
	dir := t.TempDir()
	const one, two = "one é", "two two two"
	write(t, filepath.Join(dir, "a.jsonl"), fmt.Sprintf("{\"text\": %q}\n{\"text\": %q}\n", one, two))
	write(t, filepath.Join(dir, "held.jsonl"), `{"text": "held"}`+"\n")
	config := write(t, filepath.Join(dir, "c.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run, seed: 7}
model: {family: gpt2, layers: 1, heads: 2, width: 16, context: 30}
tokenizer: {kind: bytes}
data: {format: jsonl, train: [DIR/a.jsonl], validation_paths: [DIR/held.jsonl], cache_dir: DIR/cache}
train: {context: 18, document_mask: true, batch: 1}
`, "DIR", dir))
	var r struct {
		Split                                string
		Sample, Windows                      uint64
		Inputs, Targets, Segments, Positions []int32
		Counted                              int
		EndOfText                            int32 `json:"end_of_text"`
	}
	mustJSON(t, &r, "data", "inspect", "--config", config)
	all := append(append([]byte(one), 0), append([]byte(two), 0)...)
	at := bytes.Index(all, []byte{byte(r.Inputs[0]), byte(r.Inputs[1]), byte(r.Inputs[2])})
	if len(r.Inputs) != 18 || r.Windows != 1 || r.EndOfText != 256 || at < 0 {
		t.Fatalf("%+v: a sequence of train.context tokens of %q", r, all)
	}
	counted, segment, place := 0, int32(0), int32(0)
	for i, id := range r.Inputs {
		want, next := int32(all[at+i]), int32(all[at+i+1])
		if want == 0 {
			want = 256
		}
		if next == 0 {
			next = 256
		}
		if want == 256 {
			next = -1
		} else {
			counted++
		}
		if id != want || r.Targets[i] != next || r.Segments[i] != segment || r.Positions[i] != place {
			t.Errorf("place %d is %d with target %d, segment %d, position %d; want %d, %d, %d, %d", i, id, r.Targets[i], r.Segments[i], r.Positions[i], want, next, segment, place)
		}
		if place++; want == 256 {
			segment, place = segment+1, 0
		}
	}
	if r.Counted != counted {
		t.Errorf("%d targets count, want %d", r.Counted, counted)
	}
	printed := strings.Split(strings.TrimSpace(must(t, "data", "inspect", "--config", config)), "\n")
	if len(printed) != 20 || printed[0] != fmt.Sprintf("train sequence 0 of 1 in a pass: 18 tokens, %d targets count", counted) {
		t.Fatalf("printed %q", printed)
	}
	for i, line := range printed[2:] {
		f := strings.Fields(line)
		target := fmt.Sprint(r.Targets[i])
		if r.Targets[i] < 0 {
			target = "ignored"
		}
		if f[0] != fmt.Sprint(i) || f[1] != fmt.Sprint(r.Inputs[i]) || !strings.Contains(line, target) || strings.Contains(line, "end of a document") != (r.Inputs[i] == 256) {
			t.Errorf("line %q, want place %d, id %d, target %s", line, i, r.Inputs[i], target)
		}
	}
	mustJSON(t, &r, "data", "inspect", "--config", config, "--split", "validation")
	if r.Split != "validation" || r.Inputs[0] != 'h' || r.Counted != 4 {
		t.Errorf("of the held-out text %+v", r)
	}

	var p struct {
		Dir               string
		Reused            bool
		Vocab             int
		Train, Validation *setInfo
	}
	mustJSON(t, &p, "data", "prepare", "--config", config)
	if p.Train.Tokens != int64(len(one)+len(two)+2) || p.Train.Documents != 2 || p.Train.TextBytes != int64(len(one)+len(two)) || p.Validation.Tokens != 5 || p.Vocab != 257 || !p.Reused || len(p.Train.Shards) != 1 {
		t.Errorf("prepare: %+v, %+v, %+v", p, p.Train, p.Validation)
	}
	text := must(t, "data", "prepare", "--config", config)
	for _, want := range []string{
		fmt.Sprintf("train        %d tokens in 2 documents, %d B of text\n", len(one)+len(two)+2, len(one)+len(two)), "validation   5 tokens in 1 documents, 4 B of text\n",
		"tokenizer    257 tokens, fingerprint ", "shards       " + p.Dir + " (there already)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("prepare prints\n%s\nwithout %q", text, want)
		}
	}
	shard := must(t, "inspect", "shard", p.Train.Shards[0])
	for _, want := range []string{
		"split        train, shard 0 of its set\n", fmt.Sprintf("tokens       %d of 2 bytes, in 2 documents\n", len(one)+len(two)+2),
		fmt.Sprintf("text         %d B, %.3f bytes a token\n", len(one)+len(two), float64(len(one)+len(two))/float64(len(one)+len(two)+2)), "vocabulary   257 tokens, 256 ends a document\n",
	} {
		if !strings.Contains(shard, want) {
			t.Errorf("inspect shard prints\n%s\nwithout %q", shard, want)
		}
	}
}

// TestPrintedScores: what eval and score print are the numbers of their JSON.
func TestPrintedScores(t *testing.T) {
	dir := t.TempDir()
	must(t, "pretrain", "--config", writeConfig(t, dir), "--set", "train.steps=2", "--set", "train.save_every=0", "--set", "train.eval_every=0")
	runDir := filepath.Join(dir, "run")
	texts := filepath.Join(dir, "validation.txt")
	var e evalResult
	mustJSON(t, &e, "eval", "--model", runDir, "--data", texts)
	if got, want := must(t, "eval", "--model", runDir, "--data", texts), fmt.Sprintf("nll            %.4f nats per token\nppl            %.2f\nbits per byte  %.4f\ntokens         %d scored, of ",
		e.NLL, math.Exp(e.NLL), e.NLL*float64(e.Tokens)/float64(e.Bytes-1)/math.Log(2), e.Tokens); !strings.HasPrefix(got, want) || !strings.Contains(got, "in 1 documents") {
		t.Errorf("eval prints %q, want %q", got, want)
	}
	file := write(t, filepath.Join(dir, "q.jsonl"), `{"prompt": "line", "completion": "é"}`+"\n\n"+`{"prompt": "line", "completion": " 1 says"}`+"\n")
	var s scoreResult
	mustJSON(t, &s, "score", "--model", runDir, "--data", file)
	var want strings.Builder
	for _, l := range s.Results {
		fmt.Fprintf(&want, "%s:%-5d %10.4f nats  %8.4f per token  %8.4f per byte  %3d tokens  greedy %t\n", file, l.Line, l.LogLikelihood, l.PerToken, l.PerByte, l.Tokens, l.Greedy)
	}
	if got := must(t, "score", "--model", runDir, "--data", file); got != want.String() || s.Results[0].Line != 1 || s.Results[1].Line != 3 || s.Results[0].Tokens != 2 || s.Results[1].Tokens != 7 {
		t.Errorf("score prints %q, want %q", got, want.String())
	}
	for _, l := range s.Results {
		sum := 0.0
		for _, x := range l.TokenLogprobs {
			sum += float64(x)
		}
		if math.Abs(l.LogLikelihood-sum) > 1e-6 || math.Abs(l.PerToken-sum/float64(l.Tokens)) > 1e-6 {
			t.Errorf("%+v", l)
		}
	}
	// A flag of its own wins over --set, wherever it stands.
	if got := must(t, "pretrain", "--config", filepath.Join(dir, "tiny.yaml"), "--run", filepath.Join(dir, "flag"), "--set", "run.dir="+filepath.Join(dir, "set"), "--dry-run"); !strings.Contains(got, " in "+filepath.Join(dir, "flag")) {
		t.Errorf("with --run it would begin elsewhere:\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(runDir, "checkpoints", "step-00000002")); err != nil {
		t.Error(err)
	}
}
