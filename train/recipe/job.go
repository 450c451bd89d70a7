package recipe

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
)

// Job is what a run does: models, what is learnt of them step by step, and from
// which data. The engine runs it without knowing what it is.
type Job struct {
	// Config is the run's configuration with what the data told, such as the size of
	// the vocabulary; VocabFrom says what told that.
	Config    config.Config
	VocabFrom string
	Parts     []Part
	Phases    []Phase // of a step, in order
	// Score is what an evaluation measures on Eval; nil where there is none.
	Score LossFunc
	// Unit is what samples are counted in.
	Unit Unit

	// Train and Eval are the batches; nil in a job that was only designed. Eval is
	// nil without held-out data too, and ends with io.EOF.
	Train, Eval           data.Source
	TrainUnits, EvalUnits int64 // sizes of the data, in units
	// EvalParts are Eval by sources of the data, where several hold something out: each is
	// scored by itself.
	EvalParts []EvalPart
	// Split names the record of which texts are trained on and which held out, which
	// checkpoints keep; "" for none.
	Split string
	// Reading estimates what the data takes of the host's memory.
	Reading data.Memory
	// Remarks are what a plan tells beside its figures.
	Remarks []Prepared
	// Epoch is the number of samples of a pass over the training data; 0 where that is
	// not known.
	Epoch uint64
	// Drawn tells what the first samples of the run take from each source of the training
	// data; nil for data of one source.
	Drawn func(samples uint64) []data.Drawn

	// Tools are programs beyond the losses that rank 0 alone runs, such as a generator of
	// what an evaluation shows; Makers those that Prepare and the sources run, on every
	// rank. They are planned and bound with the rest.
	Tools, Makers []Tool
	// Begin completes the data at the step at which a process begins to train, with the
	// parameters as they are then; nil for nothing. Rank 0, which alone has the tools,
	// calls it before the others do.
	Begin func(ctx context.Context, step int) error
	// Prepare completes a batch before a step, as with samples that the model of the
	// moment generates; nil where a source's batch is whole. It has to be a pure
	// function of the parameters, the seed of the run and the batch's position, and
	// the same on a resumed run.
	Prepare func(ctx context.Context, b *data.Batch) error
	// Show makes what an evaluation shows of the model, such as a text; nil for
	// nothing. Rank 0 alone calls it.
	Show func(ctx context.Context) (Shown, error)

	// Remark says what a user should know of the first metric of an evaluation, "" for
	// nothing; nil where there is never anything.
	Remark func(value float64) string

	// Alarm says what the metrics of an evaluation, by their names, tell of a run that goes
	// wrong, "" for nothing; nil where there is never anything. All ranks ask it. With
	// GoesBack the run then goes back to the newest checkpoint from before, and on with the
	// data that comes next.
	Alarm    func(value func(name string) float64) string
	GoesBack bool

	// Measure computes what an evaluation measures beyond Score, such as what a generated
	// text is worth; nil for nothing. Rank 0 alone calls it, where there is held-out data.
	Measure func(ctx context.Context) (Measured, error)

	// Next is the command that a user may want after the run, of its best or newest
	// model; nil for none.
	Next func(model string) string
	// Facts have to be alike on all ranks, such as a hash of the data.
	Facts []ranks.Fact
	// Close releases the data; nil where there is nothing to do.
	Close func() error
}

// EvalPart is what a source of the data holds out.
type EvalPart struct {
	Name   string
	Source data.Source
}

// Part is a model of a job. Its states have the role of its tuning before their
// names, and its files lie in a folder of that name; a part that is alone has no role.
type Part struct {
	Model nn.Model
	// Base is the checkpoint that the weights come from when a run begins; "" draws
	// them. Adapter is where those of an adapter come from, likewise.
	Base, Adapter string
	// Copies is a checkpoint of another model whose parameters of the same names and shapes the
	// weights begin as; the others are drawn. "" is none.
	Copies string
	// Files are those beside the weights of this part, such as config.json and a
	// tokenizer; nil for none.
	Files func() ([]checkpoint.File, error)
}

// Role is the name of the part, "" for one that is alone.
func (p Part) Role() string { return p.Model.Tuning().Role }

// Phase is a part of a step: a loss, who learns from it, and how.
type Phase struct {
	Name string // "" for a phase that is alone
	// Learns is the role of the part whose parameters the phase trains; the other
	// parts are constants to it.
	Learns string
	// With are the roles of parts that learn with it, by the same loss and optimizer.
	With      []string
	Loss      LossFunc
	Optimizer optim.Config
}

// LossFunc builds the forward pass of a micro-batch of rows samples up to the loss.
// The graph's inputs have the names of fields of the source, with rows times their
// elements, or of those that the engine feeds:
//
//	loss_weight  (1) float32: 1 / Σ data.Batch.Weight over the step
//	rng          (4) int32: seed low, seed high, number of the first unit low, high
//	rng.N        (4) int32: the same, of N rows a sample
type LossFunc func(g *autograd.Graph, rows int) Loss

// Loss is what a LossFunc builds.
type Loss struct {
	Value   *autograd.Node // a scalar; an evaluation needs none
	Metrics []Metric       // the first is what a run is judged by
}

// Metric is a column of metrics.jsonl: As(Σ Sum / Σ Per) over the micro-batches of
// a step, or the batches of an evaluation, and over the ranks. Equal nodes are
// computed once.
type Metric struct {
	Name string
	Sum  *autograd.Node // float32, whose elements are added up
	Per  Count
	As   func(mean float64) float64 // nil is the mean itself
	// Higher tells that more is better; else less is.
	Higher bool
}

// Value computes the metric of a sum.
func (m Metric) Value(sum float64, c Counts) float64 {
	mean := sum / c[m.Per]
	if m.As == nil {
		return mean
	}
	return m.As(mean)
}

// Count is what a sum is divided by.
type Count uint8

const (
	PerWeight Count = iota // data.Batch.Weight
	PerByte                // data.Batch.TextBytes
	PerRow                 // rows that hold a sample
	PerRun                 // runs of the program: for means
	counts
)

// Counts are the divisors of metrics.
type Counts [counts]float64

// Add adds the counts of others.
func (c *Counts) Add(d Counts) {
	for i := range c {
		c[i] += d[i]
	}
}

// Unit is what a run counts its samples in.
type Unit struct {
	Name      string // tokens, images, …: metrics.jsonl has NAME and NAME_per_s
	PerSample int    // units of a sample
}

// Tool is programs that a job needs beyond its losses.
type Tool interface {
	// Plan plans them for a back end.
	Plan(t plan.Target) ([]*plan.Plan, error)
	// Bind makes them ready to run on the states of store, with working memory that
	// they share with all other programs of the run.
	Bind(store *exec.Store, arena *exec.Arena) error
}

// Measured are columns of metrics.jsonl that are no sums over samples. Notes say how the
// numbers were computed; their names end with _signature.
type Measured struct {
	Values []Measurement
	Notes  []Note
}

// Measurement is a number with its name.
type Measurement struct {
	Name  string
	Value float64
}

// Note is a text with its name.
type Note struct{ Name, Text string }

// Shown is what an evaluation shows.
type Shown struct {
	Name string // in TensorBoard
	Text string
	// Picture is kept as RUN/samples/NAME-STEP.png; nil for none.
	Picture image.Image
}

// ToolsOf are the tools that a rank runs.
func (j *Job) ToolsOf(r mesh.Rank) []Tool {
	if r.First() {
		return slices.Concat(j.Makers, j.Tools)
	}
	return j.Makers
}

// Check reports a job that does not hold together.
func (j *Job) Check() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("job: "+format, args...))
		}
	}
	check(len(j.Parts) > 0 && len(j.Phases) > 0, "%d models and %d phases; a job has one of each at least", len(j.Parts), len(j.Phases))
	check(j.Unit.Name != "" && j.Unit.PerSample > 0, "a unit needs a name and a size")
	roles := map[string]bool{}
	for _, p := range j.Parts {
		check(!roles[p.Role()], "two models have the role %q", p.Role())
		check(p.Role() != "" || len(j.Parts) == 1, "of several models each needs a role")
		roles[p.Role()] = true
	}
	learns, names := map[string]bool{}, map[string]bool{}
	for _, p := range j.Phases {
		for _, role := range p.learners() {
			check(roles[role], "phase %q trains the role %q, which no model has", p.Name, role)
			check(!learns[role], "two phases train the role %q: their optimizers would share its state", role)
			learns[role] = true
		}
		check(!names[p.Name], "two phases are called %q", p.Name)
		check(p.Name != "" || len(j.Phases) == 1, "of several phases each needs a name")
		names[p.Name] = true
	}
	return errors.Join(errs...)
}

// countSteps gives the configuration the steps of its epochs.
func (j *Job) countSteps() error {
	t := &j.Config.Train
	if j.Epoch == 0 {
		return config.Faultf("train.epochs is %g, but recipe %s has no epochs: set train.steps in place of it", t.Epochs, j.Config.Recipe.Name())
	}
	steps := math.Ceil(t.Epochs * float64(j.Epoch) / float64(j.Config.StepSamples()))
	if steps > math.MaxInt32 {
		return config.Faultf("train.epochs is %g: these are %g steps; use fewer", t.Epochs, steps)
	}
	t.Steps, t.Epochs = int(steps), 0
	return nil
}

// Part returns the part with that role.
func (j *Job) Part(role string) Part {
	return j.Parts[slices.IndexFunc(j.Parts, func(p Part) bool { return p.Role() == role })]
}

// Params are the parameters of all parts.
func (j *Job) Params() []nn.Param {
	var all []nn.Param
	for _, p := range j.Parts {
		all = append(all, p.Model.Params()...)
	}
	return all
}

// learners are the roles that learn in a phase.
func (p Phase) learners() []string { return append([]string{p.Learns}, p.With...) }

// Learners are the parameters of the parts that learn in a phase, frozen ones among them.
func (j *Job) Learners(p Phase) []nn.Param {
	var all []nn.Param
	for _, role := range p.learners() {
		all = append(all, j.Part(role).Model.Params()...)
	}
	return all
}

// Trained are the parameters that a phase trains.
func (j *Job) Trained(p Phase) []nn.Param { return nn.Trainable(j.Learners(p)) }

// Trainable are the parameters that some phase trains.
func (j *Job) Trainable() []nn.Param {
	var all []nn.Param
	for _, p := range j.Phases {
		all = append(all, j.Trained(p)...)
	}
	return all
}

// Perplexity and BitsPerByte are metrics of a mean NLL in nats.
func Perplexity(nll float64) float64  { return math.Exp(nll) }
func BitsPerByte(nll float64) float64 { return nll / math.Ln2 }
