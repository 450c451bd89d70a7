package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// print writes the table.
func (r *report) print(w io.Writer) {
	t := &table{w: w}
	r.printCard(t)
	r.printParts(t)
	r.printFirst(t)
	r.printFailures(t)
	r.printLosses(t, r.Training, "training beside the CPU in float32")
	r.printRanks(t)
	r.printKernels(t)
	r.printWays(t)
	r.printSteps(t)
	r.printTargets(t)
}

// table aligns columns of text.
type table struct {
	w    io.Writer
	rows [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// flush writes the rows since the last time under a title; the first column is
// to the left, the others too where a cell of theirs is not a number.
func (t *table) flush(title string) {
	if len(t.rows) == 0 {
		return
	}
	if title != "" {
		fmt.Fprintf(t.w, "\n== %s\n", title)
	}
	var widths []int
	var text []bool
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, text = append(widths, 0), append(text, i == 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, row := range t.rows[1:] {
		for i, cell := range row {
			text[i] = text[i] || cell != "" && !strings.ContainsAny(cell[:1], "0123456789-")
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if text[i] {
				b.WriteString(cell + pad + "  ")
			} else {
				b.WriteString(pad + cell + "  ")
			}
		}
		fmt.Fprintln(t.w, strings.TrimRight(b.String(), " "))
	}
	t.rows = nil
}

func (r *report) printCard(t *table) {
	for _, f := range r.Doctor {
		status := "ok"
		if !f.OK {
			status = "warn"
		}
		t.row(f.Name, status, f.Detail)
	}
	if r.Card.Name != "" {
		t.row("nvidia-smi", "ok", fmt.Sprintf("%s, driver %s, %d MiB used by others", r.Card.Name, r.Card.Driver, r.Card.UsedBytes>>20))
	}
	if m := r.Bench.Machine; m.GPU != "" {
		t.row("peak", "ok", fmt.Sprintf("%s: %.0f TFLOP/s bfloat16, %.2f TB/s by its clocks", m.GPU, m.BF16/1e3, m.Bandwidth/1e3))
	}
	t.flush("machine, " + r.When)
}

func (r *report) printParts(t *table) {
	t.row("part", "outcome", "seconds", "")
	for _, p := range r.Parts {
		t.row(p.Name, p.Status, fmt.Sprintf("%.1f", p.Seconds), p.Note)
	}
	t.flush("parts")
}

// mostFailures are printed of each suite; the JSON has all.
const mostFailures = 10

func (r *report) printFailures(t *table) {
	for _, s := range r.Tests {
		for _, f := range s.Failures[:min(len(s.Failures), mostFailures)] {
			t.row(f.Test, f.Message)
		}
		if more := len(s.Failures) - mostFailures; more > 0 {
			t.row(fmt.Sprintf("%d more of %s", more, s.Name), "")
		}
	}
	t.flush("tests that failed")
}

func (r *report) printLosses(t *table, runs []comparison, title string) {
	if len(runs) == 0 {
		return
	}
	t.row("training", "steps", "first loss", "last", "difference", "allowed", "")
	for _, c := range runs {
		outcome := "ok"
		if c.Cut {
			outcome = "the time was up"
		} else if !c.OK {
			outcome = strings.TrimSpace("wrong " + c.Error)
		}
		t.row(c.Name, fmt.Sprint(c.Steps), fmt.Sprintf("%.4f", c.First), fmt.Sprintf("%.4f", c.Last), fmt.Sprintf("%.1e", c.Worst), fmt.Sprintf("%.0e", c.Tolerance), outcome)
	}
	t.flush(title)
}

func (r *report) printKernels(t *table) {
	if len(r.Bench.Kernels) == 0 {
		return
	}
	t.row("kernel", "ms", "TFLOP/s", "TB/s", "of peak", "PyTorch ms", "ours/theirs")
	for _, k := range r.Bench.Kernels {
		tflops := "-"
		if k.GFLOPS > 0 {
			tflops = fmt.Sprintf("%.1f", k.GFLOPS/1e3)
		}
		theirs := r.torchKernel(k.Name)
		var times, ratios []string
		for _, name := range sortedKeys(theirs) {
			times = append(times, fmt.Sprintf("%s %.4f", name, theirs[name]))
			ratios = append(ratios, fmt.Sprintf("%.2f", theirs[name]/k.MS))
		}
		t.row(k.Name, fmt.Sprintf("%.4f", k.MS), tflops, fmt.Sprintf("%.2f", k.GBPerS/1e3), fmt.Sprintf("%.0f%%", 100*k.Fraction),
			strings.Join(times, ", "), strings.Join(ratios, ", "))
	}
	t.flush("kernels in bfloat16; ours/theirs is of speeds, above 1 is faster than PyTorch")
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func gib(bytes float64) string { return fmt.Sprintf("%.2f", bytes/(1<<30)) }

func (r *report) printSteps(t *table) {
	if len(r.Bench.Steps) == 0 {
		return
	}
	t.row("step", "ms", "tokens/s", "TFLOP/s", "MFU", "nodes", "idle", "PyTorch tokens/s", "with", "ours/theirs")
	for _, s := range r.Bench.Steps {
		theirs, ratio := "-", "-"
		torch, ok := r.torchStep(s.Name)
		if ok {
			theirs, ratio = fmt.Sprintf("%.0f", torch.TokensPerS), fmt.Sprintf("%.2f", s.TokensPerS/torch.TokensPerS)
		}
		t.row(s.Name, fmt.Sprintf("%.2f", s.StepMS), fmt.Sprintf("%.0f", s.TokensPerS), fmt.Sprintf("%.1f", s.GFLOPS/1e3), fmt.Sprintf("%.1f%%", 100*r.mfu(s)),
			fmt.Sprint(s.GPU.Nodes), fmt.Sprintf("%.1f%%", 100*s.GPU.Idle), theirs, torch.Attention, ratio)
	}
	t.flush("training steps in bfloat16; idle is what lies between the graphs of two steps")

	t.row("step", "GiB", "planned", "PyTorch", "first step s", "open", "bind", "parameters", "step", "PyTorch s")
	for _, s := range r.Bench.Steps {
		memory, first := "-", "-"
		if torch, ok := r.torchStep(s.Name); ok {
			memory, first = gib(float64(torch.UsedBytes-r.Card.UsedBytes)), fmt.Sprintf("%.1f", torch.FirstStepS)
		}
		g := s.GPU
		t.row(s.Name, gib(r.used(s)), gib(float64(s.PlannedBytes)), memory,
			fmt.Sprintf("%.2f", g.FirstStepS), fmt.Sprintf("%.2f", g.OpenS), fmt.Sprintf("%.2f", g.BindS), fmt.Sprintf("%.2f", g.ParamsS), fmt.Sprintf("%.2f", g.StepS), first)
	}
	t.flush("all that the process uses of the GPU's memory, and its start")
	for _, s := range r.Torch.Steps {
		if s.Error != "" {
			t.row(s.Name, s.Attention, s.Error)
		}
	}
	t.flush("steps that PyTorch did not do")
}

func (r *report) printTargets(t *table) {
	t.row("target, on an H100", "wanted", "measured", "")
	for _, g := range r.Targets {
		switch {
		case g.Measured == nil:
			t.row(g.Name, g.Wanted, "-", "not measured")
		case g.Wanted == "-":
			t.row(g.Name, g.Wanted, fmt.Sprintf("%.3f", *g.Measured), "")
		case g.Met:
			t.row(g.Name, g.Wanted, fmt.Sprintf("%.3f", *g.Measured), "met")
		default:
			t.row(g.Name, g.Wanted, fmt.Sprintf("%.3f", *g.Measured), "missed")
		}
	}
	t.flush("targets")
}
