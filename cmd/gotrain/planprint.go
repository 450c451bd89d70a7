package main

import (
	"fmt"
	"io"
	"strings"

	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/units"
)

// printPlan writes the plan for people.
func printPlan(w io.Writer, r *forecast.Report) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	text := r.Context > 0 // a model of sequences
	model := fmt.Sprintf("%s parameters, %s of them in matrix products", units.Count(r.Params), units.Count(r.Arithmetic.Products))
	if text {
		model += fmt.Sprintf("; vocabulary %d (%s)", r.Vocab, r.VocabFrom)
	}
	line("model", "%s", model)
	if r.Trainable < r.Params {
		line("trained", "%s parameters, %.2f%%; the others are frozen", units.Count(r.Trainable), 100*float64(r.Trainable)/float64(r.Params))
	}
	arithmetic := fmt.Sprintf("%s FLOPs %s, forward and backward, of attention what the mask leaves: MFU counts these", units.Count(int64(r.FLOPsPerUnit)), one(r.Unit))
	if text {
		arithmetic += fmt.Sprintf(" (6N: %s)", units.Count(int64(r.SixN)))
	}
	line("arithmetic", "%s", arithmetic)
	if e := r.Economy; e != nil {
		line("attention", "%s", e.Text(r.Context))
	}
	size := fmt.Sprintf("%d %s", r.Batch, r.Unit)
	if text {
		size = fmt.Sprintf("%d sequences × %d context", r.Batch, r.Context)
	}
	line(r.Unit, "%s: %d steps × %s%s", units.Count(r.TotalUnits), r.Steps, size, times(r.Accumulate))
	if r.Epochs > 0 {
		line("epochs", "%g, from which the steps follow", r.Epochs)
	}
	if len(r.Sources) > 0 {
		line("sources", "%s", sharesText(r.Sources))
	}
	for _, remark := range r.Remarks {
		line(remark.Name, "%s", remark.Text)
	}
	m, each := r.Memory, ""
	if r.Ranks > 1 {
		each = fmt.Sprintf(" of a rank, of %d", r.Ranks)
	}
	line("memory", "%s at the peak%s:", units.Bytes(m.Total), each)
	for _, part := range []struct {
		name  string
		bytes int64
	}{
		{"parameters", m.Parameters}, {"optimizer state", m.Optimizer}, {"stored gradients", m.Gradients}, {"caches of what shows samples", m.Caches}, {"memories and running statistics", m.Carried},
		{"activations, gradients, scratch (arena)", m.Arena}, {"inputs and tables", m.Inputs}, {productsName(r), m.Products}, {driverName(r), m.Driver},
		{snapshotName(r), m.Snapshot}, {"this program itself (measured)", m.Process}, {"text, tokens, checkpoints in passing (estimated)", m.Heap},
	} {
		if part.bytes > 0 {
			line("", "%10s  %s", units.Bytes(part.bytes), part.name)
		}
	}
	if free := r.Limits.Usable(); free > 0 {
		line("", "%10s  free%s; the largest train.batch that fits is %d", units.Bytes(free), where(r), r.LargestBatch)
	}
	line("checkpoint", "%s each", units.Bytes(r.CheckpointBytes))
	line("machine", "%s", r.Machine)
	if t := r.Timing; t != nil {
		line("kernels", "%s", timingText(*t))
	}
	line("speed", "about %s %s/s, %s a step, %.0f%% of the peak in %s", units.Count(int64(r.UnitsPerS)), r.Unit, units.Seconds(r.StepMS/1e3), 100*r.MFU, r.Precision)
	products, attention := r.Machine.Assumed()
	line("", "assumed: matrix products reach %.0f%% of the peak, attention %.0f%%, the rest the bandwidth%s", 100*products, 100*attention, messages(r))
	if p := r.Past; p != nil {
		line("", "runs on such a machine in this directory took %.2f times their forecast (%d runs, %.2f to %.2f)", p.Median, p.Runs, p.Low, p.High)
	}
	line("time", "about %s for all steps", units.Seconds(r.Seconds))
	if r.Price > 0 {
		line("cost", "about %s at %g an hour", units.Money(r.Cost), r.Price)
	}
	if text {
		line("scaling law", "%s", chinchilla(r))
	}
	if l := r.Law; l != nil {
		line("", "%s says %s for this run (N %s, D %s, %d runs)", l.File, lossText(l.Expected.Loss), units.Count(int64(l.Expected.N.Value)), units.Count(int64(l.Expected.D.Value)), l.Runs)
		line("", "and for as many FLOPs %s at best: N %s, D %s; N counts %s%s", lossText(l.Best.Loss), units.Count(int64(l.Best.N.Value)), units.Count(int64(l.Best.D.Value)), l.Counted, beyond(l.Expected))
	}
	if a := r.Advice; a != nil {
		line("advice", "the same step at %s %s/s and %s: --set train.batch=%d --set train.accumulate=%d --set train.recompute=%t",
			units.Count(int64(a.UnitsPerS)), r.Unit, units.Bytes(a.Peak), a.Batch, a.Accumulate, a.Recompute)
	}
	if !r.Fits() {
		line("warning", "this run does not fit: lower train.batch and raise train.accumulate, set train.recompute: true%s, or shrink the model", map[bool]string{true: " and train.save: sync"}[m.Snapshot > 0 && r.Machine.GPU == ""])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// timingText writes how kernels are chosen.
func timingText(t forecast.Timing) string {
	if !t.On {
		return "cuBLASLt's first algorithms (cuda.timing: false)"
	}
	return fmt.Sprintf("the fastest are chosen by timing before the first step (cuda.timing); %d are known of such a card", t.Known)
}

// sharesText writes what share of the sequences each source has.
func sharesText(sources []forecast.Source) string {
	var parts []string
	by := ""
	for _, s := range sources {
		if s.Share == 0 {
			parts, by = append(parts, s.Name), ", each as much as it is long"
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %.1f%%", s.Name, 100*s.Share))
	}
	return strings.Join(parts, ", ") + by
}
