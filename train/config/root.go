package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/configs"
	"example.com/gotrain/nn"
	"example.com/gotrain/optim"
)

// Config is a whole configuration file. What a family, a recipe or a kind of data
// adds stands in the sections that they own.
type Config struct {
	Run       RunConfig       `yaml:"run"`
	Device    string          `yaml:"device"`    // auto, cpu, cuda, cuda:N
	Precision string          `yaml:"precision"` // float32, tf32, bfloat16
	Threads   int             `yaml:"threads"`   // CPU threads, 0 = all cores; results do not depend on it
	Recipe    Section         `yaml:"recipe"`    // of the kind that it names, by default the first that takes data.format
	Model     Section         `yaml:"model"`     // of the family that it names
	Tokenizer TokenizerConfig `yaml:"tokenizer"`
	Data      Section         `yaml:"data"` // of the format that it names
	Train     LoopConfig      `yaml:"train"`
	Optimizer optim.Config    `yaml:"optimizer"`
	Cluster   ClusterConfig   `yaml:"cluster"`
	CUDA      CUDAConfig      `yaml:"cuda"`

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
}

// RunConfig names the run.
type RunConfig struct {
	Dir  string `yaml:"dir"`
	Seed uint64 `yaml:"seed"` // of initial weights, data order and dropout
	// ProgressS is how many seconds lie between two lines of progress, where they do not
	// go to a terminal.
	ProgressS float64 `yaml:"progress_s"`
}

// TokenizerConfig says where the tokenizer comes from: a path to a directory
// with a tokenizer.json (or the file, or a .tiktoken file), or gpt2, cl100k or o200k,
// which the program carries; or a kind that is fitted to the training text and frozen
// into the run.
type TokenizerConfig struct {
	Path      string `yaml:"path"`
	Kind      string `yaml:"kind"`      // bpe, wordpiece, bytes, characters
	Vocab     int    `yaml:"vocab"`     // bpe, wordpiece: tokens, special ones included
	Pattern   string `yaml:"pattern"`   // bpe: gpt2, cl100k, o200k
	Lowercase bool   `yaml:"lowercase"` // wordpiece: text loses case and accents
	// AddSpecialTokens are added to the tokenizer, with ids behind its own, unless it has
	// them; a base's tables of tokens grow with it.
	AddSpecialTokens []string `yaml:"add_special_tokens"`
	PadToMultipleOf  int      `yaml:"pad_to_multiple_of"` // that model.vocab is rounded up to, 0 = 1
}

// Grows tells whether the vocabulary is another one than the tokenizer that is named has.
func (c TokenizerConfig) Grows() bool { return len(c.AddSpecialTokens) > 0 || c.PadToMultipleOf > 1 }

// ModelVocab is the vocabulary of a model that has one of n tokens, 0 for none yet, and is
// to know those of a tokenizer.
func (c TokenizerConfig) ModelVocab(n, tokens int) int {
	n = max(n, tokens)
	if m := c.PadToMultipleOf; m > 1 {
		n = ceilDiv(n, m) * m
	}
	return n
}

// LoopConfig is the train section.
type LoopConfig struct {
	Steps        int     `yaml:"steps"`         // optimizer steps
	Epochs       float64 `yaml:"epochs"`        // passes over the data in place of steps, 0 = steps
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

// CUDAConfig is how NVIDIA GPUs compute.
type CUDAConfig struct {
	// Timing chooses the fastest of the algorithms of cuBLASLt for each product, and of
	// what may be done behind it or in it; false takes the library's first. A run that
	// goes on keeps what was chosen.
	Timing bool `yaml:"timing"`
	// Attention is mma, or hopper: kernels on wgmma and TMA, of compute capability 9.0
	// alone, for bfloat16 and heads of 64 or 128.
	Attention string `yaml:"attention"`
}

// AttentionMMA is the value of CUDAConfig.Attention that every device has.
const AttentionMMA = "mma"

// Tables are what a configuration may name.
type Tables struct {
	Families nn.Families
	Recipes  []Recipe
}

// Recipe is a value of recipe.kind.
type Recipe struct {
	Name    string
	Config  func() any         // a pointer to the recipe's keys, nil for none
	Formats []Choice           // of data that it learns from
	Check   func(Config) error // all faults that only the recipe knows; nil for none
	// Base finds the base that a path names, a directory of several models, and the model
	// section that it has; nil for a recipe whose bases are single models.
	Base func(path string) (dir string, model nn.Spec, err error)
}

// Default returns the values of keys that a file leaves out.
func Default(t Tables) Config {
	c := Config{
		Run:       RunConfig{Dir: "runs/run", Seed: 1337, ProgressS: 5},
		Device:    "auto",
		Precision: "float32",
		Model:     t.model(),
		Tokenizer: TokenizerConfig{Kind: "bpe", Vocab: 2048, Pattern: "gpt2", Lowercase: true},
		Data:      t.data(),
		Train: LoopConfig{
			Steps: 600, Batch: 16, Accumulate: 1, EvalEvery: 100, SaveEvery: 100, Save: "auto", Keep: 3, LogEvery: 1,
			Sample: "The", SampleTokens: 48, MaxSkips: 10,
		},
		Optimizer: optim.Default(),
		Cluster:   ClusterConfig{Engine: "auto", CheckEvery: 100, TimeoutS: 600},
		CUDA:      CUDAConfig{Timing: true, Attention: AttentionMMA},
	}
	c.Recipe = t.recipe(c.Data.Name())
	return c
}

// model is a section model: of the first of the families, unless it names another.
func (t Tables) model() Section {
	choices := make([]Choice, len(t.Families))
	for i, f := range t.Families {
		choices[i] = Choice{Name: f.Name, New: f.Config}
	}
	return firstOf("family", choices)
}

// data is a section data: of the first format of the first recipe, unless it names
// another.
func (t Tables) data() Section {
	var choices []Choice
	for _, r := range t.Recipes {
		choices = append(choices, r.Formats...)
	}
	return firstOf("format", choices)
}

func firstOf(key string, choices []Choice) Section {
	name := ""
	if len(choices) > 0 {
		name = choices[0].Name
	}
	return NewSection(key, name, choices)
}

// recipe is a section recipe: of the first recipe that takes the format of the
// data, unless it names another.
func (t Tables) recipe(format string) Section {
	return NewSection("kind", t.usual(format), t.recipes())
}

// chooseRecipe decodes what was read of the section recipe.
func (c *Config) chooseRecipe(t Tables) error {
	return c.Recipe.Resolve("kind", t.usual(c.Data.Name()), t.recipes())
}

func (t Tables) recipes() []Choice {
	choices := make([]Choice, len(t.Recipes))
	for i, r := range t.Recipes {
		choices[i] = Choice{Name: r.Name, New: r.Config}
		if r.Config == nil {
			choices[i].New = func() any { return new(struct{}) }
		}
	}
	return choices
}

// usual is the recipe of configurations that name none.
func (t Tables) usual(format string) string {
	for _, r := range t.Recipes {
		if r.takes(format) {
			return r.Name
		}
	}
	return ""
}

func (r Recipe) takes(format string) bool {
	for _, f := range r.Formats {
		if f.Name == format {
			return true
		}
	}
	return false
}

// checkRecipe returns the faults that only the recipe knows.
func (c Config) checkRecipe(t Tables) error {
	for _, r := range t.Recipes {
		if r.Name != c.Recipe.Name() {
			continue
		}
		if !r.takes(c.Data.Name()) {
			return fmt.Errorf("recipe %s does not learn from data.format %s", r.Name, c.Data.Name())
		}
		if r.Check != nil {
			return r.Check(c)
		}
	}
	return nil
}

// Load reads a file, or by its name a configuration that ships, over the defaults, applies the --set assignments in order, and
// validates.
func Load(file string, assignments []string, t Tables) (Config, error) {
	cfg := Default(t)
	if err := cfg.read(file, assignments, t); err != nil {
		return cfg, err
	}
	return cfg, cfg.check(file, t)
}

// read reads a file and the assignments over c.
func (c *Config) read(file string, assignments []string, t Tables) error {
	src, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && filepath.Base(file) == file {
		if shipped, e := configs.Read(file); e == nil {
			src, err = shipped, nil
		} else {
			err = fmt.Errorf("%w, and none that ships has this name: they are %s", err, strings.Join(configs.Names(), ", "))
		}
	}
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return c.parse(file, src, assignments, t)
}

func (c *Config) parse(file string, src []byte, assignments []string, t Tables) error {
	c.Recipe = Section{} // which one is known when data.format is
	if err := Read(file, src, assignments, c); err != nil {
		return err
	}
	if err := c.chooseSteps(file, src, assignments); err != nil {
		return err
	}
	if err := c.chooseData(file, src, assignments); err != nil {
		return err
	}
	return c.chooseRecipe(t)
}

// Assemble returns the defaults with assignments, as those of --set, unvalidated.
func Assemble(t Tables, assignments ...string) (Config, error) {
	c := Default(t)
	c.Recipe = Section{}
	for _, a := range assignments {
		if err := Set(&c, a); err != nil {
			return c, err
		}
	}
	return c, c.chooseRecipe(t)
}

// Parse reads a configuration that a run has resolved, from text; file stands for
// its place in errors.
func Parse(file string, src []byte, t Tables) (Config, error) {
	c := Default(t)
	return c, c.parse(file, src, nil, t)
}

// check validates what was read from file.
func (c Config) check(file string, t Tables) error {
	if err := c.Validate(t); err != nil {
		return fmt.Errorf("%s:\n%w", file, err)
	}
	return nil
}

// Path is the file of a run's resolved configuration.
func Path(runDir string) string { return filepath.Join(runDir, "config.yaml") }

// precisions maps the values of Precision to the operands of matrix products.
var precisions = map[string]ir.DType{"float32": ir.F32, "tf32": ir.TF32, "bfloat16": ir.BF16}

// Compute returns the operands of matrix products that Precision names. On the
// CPU tf32 computes as float32 does.
func (c Config) Compute() ir.DType { return precisions[c.Precision] }
