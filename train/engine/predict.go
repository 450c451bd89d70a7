package engine

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/scale"
)

// Machine is what a forecast knows of the hardware; zero fields are unknown.
type Machine struct {
	Peak      float64 // of arithmetic in the run's precision, floating-point operations a second
	Products  float64 // what matrix products reach in the run's precision, floating-point operations a second
	Attention float64 // what attention over long sequences reaches
	Bandwidth float64 // of memory, bytes a second
}

// Forecast is what a run will take, known before it starts.
type Forecast struct {
	Arithmetic       nn.FLOPs `json:"-"` // of a unit, forward and backward
	Params           int64    `json:"params"`
	Trainable        int64    `json:"trainable_params"`
	Unit             string   `json:"unit"`            // what samples are counted in
	FLOPsPerUnit     float64  `json:"flops_per_token"` // of a unit, forward and backward, attention included
	StateBytes       int64    `json:"state_bytes"`     // parameters, optimizer state, stored gradients; with cluster.zero at rank 0, which has the most
	ArenaBytes       int64    `json:"arena_bytes"`     // activations, gradients and scratch: the largest program
	InputBytes       int64    `json:"input_bytes"`     // inputs and constant tables of all programs
	SnapshotBytes    int64    `json:"snapshot_bytes"`  // what asynchronous saves write from; on a GPU of its host's memory
	PeakBytes        int64    `json:"peak_bytes"`      // all of the above, on a GPU of its memory: exact, allocated before the first step
	StepUnits        int      `json:"step_tokens"`
	TotalUnits       int64    `json:"total_tokens"`
	TotalFLOPs       float64  `json:"total_flops"`
	CheckpointBytes  int64    `json:"checkpoint_bytes"`       // of its tensors: weights, of LoRA the adapter, and optimizer state
	UnitsPerS        float64  `json:"tokens_per_s,omitempty"` // 0 when the machine was not measured
	StepMS           float64  `json:"step_ms,omitempty"`
	Seconds          float64  `json:"seconds,omitempty"`         // all steps, without evaluations
	ChinchillaNLL    float64  `json:"chinchilla_nll"`            // expected on web text with its 32k vocabulary, nats per token
	ChinchillaTokens float64  `json:"chinchilla_optimal_tokens"` // compute-optimal for this many parameters
}

// flopsPerUnit counts what the phases of a job compute for a unit. It is zero where
// a loss does not build for a single sample.
func flopsPerUnit(job *recipe.Job) nn.FLOPs {
	var sum nn.FLOPs
	for _, phase := range job.Phases {
		g := autograd.NewGraph()
		loss := phase.Loss(g, 1)
		p, _, err := g.LowerTrain("flops", g.Grad(loss.Value, learning(g, job.Trained(phase))...), autograd.GradStore, loss.Value)
		if err != nil {
			return nn.FLOPs{}
		}
		f := nn.FLOPsOf(p, job.Learners(phase), job.Unit.PerSample)
		sum.Exact += f.Exact
		sum.SixN += f.SixN
		sum.Products += f.Products
	}
	return sum
}

// Predict forecasts the run of cfg from its compiled programs.
func Predict(cfg config.Config, job *recipe.Job, programs *Programs, m Machine) Forecast {
	arithmetic := flopsPerUnit(job)
	f := Forecast{
		Unit: job.Unit.Name, Arithmetic: arithmetic, FLOPsPerUnit: arithmetic.Exact, ArenaBytes: programs.Arena(), StepUnits: cfg.StepSamples() * job.Unit.PerSample,
	}
	f.TotalUnits = int64(cfg.Train.Steps) * int64(f.StepUnits)
	for _, p := range job.Params() {
		f.Params += int64(p.Shape.Size())
	}
	for _, p := range job.Trainable() {
		f.Trainable += int64(p.Shape.Size())
	}
	for _, b := range programs.Bindings() {
		f.InputBytes += b.Inputs + b.Tables
	}
	for _, v := range programs.States() {
		f.StateBytes += v.Bytes()
	}
	f.CheckpointBytes = save.ModelBytes(Models(job)) + optimizerBytes(job) + programs.carriedBytes()
	f.PeakBytes, f.SnapshotBytes = f.StateBytes+f.ArenaBytes+f.InputBytes, programs.Snapshot
	if programs.HostMemory {
		f.PeakBytes += f.SnapshotBytes
	}
	f.TotalFLOPs = f.FLOPsPerUnit * float64(f.TotalUnits)
	f.ChinchillaNLL = scale.Chinchilla.Loss(float64(f.Params), float64(f.TotalUnits))
	f.ChinchillaTokens = scale.Chinchilla.Tokens(float64(f.Params))
	if m.Products > 0 && m.Attention > 0 && m.Bandwidth > 0 {
		seconds := stepSeconds(programs, m)
		f.StepMS, f.UnitsPerS, f.Seconds = 1e3*seconds, float64(f.StepUnits)/seconds, seconds*float64(cfg.Train.Steps)
	}
	return f
}

// attentionHalf is the number of keys at which tiled attention reaches half of
// its rate over long sequences (LOG.md has the measurements).
const attentionHalf = 64

// stepSeconds adds up the instructions of a step, each bound by arithmetic or
// by memory (Williams et al. 2009, the roofline model).
func stepSeconds(programs *Programs, m Machine) float64 {
	var seconds float64
	for _, run := range programs.Step {
		seconds += Seconds(run.Program.Plan.Program, m)
	}
	return seconds
}

// Seconds is what a program takes, of which all fields of m are known: the sum over its
// instructions, each bound by arithmetic or by memory.
func Seconds(p *ir.Program, m Machine) float64 {
	var seconds float64
	for _, in := range p.Instrs {
		c := in.Cost()
		arithmetic := c.Products / m.Products
		if c.Attention > 0 {
			arithmetic += c.Attention / (m.Attention * float64(c.Keys) / float64(c.Keys+attentionHalf))
		}
		seconds += max(arithmetic, c.Bytes/m.Bandwidth)
	}
	return seconds
}
