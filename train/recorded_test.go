package train

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/cpu"

	cpubackend "example.com/gotrain/autograd/cpu"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
)

var update = flag.Bool("update", false, "write the recorded runs of this machine's instruction sets")

// recorded is what a run must give again to the bit, whatever is moved in the
// code: the figures of its metrics and the content of its last checkpoint.
type recorded struct {
	NLL      []json.Number `json:"nll"` // of every line of metrics.jsonl
	GradNorm []json.Number `json:"grad_norm"`
	Hash     string        `json:"hash"` // of the tensors of the last checkpoint
}

const recordedFile = "testdata/recorded.json"

// recordedRuns are configurations that between them use every part of a step; a run
// may begin from an earlier one.
var recordedRuns = []struct{ name, base, yaml string }{
	{"gpt2", "", `
model: {family: gpt2, layers: 2, heads: 2, width: 16, context: 48, dropout: 0.1}
tokenizer: {kind: bpe, vocab: 300}
train: {steps: 8, batch: 2, accumulate: 3, save_every: 4, eval_every: 4, eval_batches: 3, recompute: true, sample_tokens: 4, spike_factor: 3}
optimizer: {lr: 0.01, warmup: 2, ema: 0.9}
`},
	{"llama", "", `
model: {family: llama, layers: 2, heads: 4, kv_heads: 2, width: 32, context: 24}
precision: bfloat16
tokenizer: {kind: bpe, vocab: 280}
train: {steps: 8, batch: 4, save_every: 0, eval_every: 4, document_mask: true, label_smoothing: 0.1, z_loss: 0.0001, sample_tokens: 0, patience: 3}
optimizer: {kind: muon, lr: 0.003, warmup: 2, schedule: wsd}
`},
	{"lora", "gpt2", `
train: {steps: 6, batch: 2, save_every: 2, eval_every: 3, document_mask: true, sample_tokens: 0, freeze: ["*.h.0.*"]}
lora: {rank: 2, dropout: 0.1, merge: true}
optimizer: {kind: lion, lr: 0.001, warmup: 2}
`},
	{"instruct", "gpt2", `
train: {steps: 6, batch: 2, save_every: 2, eval_every: 3, document_mask: true, sample_tokens: 0}
data: {format: instruct, instruct: {template: plain}}
optimizer: {kind: sgd, lr: 0.1, warmup: 2, in_backward: true, clip: 0}
`},
}

// TestRecordedRuns compares runs on every instruction set of the machine with
// what they gave when they were recorded (-update).
func TestRecordedRuns(t *testing.T) {
	all := map[string]recorded{}
	text, err := os.ReadFile(recordedFile)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !*update {
		t.Fatal(err)
	}
	for _, isa := range cpubackend.ISAs() {
		for name, got := range record(t, isa) {
			key := isa + "/" + name
			if name == "llama" && isa == "avx512" && cpu.X86.HasAVX512BF16 {
				key += " by bfloat16 products"
			}
			want, known := all[key]
			switch {
			case *update:
				all[key] = got
			case !known:
				t.Logf("%s was not recorded", key)
			case !reflect.DeepEqual(got, want):
				t.Errorf("%s: the run gives\n%+v\nand was recorded as\n%+v", key, got, want)
			}
		}
	}
	if *update {
		text, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recordedFile, append(text, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// record makes the runs on an instruction set.
func record(t *testing.T, isa string) map[string]recorded {
	dir := t.TempDir()
	writeRecordedData(t, dir)
	b, err := cpubackend.New(cpubackend.Config{Threads: 2, ISA: isa})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	runs := map[string]recorded{}
	for _, run := range recordedRuns {
		file := filepath.Join(dir, run.name+".yaml")
		if err := os.WriteFile(file, []byte(run.yaml), 0o666); err != nil {
			t.Fatal(err)
		}
		source := "corpus.txt"
		if run.name == "instruct" {
			source = "conversations.jsonl"
		}
		set := []string{
			"run.dir=" + filepath.Join(dir, run.name), "data.train=[" + filepath.Join(dir, source) + "]",
			"data.validation=0.2", "data.cache_dir=" + filepath.Join(dir, "cache"),
		}
		var cfg Config
		if run.base == "" {
			cfg, err = config.Load(file, set, tables)
		} else {
			cfg, err = config.LoadFinetune(file, set, filepath.Join(dir, run.base), tables)
		}
		if err != nil {
			t.Fatalf("%s: %v", run.name, err)
		}
		mustTrain(t, cfg, Deps{Backend: b, Table: table, FS: vfs.OS{}, Now: time.Now, Resume: "auto"})
		runs[run.name] = recordedOf(t, cfg.Run.Dir)
	}
	return runs
}

func recordedOf(t *testing.T, dir string) recorded {
	var r recorded
	f, err := os.Open(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct {
			NLL      json.Number `json:"nll"`
			GradNorm json.Number `json:"grad_norm"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		r.NLL = append(r.NLL, line.NLL)
		if line.GradNorm != "" { // evaluations have none
			r.GradNorm = append(r.GradNorm, line.GradNorm)
		}
	}
	r.Hash = fmt.Sprintf("%x", sha256.Sum256(bits(t, dir)))
	return r
}

// writeRecordedData writes a text and conversations made of few words.
func writeRecordedData(t *testing.T, dir string) {
	words := strings.Fields("light rays colour prism glass water red blue the of and in is are refracted reflected")
	rng := rand.New(rand.NewPCG(3, 4))
	sentence := func(n int) string {
		picked := make([]string, n)
		for i := range picked {
			picked[i] = words[rng.IntN(len(words))]
		}
		return strings.Join(picked, " ")
	}
	var text, conversations strings.Builder
	for range 300 {
		fmt.Fprintf(&text, "%s.\n\n", sentence(5+rng.IntN(20)))
	}
	for range 60 {
		line, err := json.Marshal(map[string]string{"instruction": sentence(1), "output": sentence(1)})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&conversations, "%s\n", line)
	}
	for name, content := range map[string]string{"corpus.txt": text.String(), "conversations.jsonl": conversations.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
