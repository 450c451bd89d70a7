package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/scale"
)

func newScalePlan() *cobra.Command {
	laws := append(scale.PublishedNames(), kaplan)
	var fit, law string
	var flops, n, d float64
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "The best model for a budget, or the loss of a run, by a fitted or published law",
		Long: `Plan reads a law, that of --fit or a published one, and tells for --flops the size and
the tokens with the lowest loss, for --params the tokens that are best for that size,
or for --params and --tokens the loss. Bands are those of the fit's bootstrap: for a
budget that of the law, for a run with the scatter of runs about it.

Published laws: chinchilla is the corrected fit of Besiroglu et al. 2024; hoffmann and
hoffmann-rounded are what Hoffmann et al. 2022 gave; their N counts all parameters.
kaplan, of Kaplan et al. 2020, counts those outside of embeddings and head, and takes
--params, --tokens or both for the loss, the other without end, or --flops.`,
		Example: `  gotrain scale plan --flops 1e21
  gotrain scale plan --flops 5.76e23 --law hoffmann
  gotrain scale plan --fit runs/ladder --params 70e6 --tokens 1.4e9 --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for name, x := range map[string]float64{"flops": flops, "params": n, "tokens": d} {
				if c.Flags().Changed(name) && (!(x > 0) || math.IsInf(x, 1)) {
					return usagef("--%s is %g; it has to be above 0", name, x)
				}
			}
			budget, run := flops > 0, n > 0
			if fit == "" && law == kaplan && budget != (run || d > 0) {
				p := scale.KaplanPublished.Expect(n, d)
				if budget {
					p = scale.KaplanPublished.Best(flops)
				}
				return show(c, asJSON, law, scale.OfLaw(scale.Law{}, scale.CountBody), p)
			}
			if budget == run || d > 0 && !run {
				return usagef("give --flops, or --params with or without --tokens")
			}
			r, from, err := readLaw(fit, law)
			if err != nil {
				return err
			}
			p := r.Best(flops)
			if run {
				if d == 0 {
					d = r.Parametric.Law().Tokens(n)
				}
				p = r.Expect(n, d)
			}
			return show(c, asJSON, from, r, p)
		},
	}
	c.Flags().Float64Var(&flops, "flops", 0, "budget: `C` floating-point operations, C = 6·N·D")
	c.Flags().Float64Var(&n, "params", 0, "size of the model, `N` parameters as the law counts them")
	c.Flags().Float64Var(&d, "tokens", 0, "tokens that it is trained on, `D`")
	c.Flags().StringVar(&fit, "fit", "", "`FILE` that scale fit has written, or the directory of the runs")
	c.Flags().StringVar(&law, "law", "chinchilla", "published law `NAME`: "+strings.Join(laws, ", "))
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.MarkFlagsMutuallyExclusive("fit", "law")
	complete(c, "law", fixed(laws...))
	return c
}

// kaplan is the law of Kaplan et al., which has other coefficients than the rest.
const kaplan = "kaplan"

// show prints a plan.
func show(c *cobra.Command, asJSON bool, from string, r *scale.Report, p scale.Plan) error {
	if asJSON {
		return writeJSON(c.OutOrStdout(), planned{From: from, Count: r.Count, Counted: r.Counted, Plan: p})
	}
	return printPlanned(c.OutOrStdout(), r, from, p)
}

// planned is the JSON object of scale plan.
type planned struct {
	From    string      `json:"from"`
	Count   scale.Count `json:"count"`
	Counted string      `json:"counted"`
	scale.Plan
}

// readLaw reads a fit, or a published law where there is none, and says which.
func readLaw(fit, law string) (r *scale.Report, from string, err error) {
	if fit == "" {
		l, err := scale.Published(law)
		if err != nil {
			return nil, "", usagef("--law: %w", err)
		}
		return scale.OfLaw(l, scale.CountAll), law, nil
	}
	if info, err := os.Stat(fit); err == nil && info.IsDir() {
		fit = filepath.Join(fit, scale.FileName)
	}
	r, err = scale.Read(vfs.OS{}, fit)
	if err != nil {
		return nil, "", absent(err)
	}
	return r, fit, nil
}
