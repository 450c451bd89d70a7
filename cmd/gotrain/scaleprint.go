package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"example.com/gotrain/train/scale"
)

// printLaws writes fitted laws for people.
func printLaws(w io.Writer, r *scale.Report, file string) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	p := r.Parametric
	line("runs", "%d; N from %.3g to %.3g, D from %.3g to %.3g tokens, C = 6·N·D from %.3g to %.3g", r.Points, r.N.Low, r.N.High, r.D.Low, r.D.High, r.C.Low, r.C.High)
	line("N counts", "%s", r.Counted)
	if p.E.High > 0 {
		line("bands", "%.0f%% of %d resamples", 100*r.Band, len(r.Resamples))
	}
	line("law", "L = E + A/N^α + B/D^β, objective %.8f from %d starts, runs lie within %.2g%% of it", p.Objective, p.Starts, 100*p.Scatter)
	for _, row := range []struct {
		name string
		of   scale.Estimate
	}{{"E", p.E}, {"A", p.A}, {"B", p.B}, {"α", p.Alpha}, {"β", p.Beta}} {
		line("", "%s  %s", row.name, banded(row.of))
	}
	line("best N", "∝ C^a, D ∝ C^(1−a)")
	line("", "a  %s  by the law (approach 3)", banded(p.Exponent))
	for _, f := range []struct {
		of   scale.Frontier
		name string
	}{{r.IsoFLOP, "curves of equal compute (approach 2)"}, {r.Envelope, "the envelope of sizes (approach 1)"}} {
		if f.of.Missing != "" {
			line("", "a  not by %s: %s", f.name, f.of.Missing)
			continue
		}
		line("", "a  %s  by %s, %d minima", banded(f.of.Exponent), f.name, len(f.of.Minima))
	}
	k := r.Kaplan
	if k.N.Exponent == 0 {
		line("Kaplan", "the runs do not show L(N) and L(D)")
	} else {
		line("Kaplan", "L(N) = (%.4g/N)^%.4g, L(D) = (%.4g/D)^%.4g, objective %.8f", k.N.Scale, k.N.Exponent, k.D.Scale, k.D.Exponent, k.Objective)
	}
	if k.C.Exponent > 0 {
		line("", "L(C) = (%.4g/C)^%.4g along the envelope, C in FLOPs (%.4g PF-days)", k.C.Scale, k.C.Exponent, k.C.Scale/scale.PFDay)
	}
	if h := r.HeldOut; h != nil {
		line("check", "without the largest budget the law says %.4f for its best run (N %.3g, D %.3g), which got %.4f: %+.2f%%", h.Predicted, h.N, h.D, h.Loss, 100*h.Error)
	}
	if file != "" {
		line("written", "%s", file)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// banded writes a value with five digits, and its band where it has one.
func banded(e scale.Estimate) string {
	if e.Low == 0 && e.High == 0 {
		return fmt.Sprintf("%.5g", e.Value)
	}
	return fmt.Sprintf("%-10.5g %.4g to %.4g", e.Value, e.Low, e.High)
}

// printPlanned writes a plan for people.
func printPlanned(w io.Writer, r *scale.Report, from string, p scale.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "law          %s; N counts %s\n", from, r.Counted)
	if p.C > 0 {
		fmt.Fprintf(&b, "C            %.5g FLOPs\n", p.C)
	}
	if p.N.Value > 0 {
		fmt.Fprintf(&b, "N            %s parameters\n", banded(p.N))
	}
	if p.D.Value > 0 {
		ratio := ""
		if p.N.Value > 0 {
			ratio = fmt.Sprintf(", %.6g a parameter", p.D.Value/p.N.Value)
		}
		fmt.Fprintf(&b, "D            %s tokens%s\n", banded(p.D), ratio)
	}
	fmt.Fprintf(&b, "loss         %s nats per token, perplexity %.4g\n", lossText(p.Loss), math.Exp(p.Loss.Value))
	if note := beyond(p); note != "" {
		fmt.Fprintf(&b, "note         %s\n", strings.TrimPrefix(note, "; "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lossText writes a loss.
func lossText(e scale.Estimate) string {
	if e.Low == 0 && e.High == 0 {
		return fmt.Sprintf("%.6f", e.Value)
	}
	return fmt.Sprintf("%.6f, %s", e.Value, e.Range())
}

// beyond warns where a law is extrapolated.
func beyond(p scale.Plan) string {
	if p.Beyond == 0 {
		return ""
	}
	return fmt.Sprintf("; C is %.3g times that of the largest run: the law is extrapolated", p.Beyond)
}
