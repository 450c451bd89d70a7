// Package bench measures whole training steps of reference models, and decoding.
//
// [Steps] are the reference configurations of a size of machine, which other programs
// such as PyTorch are measured with too: forward, backward and AdamW, without clipping.
// [Options.Measure] trains one, or any other configuration, on random tokens and gives the
// median step ([Timing]); [Options.Decode] continues a text one token at a time. Kernels
// by themselves are measured by autograd/bench.
package bench

import (
	"encoding/json"
	"errors"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ways"
)

// Options say how to measure.
type Options struct {
	Precision string  // of matrix products: float32, tf32, bfloat16
	Seconds   float64 // for each step
	// Peak is the arithmetic of the device in the precision, GFLOP/s; 0 where it is not
	// known.
	Peak float64
	// Bandwidth is that of the device's memory, GB/s; 0 where it is not known.
	Bandwidth float64
	// ByInstruction tells besides where the time of a step goes, in steps of their own.
	ByInstruction bool
	// Repeat takes the first step twice besides, and compares the bits.
	Repeat bool
	// Ways keeps what is chosen by timing; without a path nothing is timed.
	Ways ways.File
}

// Timing is the speed of whole training steps.
type Timing struct {
	Name           string  `json:"name"`
	Params         int64   `json:"params"`
	Layers         int     `json:"layers"`
	Heads          int     `json:"heads"`
	Width          int     `json:"width"`
	Batch          int     `json:"batch"`
	Context        int     `json:"context"`
	Vocab          int     `json:"vocab"`
	StepMS         float64 `json:"step_ms"` // the median
	Steps          int     `json:"steps"`   // measured
	TokensPerS     float64 `json:"tokens_per_s"`
	GFLOPS         float64 `json:"gflops"` // the model's own arithmetic
	FractionOfPeak float64 `json:"fraction_of_peak"`
	PlannedBytes   int64   `json:"planned_bytes"` // by gotrain plan, the process included

	GPU *GPU `json:"gpu,omitempty"`
	// Chosen counts the ways of computing that were chosen by timing, 0 without; ChosenS
	// is what that took, and ChosenSaves the share of their time that they save.
	Chosen      int     `json:"chosen,omitempty"`
	ChosenS     float64 `json:"chosen_s,omitempty"`
	ChosenSaves float64 `json:"chosen_saves,omitempty"`
	// WayMS are the times of all ways that were timed now, by what they compute.
	WayMS map[string]map[string]float64 `json:"way_ms,omitempty"`

	// ByInstruction and ByKind are where the time of a step goes, of Options.ByInstruction.
	ByInstruction []Instruction `json:"by_instruction,omitempty"`
	ByKind        []Instruction `json:"by_kind,omitempty"`
	// Bits are hashes of the parameters after the first step, taken twice from the same
	// ones, of Options.Repeat.
	Bits []string `json:"bits,omitempty"`
}

// GPU is what a step on a GPU tells besides.
type GPU struct {
	FirstStepS float64 `json:"first_step_s"` // from the look for a device to the end of the first step; that is OpenS to StepS
	OpenS      float64 `json:"open_s"`       // the driver, its context, our kernels
	BindS      float64 `json:"bind_s"`       // plans, memory, graphs
	ParamsS    float64 `json:"params_s"`     // the first parameters, drawn by the processor
	StepS      float64 `json:"step_s"`
	UsedBytes  int64   `json:"used_bytes"`    // memory of the GPU at the end, other programs included
	Nodes      int     `json:"graph_nodes"`   // of the graph of a step
	Idle       float64 `json:"idle_fraction"` // of a step, outside its graphs
}

// Measure takes steps on d, whose back end it opens anew, so that memory and start are
// its own. began is when the caller began to look for the device.
func (o Options) Measure(s Step, d device.Device, began time.Time) (t Timing, err error) {
	opened, err := openForSteps(d, began)
	if err != nil {
		return Timing{}, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return o.time(s, opened)
}

// stepDevice is the device of one step case. Each case opens it anew, so that
// memory and start are its own.
type stepDevice struct {
	device.Device
	exec.Backend
	driver  exec.Backend    // what was opened, below what watches it
	watched *device.Watched // nil on the CPU
	began   time.Time       // the look for the device
	opened  time.Time
}

func openForSteps(d device.Device, began time.Time) (*stepDevice, error) {
	b, err := d.Open()
	if err != nil {
		return nil, err
	}
	s := &stepDevice{Device: d, Backend: b, driver: b, began: began, opened: time.Now()}
	if d.Card != nil {
		if s.watched, err = device.Watch(b); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		s.Backend = s.watched
	}
	return s, nil
}

// setSizes takes what the model's configuration has of layers, heads and width.
func (t *Timing) setSizes(m nn.Model) error {
	text, err := json.Marshal(m.Config())
	if err != nil {
		return err
	}
	var sizes struct{ Layers, Heads, Width int }
	err = json.Unmarshal(text, &sizes)
	t.Layers, t.Heads, t.Width = sizes.Layers, sizes.Heads, sizes.Width
	return err
}
