package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// comparison is a run's training loss against that of the CPU in float32.
type comparison struct {
	Name      string  `json:"name"`
	Steps     int     `json:"steps"` // compared
	First     float64 `json:"first_nll"`
	Last      float64 `json:"last_nll"`
	Worst     float64 `json:"worst_difference"`
	Tolerance float64 `json:"tolerance"`
	OK        bool    `json:"ok"`
	Error     string  `json:"error,omitempty"`
	Cut       bool    `json:"cut,omitempty"` // the time was up
}

// How far losses of some nats may be apart, over tens of steps.
const (
	floatTolerance = 1e-3
	bf16Tolerance  = 5e-2
)

// training compares runs of two small models.
func (c *checker) training(ctx context.Context) (string, error) {
	bad, cut := 0, 0
	for _, model := range []string{"gpt2", "llama"} {
		for _, r := range c.trainModel(ctx, model) {
			switch {
			case r.Cut:
				cut++
			case !r.OK:
				bad++
			}
			c.report.Training = append(c.report.Training, r)
		}
	}
	note := fmt.Sprintf("%d of %d runs follow the CPU's losses", len(c.report.Training)-bad-cut, len(c.report.Training))
	if bad > 0 {
		return note, errors.New(note)
	}
	if cut > 0 {
		return note + ", the time was up for the others", errCut
	}
	return note, nil
}

// trainModel trains on the CPU, on the GPU in two precisions, and on each from the
// other's checkpoint in the middle.
func (c *checker) trainModel(ctx context.Context, model string) []comparison {
	steps := 50
	if c.small {
		steps = 4
	}
	dir := func(name string) string { return filepath.Join(c.work, model+"-"+name) }
	middle := fmt.Sprintf("step-%08d", steps/2)
	cpu, err := c.pretrain(ctx, c.gotrain, model, dir("cpu"), steps, "--device", "cpu")
	if err != nil {
		return []comparison{failed(model+" on the CPU", 0, err)}
	}
	runs := []struct {
		name, dir string
		tolerance float64
		twin      string // the run that it has to equal to the bit, "" for the CPU's within the tolerance
		flags     []string
	}{
		{"on cuda, float32", dir("cuda"), floatTolerance, "", []string{"--device", "cuda"}},
		{"on cuda, bfloat16", dir("bf16"), bf16Tolerance, "", []string{"--device", "cuda", "--set", "precision=bfloat16"}},
		{"the same once more", dir("twin"), 0, "on cuda, bfloat16", []string{"--device", "cuda", "--set", "precision=bfloat16"}},
		{"from the CPU to cuda", dir("up"), floatTolerance, "", []string{"--device", "cuda", "--resume", filepath.Join(dir("cpu"), "checkpoints", middle)}},
		{"from cuda to the CPU", dir("down"), floatTolerance, "", []string{"--device", "cpu", "--resume", filepath.Join(dir("cuda"), "checkpoints", middle)}},
	}
	var all []comparison
	losses := map[string]map[int]float64{}
	for _, r := range runs {
		got, err := c.pretrain(ctx, c.gotrain, model, r.dir, steps, r.flags...)
		if err != nil {
			all = append(all, failed(model+" "+r.name, r.tolerance, err))
			continue
		}
		if r.twin != "" {
			all = append(all, compare(model+" "+r.name, got, losses[r.twin], 0))
			continue
		}
		losses[r.name] = got
		all = append(all, compare(model+" "+r.name, got, cpu, r.tolerance))
	}
	return all
}

// failed is the comparison with a run that did not end well.
func failed(name string, tolerance float64, err error) comparison {
	return comparison{Name: name, Tolerance: tolerance, Error: err.Error(), Cut: errors.Is(err, errCut)}
}

// launcher starts gotrain, as one process or several.
type launcher func(ctx context.Context, limit time.Duration, args ...string) output

// pretrain trains and returns the losses by step.
func (c *checker) pretrain(ctx context.Context, start launcher, model, dir string, steps int, flags ...string) (map[int]float64, error) {
	args := []string{"pretrain", "--config", filepath.Join(c.dir, model+".yaml"), "--run", dir,
		"--set", fmt.Sprintf("train.steps=%d", steps), "--set", fmt.Sprintf("train.save_every=%d", steps/2)}
	if c.small {
		args = append(args, "--set", "train.batch=1", "--set", "model.context=32", "--set", "train.eval_batches=1", "--set", "model.layers=1")
	}
	out := start(ctx, 3*time.Minute, append(args, flags...)...)
	if out.cut {
		return nil, errCut
	}
	if out.err != nil {
		return nil, errors.New(out.reason())
	}
	raw, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		return nil, err
	}
	return readLosses(raw)
}

// readLosses reads the training losses of a metrics.jsonl.
func readLosses(raw []byte) (map[int]float64, error) {
	losses := map[int]float64{}
	for line := range bytes.Lines(raw) {
		var r struct {
			Step  int
			Split string
			NLL   float64
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		if r.Split == "train" {
			losses[r.Step] = r.NLL
		}
	}
	return losses, nil
}

// compare holds the steps that got has against want's. Nothing in common is bad,
// as a difference that is not a number is.
func compare(name string, got, want map[int]float64, tolerance float64) comparison {
	r := comparison{Name: name, Tolerance: tolerance, OK: true}
	first, last := math.MaxInt, -1
	for step, x := range got {
		w, ok := want[step]
		if !ok {
			continue
		}
		r.Steps++
		first, last = min(first, step), max(last, step)
		r.Worst = max(r.Worst, math.Abs(x-w))
		if !(math.Abs(x-w) <= tolerance) {
			r.OK = false
		}
	}
	r.First, r.Last = got[first], got[last]
	if r.Steps == 0 {
		r.OK, r.Error = false, "no steps in common"
	}
	return r
}
