package main

import (
	"github.com/spf13/cobra"

	"example.com/gotrain/nn/generate"
)

// samplingFlags say how a text goes on and how long.
type samplingFlags struct {
	maxTokens int
	asked     generate.Sampling // by the flags
	greedy    bool
	sampling  generate.Sampling // what follows from them; see resolve
}

// samplingNames are those flags, which a conversation can set as it goes.
var samplingNames = []string{"max-tokens", "temperature", "top-k", "top-p", "min-p", "repetition-penalty", "seed", "greedy"}

// add declares the flags; defaults are those of the sampling.
func (f *samplingFlags) add(c *cobra.Command, maxTokens int, usage string, defaults generate.Sampling) {
	c.Flags().IntVar(&f.maxTokens, "max-tokens", maxTokens, usage)
	c.Flags().Float64Var(&f.asked.Temperature, "temperature", defaults.Temperature, "`X` divides the logits: lower is more predictable, 0 is --greedy")
	c.Flags().IntVar(&f.asked.TopK, "top-k", 50, "choose among the `K` most likely tokens, 0 for all")
	c.Flags().Float64Var(&f.asked.TopP, "top-p", defaults.TopP, "choose among the most likely tokens that reach probability `P` together")
	c.Flags().Float64Var(&f.asked.MinP, "min-p", 0, "leave out tokens with less than `P` times the probability of the most likely one, 0 for none")
	c.Flags().Float64Var(&f.asked.RepetitionPenalty, "repetition-penalty", 1, "make tokens that the text has less likely: `X` above 1 divides their logits")
	c.Flags().Uint64Var(&f.asked.Seed, "seed", 1337, "seed `N` of the choices")
	c.Flags().BoolVar(&f.greedy, "greedy", false, "take the most likely token always")
}

// resolve applies --greedy and returns what is wrong with the flags.
func (f *samplingFlags) resolve() error {
	f.sampling = f.asked
	if f.greedy {
		f.sampling = generate.Sampling{RepetitionPenalty: f.asked.RepetitionPenalty}
	}
	if err := f.asked.Validate(); err != nil {
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
