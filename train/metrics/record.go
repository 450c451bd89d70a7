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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Split names the data that a record is about.
type Split string

// The splits.
const (
	Train Split = "train"
	Val   Split = "val"
)

// Record is one line of metrics.jsonl: what the recipe measures, in its order, between
// what every run has. NaN and infinities, which JSON lacks, are written as null and
// read as NaN; use NaN for what was not measured.
type Record struct {
	Step  int64
	Split Split
	// Values are the recipe's metrics, such as nll (nats per token) and ppl; the
	// first is what a run is judged by.
	Values   Values
	LR       float64 // learning rate of this step
	GradNorm float64 // before clipping
	Unit     string  // what samples are counted in: tokens, images, …
	Seen     int64   // units since the start of the run
	PerS     float64 // units per second
	StepMS   float64
	MFU      float64 // model FLOPs utilization, 0 to 1
	// Notes say how values were computed; their names end with _signature.
	Notes []Note
	Time  time.Time
}

// Value is a metric.
type Value struct {
	Name  string
	Value float64
}

// Note is a text beside the metrics.
type Note struct{ Name, Text string }

// signature ends the names of notes.
const signature = "_signature"

// Values are metrics in their order.
type Values []Value

// Get returns the value of a metric, NaN where there is none of that name.
func (r Record) Get(name string) float64 { return r.Values.Get(name) }

// Get returns the value of a metric, NaN where there is none of that name.
func (vs Values) Get(name string) float64 {
	for _, v := range vs {
		if v.Name == name {
			return v.Value
		}
	}
	return math.NaN()
}

// Text writes the recipe's metrics for people: "nll 3.2189  ppl 25.00".
func (r Record) Text() string {
	parts := make([]string, len(r.Values))
	for i, v := range r.Values {
		digits := 4
		if math.Abs(v.Value) >= 10 {
			digits = 2
		}
		parts[i] = fmt.Sprintf("%s %.*f", v.Name, digits, v.Value)
	}
	return strings.Join(parts, "  ")
}

// Columns are all numbers of a record in the order and under the names of
// metrics.jsonl, but for step, split, units seen and time.
func (r Record) Columns() []Value {
	all := append(make([]Value, 0, len(r.Values)+5), r.Values...)
	return append(all, Value{"lr", r.LR}, Value{"grad_norm", r.GradNorm}, Value{r.Unit + perSecond, r.PerS}, Value{"step_ms", r.StepMS}, Value{"mfu", r.MFU})
}

// perSecond follows the name of the unit in that of its rate.
const perSecond = "_per_s"

// timeLayout is RFC 3339 in UTC to the millisecond.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the record's line, without the newline.
func (r Record) MarshalJSON() ([]byte, error) {
	if r.Split != Train && r.Split != Val {
		return nil, fmt.Errorf("split is %q, want %q or %q", r.Split, Train, Val)
	}
	if r.Unit == "" {
		return nil, errors.New("a record without a unit")
	}
	line := fmt.Appendf(nil, `{"step":%d,"split":%q`, r.Step, r.Split)
	names := map[string]bool{"step": true, "split": true, "time": true, r.Unit: true}
	for _, c := range r.Columns() {
		if names[c.Name] {
			return nil, fmt.Errorf("the metric %q is there twice", c.Name)
		}
		names[c.Name] = true
		if c.Name == r.Unit+perSecond {
			line = fmt.Appendf(line, `,%q:%d`, r.Unit, r.Seen)
		}
		line = fmt.Appendf(line, ",%q:", c.Name)
		line = appendNumber(line, c.Value)
	}
	for _, n := range r.Notes {
		if names[n.Name] || !strings.HasSuffix(n.Name, signature) {
			return nil, fmt.Errorf("the note %q is there twice, or its name does not end with %s", n.Name, signature)
		}
		names[n.Name] = true
		text, err := json.Marshal(n.Text)
		if err != nil {
			return nil, err
		}
		line = fmt.Appendf(line, ",%q:%s", n.Name, text)
	}
	return fmt.Appendf(line, `,"time":%q}`, r.Time.UTC().Format(timeLayout)), nil
}

// appendNumber writes a number as package json does, null where it is not finite.
func appendNumber(line []byte, x float64) []byte {
	text, err := json.Marshal(x)
	if err != nil {
		return append(line, "null"...)
	}
	return append(line, text...)
}

// UnmarshalJSON reads a line. Keys that are not those of every run are metrics.
func (r *Record) UnmarshalJSON(data []byte) error {
	*r = Record{LR: math.NaN(), GradNorm: math.NaN(), PerS: math.NaN(), StepMS: math.NaN(), MFU: math.NaN()}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errors.New("a line of metrics is a JSON object"), err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := r.set(key.(string), value); err != nil {
			return err
		}
	}
	if r.Split != Train && r.Split != Val {
		return fmt.Errorf("split is %q, want %q or %q", r.Split, Train, Val)
	}
	return r.findUnit()
}

// set takes one key of a line.
func (r *Record) set(key string, value any) error {
	text, isText := value.(string)
	switch key {
	case "split":
		r.Split = Split(text)
		return nil
	case "time":
		var err error
		r.Time, err = time.Parse(time.RFC3339, text)
		return err
	}
	if isText && strings.HasSuffix(key, signature) {
		r.Notes = append(r.Notes, Note{key, text})
		return nil
	}
	if isText {
		return fmt.Errorf("%s is %q, not a number", key, text)
	}
	x := math.NaN()
	switch n := value.(type) {
	case nil:
	case json.Number:
		var err error
		if key == "step" {
			r.Step, err = n.Int64()
			return err
		}
		if x, err = n.Float64(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is %v, not a number", key, value)
	}
	switch key {
	case "lr":
		r.LR = x
	case "grad_norm":
		r.GradNorm = x
	case "step_ms":
		r.StepMS = x
	case "mfu":
		r.MFU = x
	default:
		r.Values = append(r.Values, Value{key, x})
	}
	return nil
}

// findUnit takes the unit and its rate from the metrics: X is the unit where
// X_per_s follows it.
func (r *Record) findUnit() error {
	for i := 1; i < len(r.Values); i++ {
		seen, rate := r.Values[i-1], r.Values[i]
		if rate.Name == seen.Name+perSecond {
			r.Unit, r.Seen, r.PerS = seen.Name, int64(seen.Value), rate.Value
			r.Values = append(r.Values[:i-1], r.Values[i+1:]...)
			return nil
		}
	}
	return errors.New("the line counts no samples, such as tokens and tokens_per_s")
}
