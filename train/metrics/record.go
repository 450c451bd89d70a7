// Package metrics writes what a run measures: RUN/metrics.jsonl, one [Record] a
// line, by [Log], and RUN/events.out.tfevents.* for TensorBoard, by [Events].
//
// Both survive a stop at any moment and the resume after it: Log drops the lines
// beyond the step that the run goes on from, and Events tells TensorBoard to
// forget its points there. So the steps that are computed again are written
// again, and none appears twice.
//
// A failed write, on a full disk for one, loses nothing: the lines wait in memory
// and the next write puts them in their place. The caller decides whether an
// error of metrics ends a run.
//
// A Log or an Events belongs to one goroutine. Times come from the caller.
package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Split names the data that a record is about.
type Split string

// The splits.
const (
	Train Split = "train"
	Val   Split = "val"
)

// Record is one line of metrics.jsonl. NaN and infinities, which JSON lacks, are
// written as null and read as NaN; use NaN for what was not measured.
type Record struct {
	Step        int64
	Split       Split
	NLL         float64 // negative log-likelihood, nats per token
	BitsPerByte float64 // of Val only
	LR          float64 // learning rate of this step
	GradNorm    float64 // before clipping
	Tokens      int64   // seen since the start of the run
	TokensPerS  float64
	StepMS      float64
	MFU         float64 // model FLOPs utilization, 0 to 1
	Time        time.Time
}

// PPL is the perplexity exp(NLL).
func (r Record) PPL() float64 { return math.Exp(r.NLL) }

// line is a Record in the order and under the names of metrics.jsonl.
type line struct {
	Step        int64   `json:"step"`
	Split       Split   `json:"split"`
	NLL         number  `json:"nll"`
	PPL         number  `json:"ppl"`
	BitsPerByte *number `json:"bits_per_byte,omitempty"`
	LR          number  `json:"lr"`
	GradNorm    number  `json:"grad_norm"`
	Tokens      int64   `json:"tokens"`
	TokensPerS  number  `json:"tokens_per_s"`
	StepMS      number  `json:"step_ms"`
	MFU         number  `json:"mfu"`
	Time        string  `json:"time"`
}

// timeLayout is RFC 3339 in UTC to the millisecond.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the record's line, without the newline. ppl is exp(nll) and
// bits_per_byte is there for Val only.
func (r Record) MarshalJSON() ([]byte, error) {
	l := line{
		Step: r.Step, Split: r.Split, NLL: number(r.NLL), PPL: number(r.PPL()), LR: number(r.LR),
		GradNorm: number(r.GradNorm), Tokens: r.Tokens, TokensPerS: number(r.TokensPerS),
		StepMS: number(r.StepMS), MFU: number(r.MFU), Time: r.Time.UTC().Format(timeLayout),
	}
	switch r.Split {
	case Val:
		l.BitsPerByte = (*number)(&r.BitsPerByte)
	case Train:
	default:
		return nil, fmt.Errorf("split is %q, want %q or %q", r.Split, Train, Val)
	}
	return json.Marshal(l)
}

// UnmarshalJSON reads a line. Its ppl is not kept: PPL computes it.
func (r *Record) UnmarshalJSON(data []byte) error {
	nan := number(math.NaN())
	l := line{NLL: nan, PPL: nan, LR: nan, GradNorm: nan, TokensPerS: nan, StepMS: nan, MFU: nan}
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	if l.Split != Train && l.Split != Val {
		return fmt.Errorf("split is %q, want %q or %q", l.Split, Train, Val)
	}
	t, err := time.Parse(time.RFC3339, l.Time)
	if err != nil {
		return err
	}
	*r = Record{
		Step: l.Step, Split: l.Split, NLL: float64(l.NLL), LR: float64(l.LR), GradNorm: float64(l.GradNorm),
		Tokens: l.Tokens, TokensPerS: float64(l.TokensPerS), StepMS: float64(l.StepMS), MFU: float64(l.MFU), Time: t,
	}
	if l.Split == Val {
		r.BitsPerByte = math.NaN()
		if l.BitsPerByte != nil {
			r.BitsPerByte = float64(*l.BitsPerByte)
		}
	}
	return nil
}

// number is a float64 that is null in JSON when it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON leaves NaN, the number's value before, in place of null.
func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}
