package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/eval"
)

// printDistances scores texts by distance and prints a row for each.
func (f *evalFlags) printDistances(c *cobra.Command, m *opened, texts *data.Set, enc tokenizers.Encoder) error {
	all, err := eval.Distances(m.config, m.Language, m.Store, texts, enc, f.batch)
	if err != nil {
		return usageError{fmt.Errorf("--by-distance: %w", err)}
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), map[string]any{"distances": all})
	}
	return writeDistances(c.OutOrStdout(), all)
}

// writeDistances writes a row for each distance, with what it gains over the one before.
func writeDistances(w io.Writer, all []eval.Distance) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s %10s %14s %10s\n", "tokens back", "nll", "bits per byte", "gain")
	for i, d := range all {
		bits, gain := "", ""
		if d.BitsPerByte != nil {
			bits = fmt.Sprintf("%.4f", *d.BitsPerByte)
		}
		if i > 0 {
			gain = fmt.Sprintf("%.4f", all[i-1].NLL-d.NLL)
		}
		fmt.Fprintf(&b, "%-12d %10.4f %14s %10s\n", d.Tokens, d.NLL, bits, gain)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
