package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"example.com/gotrain/nn/hub/convert"
	"example.com/gotrain/train/units"
)

// printConversion tells how a conversion went, for people.
func printConversion(w io.Writer, r convert.Report) error {
	var types []string
	for _, name := range slices.Sorted(maps.Keys(r.Types)) {
		types = append(types, fmt.Sprintf("%d %s", r.Types[name], name))
	}
	fmt.Fprintf(w, "%s: %s, %s parameters, %s (tensors: %s), written in %.1f s\n",
		r.Result, r.ModelType, units.Count(r.Parameters), units.Bytes(r.Bytes), strings.Join(types, ", "), r.WriteSeconds)
	if text := r.AdapterText(); text != "" {
		fmt.Fprintln(w, text)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	if r.Parity == nil {
		return nil
	}
	p := r.Parity
	if left := p.Account.LeftOut; len(left) > 0 {
		fmt.Fprintf(w, "%d of %d tensors are kept; left out as changing nothing: %q, %s", p.Account.Kept, p.Account.Stored, left[0].Tensor, left[0].Why)
		if len(left) > 1 {
			fmt.Fprintf(w, ", and %d more in parity.json", len(left)-1)
		}
		fmt.Fprintln(w)
	}
	for _, e := range p.Account.Rounded {
		fmt.Fprintf(w, "%d %s: weights are off by %.3g (RMS), %.2g%% of theirs\n", e.Tensors, e.Type, e.RMS, 100*e.Relative())
	}
	if m := p.Measured; m != nil {
		fmt.Fprintf(w, "NLL of %d tokens: %.4f nats, was %.4f: %+.4f, perplexity ×%.3f\n", m.Tokens, m.Result, m.Source, m.Result-m.Source, math.Exp(m.Result-m.Source))
	}
	fmt.Fprintf(w, "logits differ by at most %.3g, on average %.3g (the largest is %.3g)\n", p.LargestDifference, p.AverageDifference, p.LargestLogit)
	if t := p.Trained; t != nil {
		text := "the same text"
		if !t.SameText {
			text = "another text"
		}
		fmt.Fprintf(w, "and from those of the adapter on its base in %s by at most %.3g, on average %.3g; that goes on to %s\n", t.Base, t.LargestDifference, t.AverageDifference, text)
	}
	if p.SameText {
		_, err := fmt.Fprintf(w, "both go on greedily: %q\n", p.SourceText)
		return err
	}
	_, err := fmt.Fprintf(w, "the source goes on greedily: %q\nthe result goes on greedily: %q\n", p.SourceText, p.ResultText)
	return err
}
