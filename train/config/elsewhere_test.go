package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe/all"
)

// TestCounterpartsAreThere: every key that the table of other trainers' keys names is one of ours, and every key of
// theirs is told by it.
func TestCounterpartsAreThere(t *testing.T) {
	tables := all.Table().Config()
	for theirs, ours := range config.Counterparts() {
		for _, family := range []string{"gpt2", "llama"} {
			_, err := config.Assemble(tables, "model.family="+family, ours+"=[[[]]]")
			if err == nil || strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%s stands for %s: %v", theirs, ours, err)
			}
		}
		_, err := config.Assemble(tables, theirs+"=1")
		section, key := ours[:max(0, strings.LastIndex(ours, "."))], ours[strings.LastIndex(ours, ".")+1:]
		if err == nil || !strings.Contains(err.Error(), "here it is "+ours) && !((section == "" || strings.HasPrefix(theirs, section+".")) && strings.Contains(err.Error(), `did you mean "`+key+`"`)) {
			t.Errorf("--set %s: %v, want %s", theirs, err, ours)
		}
	}
}

// TestForeignConfigurations: configurations of other trainers get an error for each of their keys, at its place.
func TestForeignConfigurations(t *testing.T) {
	for text, want := range map[string]string{
		"base_model: NousResearch/Llama\nsequence_len: 2048\nmicro_batch_size: 2\nlora_r: 32\n": `c.yaml:1:1: unknown key "base_model"; here it is base (a directory; gotrain import makes one)
c.yaml:2:1: unknown key "sequence_len"; here it is train.context
c.yaml:3:1: unknown key "micro_batch_size"; here it is train.batch (sequences of one rank in a micro-batch)
c.yaml:4:1: unknown key "lora_r"; here it is lora.rank`,
		"per_device_train_batch_size: 8\nnum_train_epochs: 3\nlearning_rate: 2e-5\n": `c.yaml:1:1: unknown key "per_device_train_batch_size"; here it is train.batch (sequences of one rank in a micro-batch)
c.yaml:2:1: unknown key "num_train_epochs"; here it is train.epochs
c.yaml:3:1: unknown key "learning_rate"; here it is optimizer.lr`,
		"train:\n  lr_warmup_steps: 100\n  max_steps: 5\neval:\n  interval: 10\n": `c.yaml:2:3: unknown key "lr_warmup_steps"; here it is optimizer.warmup
c.yaml:3:3: unknown key "max_steps"; did you mean "steps"?
c.yaml:5:3: unknown key "eval.interval"; here it is train.eval_every`,
		"training:\n  local_batch_size: 8\n  seq_len: 4096\nmetrics: {log_freq: 10}\n": `c.yaml:2:3: unknown key "training.local_batch_size"; here it is train.batch (sequences of one rank in a micro-batch)
c.yaml:3:3: unknown key "training.seq_len"; here it is train.context
c.yaml:4:11: unknown key "metrics.log_freq"; here it is train.log_every`,
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(file, nil, all.Table().Config())
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), file, "c.yaml"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}
