package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/zoo"
)

// TestDefaults are what users get who say nothing: a change of one is a change of their runs.
func TestDefaults(t *testing.T) {
	got, err := Encode(Default(changeTables()))
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	for _, want := range []string{
		"run:\n  dir: runs/run\n  seed: 1337\n", "device: auto\n", "precision: float32\n", "threads: 0\n", "recipe:\n  kind: lm\n",
		"tokenizer:\n  path: \"\"\n  kind: bpe\n  vocab: 2048\n  pattern: gpt2\n  lowercase: true\n  add_special_tokens: []\n  pad_to_multiple_of: 0\n",
		`train:
  steps: 600
  epochs: 0.0
  batch: 16
  context: 0
  accumulate: 1
  eval_every: 100
  eval_batches: 0
  save_every: 100
  save: auto
  keep: 3
  log_every: 1
  recompute: false
  document_mask: false
  label_smoothing: 0.0
  z_loss: 0.0
  sample: The
  sample_tokens: 48
  max_skips: 10
  spike_factor: 0.0
  freeze: []
  patience: 0
  min_delta: 0.0
`, `optimizer:
  kind: adamw
  lr: 0.001
  betas:
    - 0.9
    - 0.95
  eps: 1e-08
  momentum: 0.95
  nesterov: true
  weight_decay: 0.1
  clip: 1.0
  schedule: cosine
  warmup: 50
  min_lr: 0.1
  decay: 0.2
  ema: 0.0
  matrix_lr: 0.02
  in_backward: false
`, "cluster:\n  engine: auto\n  zero: 0\n  check_every: 100\n  timeout_s: 600\n", "cuda:\n  timing: true\n  attention: mma\n", "base: \"\"\n", "adapter: \"\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the defaults lack\n%s\nthey are\n%s", want, text)
		}
	}
	for precision, want := range map[string]ir.DType{"float32": ir.F32, "tf32": ir.TF32, "bfloat16": ir.BF16} {
		if got := (Config{Precision: precision}).Compute(); got != want {
			t.Errorf("%s computes with %s", precision, got)
		}
	}
}

// TestSizesByHand: how a step is cut into ranks and micro-batches, against samples that are
// dealt out one by one.
func TestSizesByHand(t *testing.T) {
	for batch := 1; batch <= 5; batch++ {
		for accumulate := 1; accumulate <= 4; accumulate++ {
			for ranks := 1; ranks <= 5; ranks++ {
				step := batch * accumulate
				most := 0 // samples of a rank
				owned := 0
				for rank := range ranks {
					n := (rank+1)*step/ranks - rank*step/ranks
					most, owned = max(most, n), owned+n
				}
				rows := min(batch, most)
				runs := int(math.Ceil(float64(most) / float64(rows)))
				for rank := range ranks {
					c := assembled(t, "model.context=20", fmt.Sprintf("train.batch=%d", batch), fmt.Sprintf("train.accumulate=%d", accumulate))
					c.Rank = mesh.Of(rank, ranks)
					where := fmt.Sprintf("%d × %d on rank %d of %d", batch, accumulate, rank, ranks)
					if c.StepSamples() != step || owned != step {
						t.Errorf("%s: %d samples of a step", where, c.StepSamples())
					}
					if gotRows, gotRuns := c.MicroBatches(); gotRows != rows || gotRuns != runs {
						t.Errorf("%s: %d micro-batches of %d, want %d of %d", where, gotRuns, gotRows, runs, rows)
					}
					if got, want := c.TrainRows(), (data.Rows{Batch: rows * runs, Samples: step, Rank: c.Rank}); got != want || got.Check() != nil {
						t.Errorf("%s: steps of %+v, want %+v, %v", where, got, want, got.Check())
					}
					if got, want := c.EvalRows(), (data.Rows{Batch: rows, Samples: batch, Rank: c.Rank}); got != want || got.Check() != nil {
						t.Errorf("%s: evaluations of %+v, want %+v, %v", where, got, want, got.Check())
					}
				}
			}
		}
	}
	c := assembled(t, "model.context=20", "model.vocab=77", "train.document_mask=true")
	if s := c.Sequences(data.Rows{Batch: 3}); s.Context != 20 || s.VocabSize != 77 || !s.DocumentMask || s.Batch != 3 {
		t.Errorf("sequences are %+v", s)
	}
	for set, want := range map[string]int{"train.context=0": 20, "train.context=7": 7, "train.context=20": 20} {
		if got := assembled(t, "model.context=20", set).Length(); got != want {
			t.Errorf("%s: sequences of %d tokens, want %d", set, got, want)
		}
	}
}

// TestFaults has for each setting a value at its border and one beyond.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		good, bad []string
		fault     string
	}{
		{[]string{"train.steps=1"}, []string{"train.steps=0"}, "train.steps is 0"},
		{[]string{"train.batch=1"}, []string{"train.batch=0"}, "train.batch is 0"},
		{[]string{"train.accumulate=1"}, []string{"train.accumulate=0"}, "train.accumulate is 0"},
		{[]string{"train.log_every=1"}, []string{"train.log_every=0"}, "train.log_every is 0"},
		{[]string{"train.max_skips=0"}, []string{"train.max_skips=-1"}, "max_skips"},
		{[]string{"train.keep=0"}, []string{"train.keep=-1"}, "keep"},
		{[]string{"train.save=sync"}, []string{"train.save=never"}, `train.save is "never"`},
		{[]string{"train.context=20"}, []string{"train.context=21"}, "train.context is 21; use 1 to model.context = 20"},
		{[]string{"train.patience=1", "train.eval_every=1"}, []string{"train.patience=1", "train.eval_every=0"}, "train.patience needs train.eval_every"},
		{[]string{"train.min_delta=0"}, []string{"train.min_delta=-0.1"}, "train.min_delta is -0.1"},
		{[]string{"train.label_smoothing=0.99"}, []string{"train.label_smoothing=1"}, "train.label_smoothing is 1"},
		{[]string{"train.z_loss=0"}, []string{"train.z_loss=-1"}, "train.z_loss is -1"},
		{[]string{"train.spike_factor=1.01"}, []string{"train.spike_factor=1"}, "train.spike_factor is 1"},
		{[]string{"train.spike_factor=0"}, []string{"train.spike_factor=-2"}, "train.spike_factor is -2"},
		{[]string{"optimizer.in_backward=true", "optimizer.clip=0"}, []string{"optimizer.in_backward=true", "optimizer.clip=0", "train.accumulate=2"}, "optimizer.in_backward needs train.accumulate: 1"},
		{[]string{"optimizer.in_backward=true", "optimizer.clip=0"}, []string{"optimizer.in_backward=true", "optimizer.clip=0", "train.spike_factor=2"}, "optimizer.in_backward needs train.spike_factor: 0"},
		{[]string{"precision=tf32"}, []string{"precision=float16"}, `precision is "float16"`},
		{[]string{"device=cuda:1"}, []string{"device=tpu"}, `device is "tpu"`},
		{[]string{"cluster.zero=1"}, []string{"cluster.zero=2"}, "cluster.zero is 2"},
		{[]string{"cluster.engine=gloo"}, []string{"cluster.engine=ucx"}, `cluster.engine is "ucx"`},
		{[]string{"tokenizer.vocab=257"}, []string{"tokenizer.vocab=256"}, "tokenizer.vocab is 256"},
		{[]string{"tokenizer.pattern=o200k"}, []string{"tokenizer.pattern=o300k"}, "tokenizer.pattern"},
		{[]string{"tokenizer.pad_to_multiple_of=64"}, []string{"tokenizer.pad_to_multiple_of=-1"}, "tokenizer.pad_to_multiple_of is -1"},
		{[]string{"tokenizer.add_special_tokens=[<a>, <b>]"}, []string{"tokenizer.add_special_tokens=[<a>, <a>]"}, `tokenizer.add_special_tokens: "<a>" is there twice`},
		{[]string{"tokenizer.add_special_tokens=[<a>]"}, []string{"tokenizer.add_special_tokens=['']"}, "tokenizer.add_special_tokens: number 1"},
		{[]string{"base=b", "lora.rank=2"}, []string{"base=", "lora.rank=2"}, "lora needs a base"},
		{[]string{"tokenizer.kind=wordpiece", "tokenizer.vocab=6"}, []string{"tokenizer.kind=wordpiece", "tokenizer.vocab=5"}, "tokenizer.vocab is 5; WordPiece"},
		{[]string{"tokenizer.kind=characters", "tokenizer.vocab=0"}, []string{"tokenizer.kind=unigram"}, `tokenizer.kind is "unigram"`},
		{[]string{"tokenizer.path=gpt2", "tokenizer.kind=unigram"}, []string{"tokenizer.path=", "tokenizer.kind=unigram"}, `tokenizer.kind is "unigram"`},
		{[]string{"tokenizer.pad_to_multiple_of=65536"}, []string{"tokenizer.pad_to_multiple_of=65537"}, "tokenizer.pad_to_multiple_of is 65537; use 1 to 65536"},
		{[]string{"tokenizer.add_special_tokens=[<a>]"}, []string{`tokenizer.add_special_tokens=[<a>, <b>, ""]`}, `tokenizer.add_special_tokens: number 3, ""`},
		{[]string{"run.dir=x"}, []string{"run.dir="}, "run.dir is empty"},
		{[]string{"run.progress_s=86400"}, []string{"run.progress_s=86400.5"}, "run.progress_s is 86400.5; use seconds from 0 to 86400"},
		{[]string{"run.progress_s=0"}, []string{"run.progress_s=-1"}, "run.progress_s is -1"},
		{[]string{"device=cuda"}, []string{"device=cuda1"}, `device is "cuda1"`},
		{[]string{"cuda.attention=hopper", "precision=bfloat16"}, []string{"cuda.attention=hopper", "precision=tf32"}, "cuda.attention: hopper wants precision: bfloat16, which is tf32"},
		{[]string{"cuda.attention=mma"}, []string{"cuda.attention=fast"}, `cuda.attention is "fast"`},
		{[]string{"threads=0"}, []string{"threads=-1"}, "threads is -1"},
		{[]string{"train.epochs=0.5"}, []string{"train.epochs=-1"}, "train.epochs is -1"},
		{[]string{"train.epochs=0"}, []string{"train.epochs=inf"}, "train.epochs is +Inf"},
		{[]string{"train.eval_every=0"}, []string{"train.eval_every=-1"}, "eval_every"},
		{[]string{"train.save_every=0"}, []string{"train.save_every=-1"}, "save_every"},
		{[]string{"train.eval_batches=0"}, []string{"train.eval_batches=-1"}, "eval_batches"},
		{[]string{"train.sample_tokens=0"}, []string{"train.sample_tokens=-1"}, "sample_tokens"},
		{[]string{"train.save=async"}, []string{"train.save="}, `train.save is ""`},
		{[]string{"train.context=0"}, []string{"train.context=-1"}, "train.context is -1"},
		{[]string{"train.patience=0", "train.eval_every=0"}, []string{"train.patience=-1"}, "train.patience is -1 evaluations"},
		{[]string{"train.label_smoothing=0"}, []string{"train.label_smoothing=-0.1"}, "train.label_smoothing is -0.1"},
		{[]string{"base=b", "lora.rank=2", "tokenizer.pad_to_multiple_of=1"}, []string{"base=b", "lora.rank=2", "tokenizer.pad_to_multiple_of=2"}, "tokenizer.pad_to_multiple_of changes the embeddings"},
		{[]string{"base=b", "adapter=a", "lora.rank=2"}, []string{"base=", "adapter=a"}, "adapter needs the base"},
		{[]string{"cluster.zero=0"}, []string{"cluster.zero=-1"}, "cluster.zero is -1"},
		{[]string{"cluster.engine=mpi"}, []string{"cluster.engine="}, `cluster.engine is ""`},
		{[]string{"cluster.engine=nccl"}, []string{"cluster.engine=MPI"}, `cluster.engine is "MPI"`},
		{[]string{"cluster.timeout_s=0"}, []string{"cluster.timeout_s=-1"}, "cluster.timeout_s is -1 seconds"},
		{[]string{"cluster.check_every=0"}, []string{"cluster.check_every=-1"}, "cluster.check_every is -1 steps"},
	} {
		good := assembled(t, append([]string{"model.context=20"}, tc.good...)...)
		if err := good.Validate(changeTables()); err != nil {
			t.Errorf("%q is refused: %v", tc.good, err)
		}
		bad := assembled(t, append([]string{"model.context=20"}, tc.bad...)...)
		if err := bad.Validate(changeTables()); err == nil || !strings.Contains(err.Error(), tc.fault) {
			t.Errorf("%q: %v, want %q", tc.bad, err, tc.fault)
		}
	}
}

// TestNewModelIsTuned: what the run decides about its model reaches it.
func TestNewModelIsTuned(t *testing.T) {
	c := assembled(t, "model.layers=2", "model.width=16", "model.heads=2", "model.context=8", "model.vocab=30", "lora.rank=3", "train.freeze=['*.h.1.*']")
	m, err := c.NewModel(zoo.Families())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Tuning(); got.Adapter.Rank != 3 || fmt.Sprint(got.Freeze) != "[*.h.1.*]" || got.Role != "" {
		t.Errorf("the model is tuned as %+v", got)
	}
	adapted := 0
	for _, p := range nn.Adapters(m.Params()) {
		if adapted++; strings.Contains(p.Name, ".h.1.") != p.Frozen {
			t.Errorf("%s is frozen: %t", p.Name, p.Frozen)
		}
	}
	if adapted == 0 {
		t.Error("it has no adapter")
	}
}

// TestConflictsOfEachKey: fine-tuning keeps the base's model, every key of it but dropout and,
// where positions are not learned, a longer context.
func TestConflictsOfEachKey(t *testing.T) {
	base := assembled(t, "model.layers=2", "model.width=16", "model.heads=2", "model.context=8", "model.vocab=30")
	for set, differs := range map[string]bool{
		"model.layers=3": true, "model.width=18": true, "model.heads=4": true, "model.context=9": true, "model.vocab=31": true, "model.dropout=0.5": false, "model.layers=2": false,
	} {
		now := assembled(t, "model.layers=2", "model.width=16", "model.heads=2", "model.context=8", "model.vocab=30", set)
		key, _, _ := strings.Cut(set, "=")
		if err := conflicts(base.Model, &now.Model, false); (err != nil) != differs || err != nil && !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", set, err)
		}
	}
	other := assembled(t, "model.family=llama")
	if err := conflicts(base.Model, &other.Model, false); err == nil || !strings.Contains(err.Error(), "model.family is llama, but the base has gpt2") {
		t.Errorf("another family: %v", err)
	}
}

// TestOtherAdapterIsRefused: a run keeps the adapter that it began from. Its base may lie
// elsewhere: the weights are compared, as those of a run without adapter are not.
func TestOtherAdapterIsRefused(t *testing.T) {
	was := assembled(t, "adapter=one", "lora.rank=2")
	for set, want := range map[string]string{"adapter=one": "[]", "adapter=two": "[{adapter one two}]", "base=c": "[]"} {
		now := assembled(t, "adapter=one", "lora.rank=2", set)
		if got, err := was.Fixed(now, true); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", set, got, err, want)
		}
		if got, err := was.Fixed(now, false); err != nil || len(got) > 0 {
			t.Errorf("%s, in another run: %v, %v", set, got, err)
		}
	}
	moved := assembled(t, "tokenizer={path: b}", "lora.rank=2")
	for set, want := range map[string]string{"tokenizer.path=c": "[]", "tokenizer.path=d": "[{tokenizer.path b d}]"} { // that of the base, and another
		if got, err := moved.Fixed(assembled(t, "tokenizer={path: b}", "lora.rank=2", "base=c", set), true); err != nil || fmt.Sprint(got) != want {
			t.Errorf("base=c, %s: %v, %v, want %s", set, got, err, want)
		}
	}
	if got, err := assembled(t).Fixed(assembled(t, "base=c"), true); err != nil || fmt.Sprint(got) != "[{base b c}]" {
		t.Errorf("another base without adapter: %v, %v", got, err)
	}
}

// TestAdapterConflictsOfEachKey: going on with an adapter keeps its section, every key but
// dropout.
func TestAdapterConflictsOfEachKey(t *testing.T) {
	c := assembled(t, "model.layers=1", "model.width=16", "model.heads=2", "model.context=8", "model.vocab=30")
	m, err := c.NewModel(zoo.Families())
	if err != nil {
		t.Fatal(err)
	}
	was := nn.Adapter{Rank: 4, Alpha: 8}.WithDefaults()
	was.Targets = nn.TargetsOf(was.Adapted(m.Params()), m.Params())
	for name, tc := range map[string]struct {
		change func(*nn.Adapter)
		key    string
	}{
		"nothing": {func(*nn.Adapter) {}, ""},
		"rank":    {func(a *nn.Adapter) { a.Rank = 5 }, "lora.rank is 5"},
		"alpha":   {func(a *nn.Adapter) { a.Alpha = 9 }, "lora.alpha is 9"},
		"rslora":  {func(a *nn.Adapter) { a.RSLoRA = true }, "lora.rslora is true"},
		"dora":    {func(a *nn.Adapter) { a.DoRA = true }, "lora.dora is true"},
		"ranks":   {func(a *nn.Adapter) { a.Ranks = []string{"c_fc=2"} }, "lora.ranks is [c_fc=2]"},
		"alphas":  {func(a *nn.Adapter) { a.Alphas = []string{"c_fc=2"} }, "lora.alphas is [c_fc=2]"},
		"targets": {func(a *nn.Adapter) { a.Targets = []string{"c_attn"} }, "lora.targets is "},
		"dropout": {func(a *nn.Adapter) { a.Dropout = 0.5 }, ""},
	} {
		now := was
		tc.change(&now)
		if err := adapterConflicts(was, now, m.Params()); (err == nil) != (tc.key == "") || err != nil && !strings.Contains(err.Error(), tc.key) {
			t.Errorf("%s: %v, want %q", name, err, tc.key)
		}
	}
}

// TestLongerContexts: a base goes on with a longer context, where its positions have no
// parameters, and a scaling is filled in from what the base has.
func TestLongerContexts(t *testing.T) {
	llamaBase := []string{"model.family=llama", "model.layers=1", "model.heads=2", "model.width=8", "model.context=64"}
	scaled := append(llamaBase, "model.rope_scaling={type: llama3, factor: 8, original: 8}")
	gpt2Base := []string{"model.layers=1", "model.heads=2", "model.width=8", "model.context=64"}
	with := func(base []string, more ...string) []string { return append(append([]string{}, base...), more...) }
	for _, c := range []struct {
		base, now []string
		fault     string
		want      *llama.RopeScaling
	}{
		{base: llamaBase, now: with(llamaBase, "model.context=256")},
		{base: llamaBase, now: with(llamaBase, "model.context=256", "model.rope_theta=40000")},
		{base: llamaBase, now: with(llamaBase, "model.context=256", "model.rope_scaling={type: yarn}"),
			want: &llama.RopeScaling{Type: "yarn", Factor: 4, Original: 64, BetaFast: 32, BetaSlow: 1, AttentionFactor: 0.1*math.Log(4) + 1}},
		{base: llamaBase, now: with(llamaBase, "model.context=256", "model.rope_scaling={type: yarn, factor: 8, truncate: false}"),
			want: &llama.RopeScaling{Type: "yarn", Factor: 8, Original: 64, BetaFast: 32, BetaSlow: 1, AttentionFactor: 0.1*math.Log(8) + 1, Truncate: nn.Bool(false)}},
		{base: llamaBase, now: with(llamaBase, "model.context=128", "model.rope_scaling={type: linear}"), want: &llama.RopeScaling{Type: "linear", Factor: 2}},
		{base: llamaBase, now: with(llamaBase, "model.context=128", "model.rope_scaling={type: longrope, short_factor: [1, 1], long_factor: [1, 2]}"),
			want: &llama.RopeScaling{Type: "longrope", Factor: 2, Original: 64, ShortFactor: []float64{1, 1}, LongFactor: []float64{1, 2}, AttentionFactor: math.Sqrt(1 + math.Log(2)/math.Log(64))}},
		{base: scaled, now: with(scaled, "model.context=128"), want: &llama.RopeScaling{Type: "llama3", Factor: 8, Original: 8, LowFreqFactor: 1, HighFreqFactor: 4}},
		{base: scaled, now: with(scaled, "model.context=128", "model.rope_scaling={type: llama3}"), want: &llama.RopeScaling{Type: "llama3", Factor: 16, Original: 8, LowFreqFactor: 1, HighFreqFactor: 4}},
		{base: scaled, now: with(llamaBase)},
		{base: llamaBase, now: with(llamaBase, "model.context=128", "model.rope_scaling={type: dynamic}"), fault: "model.rope_scaling.type: dynamic scaling turns positions otherwise in each length"},
		{base: llamaBase, now: with(llamaBase, "model.context=32"), fault: "model.context: 32 is shorter than that of the base, 64: leave it out, and set train.context"},
		{base: llamaBase, now: with(llamaBase, "model.layers=2"), fault: "model.layers is 2, but the base has 1"},
		{base: gpt2Base, now: with(gpt2Base, "model.context=128"), fault: "model.context: 128 is longer than the base, which has learned 64 positions"},
		{base: with(gpt2Base, "model.positions=sinusoidal"), now: with(gpt2Base, "model.positions=sinusoidal", "model.context=128")},
	} {
		base, now := assembled(t, c.base...), assembled(t, c.now...)
		err := conflicts(base.Model, &now.Model, false)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: %v, want %q", c.now, err, c.fault)
			continue
		}
		full, ok := now.Model.Filled().(*llama.Config)
		if err == nil && ok && !reflect.DeepEqual(full.RopeScaling, c.want) {
			t.Errorf("%q: %+v, want %+v", c.now, full.RopeScaling, c.want)
		}
		if ok && err == nil && now.Model.Validate() != nil {
			t.Errorf("%q: %v", c.now, now.Model.Validate())
		}
	}
}

// TestExtends: a configuration says something else than its base where a key differs once both have their defaults.
func TestExtends(t *testing.T) {
	base := nn.Spec{Family: "gpt2", Config: assembled(t, "model.layers=1", "model.heads=2", "model.width=8", "model.context=64").Model.Filled()}
	for _, test := range []struct {
		set  []string
		want []string
	}{
		{nil, nil}, {[]string{"model.ffn=32", "model.kv_heads=2"}, nil}, {[]string{"model.dropout=0.5"}, nil}, {[]string{"model.ffn=16"}, []string{"ffn"}}, {[]string{"model.dropout=0.5", "model.tied=false", "model.context=32"}, []string{"context", "tied"}},
		{[]string{"model.family=llama"}, nil},
	} {
		c := assembled(t, append([]string{"model.layers=1", "model.heads=2", "model.width=8", "model.context=64"}, test.set...)...)
		if got := c.Extends(base); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.set, got, test.want)
		}
	}
}
