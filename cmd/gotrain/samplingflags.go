package main

import (
	"github.com/spf13/cobra"

	"gotrain/nn/generate"
)

// samplingFlags say how a text goes on and how long.
type samplingFlags struct {
	maxTokens int
	sampling  generate.Sampling
	greedy    bool
}

// add declares the flags; defaults are those of the sampling.
func (f *samplingFlags) add(c *cobra.Command, maxTokens int, usage string, defaults generate.Sampling) {
	c.Flags().IntVar(&f.maxTokens, "max-tokens", maxTokens, usage)
	c.Flags().Float64Var(&f.sampling.Temperature, "temperature", defaults.Temperature, "`X` divides the logits: lower is more predictable, 0 is --greedy")
	c.Flags().IntVar(&f.sampling.TopK, "top-k", 50, "choose among the `K` most likely tokens, 0 for all")
	c.Flags().Float64Var(&f.sampling.TopP, "top-p", defaults.TopP, "choose among the most likely tokens that reach probability `P` together")
	c.Flags().Uint64Var(&f.sampling.Seed, "seed", 1337, "seed `N` of the choices")
	c.Flags().BoolVar(&f.greedy, "greedy", false, "take the most likely token always")
}

// resolve applies --greedy and returns what is wrong with the flags.
func (f *samplingFlags) resolve() error {
	if f.greedy {
		f.sampling = generate.Sampling{}
	}
	if err := f.sampling.Validate(); err != nil {
		return usageError{err}
	}
	if f.maxTokens < 0 {
		return usagef("--max-tokens is %d; use 0 for what the context holds, or more", f.maxTokens)
	}
	return nil
}

func reasonText(r generate.Reason) string {
	switch r {
	case generate.Stopped:
		return "the end-of-text token"
	case generate.Length:
		return "--max-tokens"
	}
	return "the end of the context"
}
