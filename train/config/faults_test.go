package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestFaultsAsText holds what is said of configurations that are wrong in one place, by the file
// and by --set, and of values at both sides of their borders.
func TestFaultsAsText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	var b strings.Builder
	say := func(name string, err error) {
		fmt.Fprintf(&b, "%s\n  %s\n", name, strings.ReplaceAll(strings.ReplaceAll(fmt.Sprint(err), file, "c.yaml"), "\n", "\n  "))
	}
	for _, text := range []string{
		"data: {train: [a]}\n", "", "~\n", "train: {steps: 1}\n---\nrun: {}\n", "train: [\n", "train: {steps: 1, steps: 2}\n", "train:\n  steps: 1\n  steps: 2\n", "data: {train: [a]}\ntrain:\n\tsteps: 1\n",
		"{train: {steps: 3}, data: {train: [a]}}\n", "data: &x {train: [a]}\n", "3: 4\n", "- a\n", "text\n",
		"data: {train: [a]}\nmodel: llama\n", "data: {train: [a]}\nmodel: {kv_heads: 2}\n", "data: {train: [a]}\nmodel: {family: llama, tied: 3}\n",
		"data: {train: [a], format: pictures}\n", "data: {train: [a]}\nrecipe: {kind: none}\n", "data: {train: [a]}\nrecipe: {}\n", "data: {train: [a]}\ntrian: {steps: 3}\n",
		"data: {train: [a]}\noptimizer: {betas: 0.9}\n", "data: {train: [a]}\noptimizer: {betas: [0.9, x]}\n", "data: {train: [a]}\noptimizer: {lr: 0x10}\n", "data: {train: [a]}\ntrain: {steps: 1_000}\n",
		"data: {train: [a]}\ntrain: {steps: 1e3, batch: 9007199254740993}\n", "data: {train: [a]}\ntrain: {steps: 0o17, batch: 0b11}\n", "data: {train: [a]}\nrun: {seed: -1}\n", "data: {train: [a]}\nrun: {seed: 18446744073709551615}\n",
		"data: {train: [a]}\ntrain: {sample: |\n  a\n  b\n}\n", "data: {train: [a]}\ntrain:\n  sample: |\n    a\n", "data: {train: [a]}\ntrain: {document_mask: yes}\n", "data: {train: a}\n", "data: {train: }\n", "data: {train: [a]}\ntrain: {steps: }\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil, changeTables())
		say(fmt.Sprintf("%q", text), err)
	}
	if err := os.WriteFile(file, []byte("data: {train: [a]}\nbase: b\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, sets := range []string{
		"train.steps", "=3", "train=3", "train.steps=", "train.steps=[1]", "train.steps.more=3", "train.stpes=3", "nothing.at.all=3", "optimizer.betas=[0.5, 0.75]", "optimizer.betas[0]=0.5", "train.steps=*a",
		"run.dir=", "run.progress_s=-1", "run.progress_s=1e9", "device=gpu", "device=cuda:0", "cuda.attention=flash", "cuda.attention=hopper", "cuda.attention=hopper precision=bfloat16", "precision=float16", "precision=tf32", "threads=-1", "threads=0",
		"train.steps=0", "train.steps=1", "train.epochs=-1", "train.epochs=.inf", "train.batch=0", "train.batch=1", "train.accumulate=0", "train.log_every=0", "train.eval_every=-1", "train.eval_batches=-1", "train.save_every=-1", "train.keep=-1",
		"train.max_skips=-1", "train.sample_tokens=-1", "train.save=later", "train.context=-1", "train.context=100000", "train.patience=-1", "train.patience=1 train.eval_every=0", "train.patience=1", "train.min_delta=-1", "train.min_delta=.inf",
		"base= lora.rank=2", "lora.rank=2 tokenizer.pad_to_multiple_of=2", "lora.rank=2 tokenizer.pad_to_multiple_of=1", "base= adapter=a", "train.label_smoothing=1", "train.label_smoothing=-0.5", "train.z_loss=-1", "train.spike_factor=1", "train.spike_factor=-2", "train.spike_factor=1.5",
		"optimizer.in_backward=true optimizer.clip=0 train.accumulate=2", "optimizer.in_backward=true optimizer.clip=0 train.spike_factor=2", "optimizer.in_backward=true optimizer.clip=0", "cluster.engine=ib", "cluster.engine=mpi", "cluster.zero=2", "cluster.zero=1",
		"cluster.timeout_s=-1", "cluster.check_every=-1", "tokenizer.kind=words", "tokenizer.vocab=100", "tokenizer.vocab=257", "tokenizer.vocab=256", "tokenizer.pattern=gpt5", "tokenizer.pad_to_multiple_of=-1", "tokenizer.kind=bytes", "tokenizer.kind=wordpiece", "tokenizer.add_special_tokens=[a, a]",
		"model.width=65", "lora.rank=-1", "optimizer.lr=0", "train.steps=3 train.epochs=2", "recipe.kind=other", "recipe.kind=third", "data.train=[]", "data.validation=2", "train.freeze=[x]", "train.recompute=perhaps",
	} {
		var list []string
		for set := range strings.FieldsSeq(sets) {
			if n := len(list); n > 0 && !strings.Contains(set, "=") {
				list[n-1] += " " + set
				continue
			}
			list = append(list, set)
		}
		_, err := Load(file, list, changeTables())
		say("--set "+sets, err)
	}
	const name = "testdata/faults.txt"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(name); err != nil || b.String() != string(want) {
		t.Errorf("%s: %v; got\n%s", name, err, b.String())
	}
}
