package config

import (
	"strings"
	"testing"
)

type section struct {
	Steps int       `yaml:"steps"`
	LR    float64   `yaml:"lr"`
	Betas []float64 `yaml:"betas"`
	Tied  *bool     `yaml:"tied"`
	Name  string    `yaml:"name"`
}

type config struct {
	Train section `yaml:"train"`
	Seed  uint64  `yaml:"seed"`
}

func TestDecodeOverDefaults(t *testing.T) {
	c := config{Train: section{Steps: 7, Name: "kept"}}
	err := Decode("c.yaml", []byte("train: {lr: 1e-3, betas: [0.9, 0.95], tied: false}\nseed: 1337\n"), &c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Train.Steps != 7 || c.Train.Name != "kept" || c.Train.LR != 1e-3 || len(c.Train.Betas) != 2 || c.Train.Tied == nil || *c.Train.Tied || c.Seed != 1337 {
		t.Errorf("got %+v", c)
	}
}

func TestErrorsNamePlaceAndCure(t *testing.T) {
	for _, tc := range []struct{ src, want string }{
		{"train:\n  step: 3\n", `c.yaml:2:3: unknown key "step"; did you mean "steps"?`},
		{"train:\n  steps: many\n", `c.yaml:2:10: train.steps is "many"; use a whole number`},
		{"train:\n  steps: 1.5\n", `c.yaml:2:10: train.steps is "1.5"; use a whole number`},
		{"train:\n  betas: 0.9\n", `train.betas wants a list`},
		{"train: 3\n", `train wants keys and values, as in {steps: …}`},
		{"train: {tied: 7}\n", `use true or false`},
		{"qqqqqqq: 1\n", `unknown key "qqqqqqq"; the keys here are train, seed`},
		{"train: [\n", `c.yaml:`},
		{"", `the file is empty`},
		{"train: {steps: 1, steps: 2}\n", `steps`},
		{"seed: 1\n---\nseed: 2\n", `c.yaml: the file holds several YAML documents; use one`},
		{"seed: 1" + strings.Repeat(" ", 1<<20-6), `c.yaml: the file has 1048577 bytes; a configuration has at most 1048576: is this the right file?`},
		{"train: {lr: nan}\n", `c.yaml:1:13: train.lr is "nan"; use a number`},
		{"train: {lr: ten}\n", `c.yaml:1:13: train.lr is "ten"; use a number`},
		{"train: {name: &a x}\n", `train.name: anchors, aliases, tags and merges are not supported`},
		{"~\n", `the file is empty`},
		{"seed: -1\n", `c.yaml:1:7: seed is "-1"; use a whole number of 0 or more`},
	} {
		var c config
		err := Decode("c.yaml", []byte(tc.src), &c)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %q", tc.src, err, tc.want)
		}
	}
}

// TestNearest: the key that a wrong one stands for, or none where that is a guess.
func TestNearest(t *testing.T) {
	train := []string{"steps", "epochs", "batch", "context", "accumulate", "eval_every", "eval_batches", "save_every", "keep", "log_every", "max_skips", "z_loss"}
	optimizer := []string{"kind", "lr", "betas", "eps", "momentum", "weight_decay", "clip", "schedule", "warmup", "min_lr", "decay", "ema"}
	for _, tc := range []struct {
		word  string
		names []string
		want  string
	}{
		{"epoch", train, "epochs"}, {"num_epochs", train, "epochs"}, {"num_train_epochs", train, "epochs"}, {"max_steps", train, "steps"}, {"stpes", train, "steps"},
		{"batch_size", train, "batch"}, {"eval_evry", train, "eval_every"}, {"gradient_accumulation_steps", train, "accumulate"}, {"block_size", train, "context"},
		{"save_steps", train, "save_every"}, {"zloss", train, "z_loss"}, {"seed", train, ""}, {"lr", train, ""}, {"epochs", optimizer, ""},
		{"learning_rate", optimizer, "lr"}, {"wieght_decay", optimizer, "weight_decay"}, {"weightdecay", optimizer, "weight_decay"}, {"warmup_steps", optimizer, "warmup"},
		{"grad_clip", optimizer, "clip"}, {"lrs", optimizer, "lr"}, {"beta1", optimizer, "betas"}, {"dropout", optimizer, ""},
	} {
		if got := nearest(tc.word, tc.names); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.word, got, tc.want)
		}
	}
}

// TestKeysOfOtherPrograms: what other programs call a key that is called otherwise here.
func TestKeysOfOtherPrograms(t *testing.T) {
	for ours, theirs := range map[string]string{
		"lr": "learning_rate", "schedule": "lr_scheduler lr_scheduler_type", "accumulate": "gradient_accumulation_steps", "clip": "grad_clip max_grad_norm",
		"layers": "n_layer num_hidden_layers", "heads": "n_head num_attention_heads", "width": "n_embd hidden_size d_model", "context": "block_size seq_len max_length max_seq_length",
		"vocab": "vocab_size", "save_every": "save_steps", "eval_every": "eval_steps", "log_every": "logging_steps", "rank": "r", "targets": "target_modules",
		"train": "paths path files", "sources": "datasets", "weight": "sampling_weight probability", "text_key": "text_column",
	} {
		for _, key := range strings.Fields(theirs) {
			if got := nearest(key, []string{"qqqqqqqqqqqq", ours}); got != ours {
				t.Errorf("%s is taken for %q, want %s", key, got, ours)
			}
		}
	}
}

func TestSet(t *testing.T) {
	var c config
	for _, a := range []string{"train.steps=1e3", "train.betas=[0.9, 0.99]", "train.name=a=b", "train.tied=true", "seed=18446744073709551615"} {
		if err := Set(&c, a); err != nil {
			t.Error(err)
		}
	}
	if c.Train.Steps != 1000 || len(c.Train.Betas) != 2 || c.Train.Name != "a=b" || !*c.Train.Tied || c.Seed != 1<<64-1 {
		t.Errorf("got %+v", c)
	}
	for assignment, want := range map[string]string{
		"train.stepz=3":    `did you mean "steps"?`,
		"train":            `--set: "train" is not path.to.key=VALUE`,
		"=3":               `--set: "=3" is not path.to.key=VALUE`,
		"train.lr=1: 2: 3": "--set train.lr",
		"train.steps.x=1":  "train.steps holds a value, not keys",
		"train.steps=":     "is empty",
	} {
		if err := Set(&c, assignment); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", assignment, err, want)
		}
	}
}

// TestNumbersOfBases: whole numbers may be written in base 16, 8 and 2, with underscores; others as Go reads them.
func TestNumbersOfBases(t *testing.T) {
	for text, want := range map[string]uint64{"0x1F": 31, "0o17": 15, "0b101": 5, "1_000": 1000, "017": 15, "0": 0} {
		var c config
		if err := Set(&c, "seed="+text); err != nil || c.Seed != want {
			t.Errorf("seed=%s is %d, %v; want %d", text, c.Seed, err, want)
		}
		if err := Set(&c, "train.steps="+text); err != nil || uint64(c.Train.Steps) != want {
			t.Errorf("train.steps=%s is %d, %v; want %d", text, c.Train.Steps, err, want)
		}
	}
	for _, assignment := range []string{"seed=-1", "seed=1.5", "seed=x", "train.steps=1.5", "train.steps=9223372036854775808"} {
		if err := Set(&config{}, assignment); err == nil {
			t.Errorf("%s is taken", assignment)
		}
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	yes := true
	c := config{Train: section{Steps: 3, LR: 0.5, Betas: []float64{1, 2}, Tied: &yes, Name: "x: y"}, Seed: 9}
	b, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	var d config
	if err := Decode("c.yaml", b, &d); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if d.Train.Name != c.Train.Name || d.Train.LR != c.Train.LR || !*d.Train.Tied || d.Seed != 9 {
		t.Errorf("got %+v from\n%s", d, b)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("train: {lr: 1e-3, betas: [0.9, 0.95]}\nseed: 1337\n"))
	f.Add([]byte("train: &a [*a]\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		var c config
		_ = Decode("c.yaml", src, &c) // must return
	})
}
