package train

import (
	"errors"
	"fmt"
	"gotrain/autograd/mesh"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
	"gotrain/data"
	"gotrain/data/bpe"
	"gotrain/data/instruct"
	"gotrain/nn"
	"gotrain/optim"
	"gotrain/train/config"
)

// Config is a whole configuration file. Each section lives beside its owner.
type Config struct {
	Run       RunConfig       `yaml:"run"`
	Device    string          `yaml:"device"`    // auto, cpu, cuda, cuda:N
	Precision string          `yaml:"precision"` // float32, tf32, bfloat16
	Threads   int             `yaml:"threads"`   // CPU threads, 0 = all cores; results do not depend on it
	Model     config.Section  `yaml:"model"`     // of the family that it names
	Tokenizer TokenizerConfig `yaml:"tokenizer"`
	Data      DataConfig      `yaml:"data"`
	Train     LoopConfig      `yaml:"train"`
	Optimizer optim.Config    `yaml:"optimizer"`
	Cluster   ClusterConfig   `yaml:"cluster"`

	// Base is the checkpoint or run that fine-tuning begins from; empty trains
	// from scratch. Model and tokenizer are the base's.
	Base string `yaml:"base"`
	// LoRA trains low-rank additions to the base, which stays as it is.
	LoRA nn.Adapter `yaml:"lora"`
	// Adapter is where LoRA goes on from, a directory of peft's format, a
	// checkpoint or a run; empty begins anew.
	Adapter string `yaml:"adapter"`

	// Rank is this process among those of the run; the command sets it, no file.
	Rank mesh.Rank `yaml:"-"`

	// Objective is what is minimised; the command that trains sets it, no file.
	// The zero Objective is the NLL of the next token.
	Objective Objective `yaml:"-"`
}

// RunConfig names the run.
type RunConfig struct {
	Dir  string `yaml:"dir"`
	Seed uint64 `yaml:"seed"` // of initial weights, data order and dropout
}

// TokenizerConfig says where the tokenizer comes from: a path to a directory
// with a tokenizer.json (or the file, or a .tiktoken file), or a kind that is
// fitted to the training text and frozen into the run.
type TokenizerConfig struct {
	Path    string `yaml:"path"`
	Kind    string `yaml:"kind"`    // bpe, bytes, characters
	Vocab   int    `yaml:"vocab"`   // bpe: tokens, special ones included
	Pattern string `yaml:"pattern"` // bpe: gpt2, cl100k, o200k
}

// LoopConfig is the train section.
type LoopConfig struct {
	Steps        int     `yaml:"steps"`         // optimizer steps
	Batch        int     `yaml:"batch"`         // sequences in a micro-batch of one rank, at most
	Context      int     `yaml:"context"`       // tokens of a sequence, 0 = model.context
	Accumulate   int     `yaml:"accumulate"`    // batch × accumulate sequences are a step, over all ranks
	EvalEvery    int     `yaml:"eval_every"`    // steps between evaluations, 0 = at the end only
	EvalBatches  int     `yaml:"eval_batches"`  // batches of held-out text in an evaluation, 0 = all
	SaveEvery    int     `yaml:"save_every"`    // steps between checkpoints, 0 = at the end only
	Save         string  `yaml:"save"`          // auto, async, sync: whether steps go on while a checkpoint is written
	Keep         int     `yaml:"keep"`          // checkpoints kept, 0 = all
	LogEvery     int     `yaml:"log_every"`     // steps between lines of metrics.jsonl
	Recompute    bool    `yaml:"recompute"`     // recompute activations of each block in the backward pass
	DocumentMask bool    `yaml:"document_mask"` // attention stays inside a document
	Smoothing    float32 `yaml:"label_smoothing"`
	ZLoss        float32 `yaml:"z_loss"`
	Sample       string  `yaml:"sample"`        // prompt of the text that evaluations show; empty = none
	SampleTokens int     `yaml:"sample_tokens"` // its length
	MaxSkips     int     `yaml:"max_skips"`     // consecutive steps that the guard may skip, 0 = no guard
	SpikeFactor  float64 `yaml:"spike_factor"`  // skip when the gradient norm exceeds this multiple of its running mean, 0 = off

	Freeze   []string `yaml:"freeze"`    // patterns over names of parameters, such as model.layers.[0-9].*, that are not trained
	Patience int      `yaml:"patience"`  // evaluations in a row without improvement that end the run, 0 = off
	MinDelta float64  `yaml:"min_delta"` // nats per token that count as an improvement
}

// ClusterConfig is how several processes train together.
type ClusterConfig struct {
	Engine     string `yaml:"engine"`      // auto, nccl, gloo, mpi: what ranks compute together with
	Zero       int    `yaml:"zero"`        // 1 = each rank keeps the optimizer's state of a share of the parameters (ZeRO-1), 0 = of all
	CheckEvery int    `yaml:"check_every"` // steps between comparisons of the parameters of all ranks, 0 = never
	TimeoutS   int    `yaml:"timeout_s"`   // seconds that a rank waits for the others before it gives up, 0 = for ever
}

// DefaultConfig returns the values of keys that a file leaves out. The model is of
// one of the families.
func DefaultConfig(families nn.Families) Config {
	return Config{
		Run:       RunConfig{Dir: "runs/run", Seed: 1337},
		Device:    "auto",
		Precision: "float32",
		Model:     ModelSection(families),
		Tokenizer: TokenizerConfig{Kind: "bpe", Vocab: 2048, Pattern: "gpt2"},
		Data:      DataConfig{Config: data.Config{Format: data.FormatText, TextKey: "text"}, Instruct: instruct.Default()},
		Train: LoopConfig{
			Steps: 600, Batch: 16, Accumulate: 1, EvalEvery: 100, SaveEvery: 100, Save: "auto", Keep: 3, LogEvery: 1,
			Sample: "The", SampleTokens: 48, MaxSkips: 10,
		},
		Optimizer: optim.Default(),
		Cluster:   ClusterConfig{Engine: "auto", CheckEvery: 100, TimeoutS: 600},
	}
}

// LoadConfig reads a file over the defaults, applies the --set assignments in
// order, and validates.
func LoadConfig(file string, assignments []string, families nn.Families) (Config, error) {
	cfg := DefaultConfig(families)
	if err := decode(file, assignments, &cfg); err != nil {
		return cfg, err
	}
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("%s:\n%w", file, err)
	}
	return cfg, nil
}

// Validate returns all faults of the configuration at once.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Run.Dir != "", "run.dir is empty; name the directory of the run")
	check(c.Device == "auto" || c.Device == "cpu" || c.Device == "cuda" || strings.HasPrefix(c.Device, "cuda:"),
		"device is %q; use auto, cpu, cuda or cuda:N", c.Device)
	_, known := precisions[c.Precision]
	check(known, "precision is %q; use float32, tf32 or bfloat16", c.Precision)
	check(c.Threads >= 0, "threads is %d; use 0 for all cores", c.Threads)
	t, text := c.Train, c.Text()
	check(t.Steps > 0, "train.steps is %d; use 1 or more", t.Steps)
	check(t.Batch > 0, "train.batch is %d; use 1 or more", t.Batch)
	check(t.Accumulate > 0, "train.accumulate is %d; use 1 or more", t.Accumulate)
	check(t.LogEvery > 0, "train.log_every is %d; use 1 or more", t.LogEvery)
	check(t.EvalEvery >= 0 && t.SaveEvery >= 0 && t.Keep >= 0 && t.EvalBatches >= 0 && t.MaxSkips >= 0 && t.SampleTokens >= 0,
		"train: eval_every, eval_batches, save_every, keep, max_skips and sample_tokens are 0 or more")
	check(t.Save == "auto" || t.Save == "async" || t.Save == "sync", "train.save is %q; use auto, async or sync", t.Save)
	check(t.Context >= 0 && (t.Context <= text.Context || text.Context == 0), "train.context is %d; use 1 to model.context = %d, or 0 for that", t.Context, text.Context)
	check(t.Patience >= 0, "train.patience is %d evaluations; use 1 or more, or 0 for no early stopping", t.Patience)
	check(t.Patience == 0 || t.EvalEvery > 0, "train.patience needs train.eval_every: without evaluations on the way there is nothing to judge by")
	check(t.MinDelta >= 0 && !math.IsInf(t.MinDelta, 0), "train.min_delta is %g; use 0 or more nats per token", t.MinDelta)
	check(c.LoRA.Rank == 0 || c.Base != "", "lora needs a base: run gotrain finetune with --base DIR")
	check(c.Adapter == "" || c.Base != "", "adapter needs the base that it was trained on: run gotrain finetune with --base DIR")
	check(t.Smoothing >= 0 && t.Smoothing < 1, "train.label_smoothing is %g; use a number in [0, 1)", t.Smoothing)
	check(t.ZLoss >= 0, "train.z_loss is %g; use 0 or more", t.ZLoss)
	check(t.SpikeFactor == 0 || t.SpikeFactor > 1, "train.spike_factor is %g; use more than 1, or 0 for off", t.SpikeFactor)
	check(!c.Optimizer.InBackward || t.Accumulate == 1, "optimizer.in_backward needs train.accumulate: 1: gradients are applied as soon as they exist")
	check(!c.Optimizer.InBackward || t.SpikeFactor == 0, "optimizer.in_backward needs train.spike_factor: 0: the norm of all gradients is never known")
	check(c.Data.Format != FormatInstruct || t.DocumentMask, "data.format instruct needs train.document_mask: true: conversations that share a row must not see each other")
	check(c.Data.Format != FormatInstruct || c.Tokenizer.Path != "", "data.format instruct needs a tokenizer: name a model with base, or a directory with tokenizer.path")
	check(slices.Contains([]string{"auto", "nccl", "gloo", "mpi"}, c.Cluster.Engine), "cluster.engine is %q; use auto, nccl, gloo or mpi", c.Cluster.Engine)
	check(c.Cluster.Zero == 0 || c.Cluster.Zero == 1, "cluster.zero is %d; use 1 to share the optimizer's state between ranks (ZeRO-1), or 0", c.Cluster.Zero)
	check(c.Cluster.TimeoutS >= 0, "cluster.timeout_s is %d seconds; use 1 or more, or 0 for no limit", c.Cluster.TimeoutS)
	check(c.Cluster.CheckEvery >= 0, "cluster.check_every is %d steps; use 1 or more, or 0 for never", c.Cluster.CheckEvery)
	errs = append(errs, c.Tokenizer.validate()...)
	for _, err := range []error{c.Model.Validate(), c.LoRA.Validate(), c.Data.Validate(), c.Optimizer.Validate()} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c TokenizerConfig) validate() []error {
	if c.Path != "" {
		return nil
	}
	var errs []error
	switch c.Kind {
	case "bytes", "characters":
	case "bpe":
		if c.Vocab < minVocab {
			errs = append(errs, fmt.Errorf("tokenizer.vocab is %d; byte-level BPE starts from 256 bytes and one special token: use %d or more", c.Vocab, minVocab))
		}
		if _, err := bpe.ParsePattern(c.Pattern); err != nil {
			errs = append(errs, fmt.Errorf("tokenizer.pattern: %w", err))
		}
	default:
		errs = append(errs, fmt.Errorf("tokenizer.kind is %q; use bpe, bytes or characters, or give tokenizer.path", c.Kind))
	}
	return errs
}

// minVocab is the smallest byte-level vocabulary: every byte and end-of-text.
const minVocab = 257

// guarded tells whether an update waits for the norm of all gradients.
func (c Config) guarded() bool { return c.Train.MaxSkips > 0 && !c.Optimizer.InBackward }

// savesBeside tells whether saves on the way go on beside the steps. They write
// from a copy of what steps change; train.save: auto makes one where it is small or
// lies elsewhere: on a GPU's host, of a rank's share, of an adapter.
func (c Config) savesBeside(target plan.Target) bool {
	t := c.Train
	onTheWay := t.SaveEvery > 0 && t.SaveEvery < t.Steps || t.Patience > 0
	return onTheWay && (t.Save == "async" || t.Save == "auto" && (!target.HostMemory || !c.Rank.Alone() || c.LoRA.Rank > 0))
}

// stepSamples is the number of sequences of an optimizer step, over all ranks.
func (c Config) stepSamples() int { return c.Train.Batch * c.Train.Accumulate }

// stepTokens is the number of positions of an optimizer step, over all ranks.
func (c Config) stepTokens() int { return c.stepSamples() * c.Length() }

// microBatches returns how a rank goes through its share of a step: count
// micro-batches of rows sequences.
func (c Config) microBatches() (rows, count int) {
	share := ceilDiv(c.stepSamples(), c.Rank.Count())
	rows = min(c.Train.Batch, share)
	return rows, ceilDiv(share, rows)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// Length is the number of tokens of a training sequence.
func (c Config) Length() int {
	if c.Train.Context > 0 {
		return c.Train.Context
	}
	return c.Text().Context
}

// NewModel returns the model that is trained, with what the run decides about it.
func (c Config) NewModel(families nn.Families) (nn.LanguageModel, error) {
	m, err := families.New(nn.Spec{Family: c.Model.Name(), Config: c.Model.Value()}, nn.Tuning{Adapter: c.LoRA, Freeze: c.Train.Freeze})
	if err != nil {
		return nil, err
	}
	return nn.AsLanguageModel(m)
}

// Sequences is the size of batches of rows sequences of a process that is alone.
func (c Config) Sequences(rows int) data.Sequences {
	return data.Sequences{Rows: data.Rows{Batch: rows}, Context: c.Length(), VocabSize: c.Text().Vocab, DocumentMask: c.Train.DocumentMask}
}

// trainRows is this rank's share of a step.
func (c Config) trainRows() data.Rows {
	rows, count := c.microBatches()
	return data.Rows{Batch: rows * count, Samples: c.stepSamples(), Rank: c.Rank}
}

// evalRows is this rank's share of a batch of an evaluation.
func (c Config) evalRows() data.Rows {
	rows, _ := c.microBatches()
	return data.Rows{Batch: rows, Samples: c.Train.Batch, Rank: c.Rank}
}

// sequences is the size of batches of this rank's rows.
func (c Config) sequences(rows data.Rows) data.Sequences {
	s := c.Sequences(rows.Batch)
	s.Rows = rows
	return s
}

// ConfigPath is the file of a run's resolved configuration.
func ConfigPath(runDir string) string { return filepath.Join(runDir, "config.yaml") }

// precisions maps the values of Precision to the operands of matrix products.
var precisions = map[string]ir.DType{"float32": ir.F32, "tf32": ir.TF32, "bfloat16": ir.BF16}

// Compute returns the operands of matrix products that Precision names. On the
// CPU tf32 computes as float32 does.
func (c Config) Compute() ir.DType { return precisions[c.Precision] }
