package optim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

var update = flag.Bool("update", false, "write testdata anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v; got\n%s", name, err, got)
	}
}

// TestProgramsAsText holds every instruction of the updates: attributes, and what they read and
// write, with class and shape. Each setting has a value of its own, so that none can stand in
// for another.
func TestProgramsAsText(t *testing.T) {
	var b strings.Builder
	for _, change := range []struct {
		name string
		set  func(c *Config)
	}{
		{"adamw", func(c *Config) {}},
		{"lion without clip, guarded", func(c *Config) { c.Kind, c.Clip = "lion", 0 }},
		{"sgd, not Nesterov's", func(c *Config) { c.Kind, c.Nesterov = "sgd", false }},
		{"sgd without momentum", func(c *Config) { c.Kind, c.Momentum = "sgd", 0 }},
		{"muon with averages", func(c *Config) { c.Kind, c.EMA = "muon", 0.5625 }},
		{"in the backward pass", func(c *Config) { c.Clip, c.InBackward = 0, true }},
	} {
		c := Config{Kind: "adamw", LR: 0.25, Betas: []float64{0.875, 0.75}, Eps: 0.125, Momentum: 0.625, Nesterov: true, WeightDecay: 0.0625, Clip: 1.5, MinLR: 0.375, Decay: 0.4375, MatrixLR: 0.5}
		change.set(&c)
		params, rules := twoLayers(t)
		p := updateProgram(params, rules, c, true)
		fmt.Fprintf(&b, "%s\n", change.name)
		list := func(values []*ir.Value) {
			for _, v := range values {
				if v == nil {
					b.WriteString(" -")
					continue
				}
				fmt.Fprintf(&b, " %s %s %s%s", v.Class, v.Name, v.DType, v.Shape)
			}
		}
		for _, in := range p.Instrs {
			fmt.Fprintf(&b, "  %s %+v in %s, block %d\n    of", in.Kind, in.Attrs, in.Path, in.Block)
			list(in.In)
			b.WriteString("\n    to")
			list(in.Out)
			b.WriteString("\n")
		}
		b.WriteString("  puts out")
		list(p.Outputs)
		b.WriteString("\n")
	}
	golden(t, "programs.txt", b.String())
}

// TestFaultsAsText holds what is said of each setting that is wrong.
func TestFaultsAsText(t *testing.T) {
	var b strings.Builder
	for _, c := range []Config{
		{
			Kind: "adam", LR: -1, Betas: []float64{0.5, 1}, Eps: -2, Momentum: 3, WeightDecay: -4, Clip: -5, Schedule: "cos",
			Warmup: -6, MinLR: 7, Decay: 8, EMA: 9, InBackward: true,
		},
		{Kind: "muon", LR: 1, Betas: []float64{0, 0}, Schedule: "wsd", Decay: 1, MatrixLR: -10},
	} {
		fmt.Fprintf(&b, "%v\n\n", c.Validate())
	}
	golden(t, "faults.txt", b.String())
}

// TestSchedulesAtTheirEnds: what no step of a run is, and runs shorter than their warm-up.
func TestSchedulesAtTheirEnds(t *testing.T) {
	for _, c := range []struct {
		schedule             string
		warmup, step, total  int
		minLR, decay, wanted float64
	}{
		{"linear", 10, 10, 10, 0.25, 0.5, 0.25}, {"linear", 10, 12, 5, 0.25, 0.5, 0.25}, {"cosine", 3, 3, 3, 0.25, 0.5, 0.25},
		{"linear", 0, 9, 8, 0.25, 0.5, 0.25}, {"wsd", 0, 9, 8, 0.25, 0.5, 0.25}, {"wsd", 0, 4, 8, 0.25, 0.5, 1}, {"wsd", 0, 5, 8, 0.25, 0.5, 1 - 0.75/4},
		{"linear", 4, 4, 8, 0.25, 0.5, 1}, {"linear", 4, 3, 8, 0.25, 0.5, 1}, {"linear", 4, 0, 8, 0.25, 0.5, 0.25}, {"linear", 3, 4, 4, 0.25, 0.5, 0.25}, {"none", 1, 1, 1, 0.25, 0.5, 1},
	} {
		o := Config{Schedule: c.schedule, Warmup: c.warmup, MinLR: c.minLR, Decay: c.decay}
		if got := o.LRFraction(c.step, c.total); got != c.wanted {
			t.Errorf("%+v: %g", c, got)
		}
	}
}
