package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/units"
)

// maxBatch bounds --batch, with which memory for caches grows.
const maxBatch = 1024

// runBatch continues the prompt many times at once.
func (s *sampler) runBatch(ctx context.Context, b *generate.Batch) error {
	if len(s.prompt) > b.Context() {
		return usagef("--batch: texts end with the context of %d tokens, and the prompt has %d: leave --batch out", b.Context(), len(s.prompt))
	}
	requests := make([]generate.Request, s.flags.count)
	for i := range requests {
		sampling := s.flags.sampling
		sampling.Seed += uint64(i)
		requests[i] = generate.Request{Prompt: s.prompt, Options: generate.Options{Sampling: sampling, MaxTokens: s.flags.maxTokens, Stop: s.model.EndTokens()}}
	}
	start := time.Now()
	samples, err := b.Generate(ctx, requests, nil)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	seconds := max(time.Since(start).Seconds(), 1e-9)
	r := sampleResult{Model: s.model.Dir, Prompt: s.text, PromptTokens: len(s.prompt)}
	tokens := 0
	for i, sample := range samples {
		one := s.continuation(sample, requests[i].Seed, seconds)
		r.Samples, tokens = append(r.Samples, one), tokens+len(one.Tokens)
		if s.flags.json {
			continue
		}
		if i > 0 {
			fmt.Fprintln(s.out, "---------------")
		}
		if _, err := fmt.Fprintln(s.out, strings.TrimSuffix(s.text+one.Text, "\n")); err != nil {
			return err
		}
	}
	if !s.flags.json {
		fmt.Fprintf(s.notes, "%d texts, %d tokens, %s tokens/s\n", len(samples), tokens, units.Count(int64(float64(tokens)/seconds)))
	}
	return s.write(r)
}

// continuation is what --json prints of a sample, whose tokens took the time of all.
func (s *sampler) continuation(sample generate.Sample, seed uint64, seconds float64) Continuation {
	text := s.decode(sample.Tokens)
	one := Continuation{Tokens: sample.Tokens, EndedBy: sample.Reason, Seed: seed, TokensPerS: float64(len(sample.Tokens)) / seconds}
	if len(s.flags.stop) > 0 {
		stops := generate.NewStops(s.flags.stop)
		before, stopped := stops.Next(text)
		if one.byStop = stopped; stopped {
			text, one.EndedBy = before, generate.Stopped
		}
	}
	one.Text = string(text)
	return one
}
