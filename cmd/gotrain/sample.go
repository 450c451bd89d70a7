package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/nn/generate"
	"gotrain/train/units"
)

// sampleFlags say what to continue and how.
type sampleFlags struct {
	modelFlags
	samplingFlags
	prompt string
}

func newSample() *cobra.Command {
	var f sampleFlags
	c := &cobra.Command{
		Use:   "sample",
		Short: "Continue a prompt with a trained model",
		Long: `Sample prints the prompt and how the model goes on, as it comes.

The prompt is read as transformers' tokenizers do when they are called: special
tokens that it spells are found, and what the tokenizer puts before a text, such as
BOS, stands before it; an empty prompt begins from BOS.

The same seed, prompt and weights give the same text. The text ends with one of the
model's end tokens, after --max-tokens, or when the context is full.`,
		Example: `  gotrain sample --model runs/opticks --prompt "The Rays of Light"
  gotrain sample --model models/smollm2 --adapter adapters/tuned --prompt "Gravity is"
  echo "func main() {" | gotrain sample --model runs/go-source-12m --prompt - --greedy`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "model", "prompt"); err != nil {
				return usageError{err}
			}
			return f.run(c)
		},
	}
	f.modelFlags.add(c)
	f.addBOS(c)
	c.Flags().StringVar(&f.prompt, "prompt", "", "`TEXT` to continue, - for standard input")
	f.samplingFlags.add(c, 128, "at most `N` new tokens, 0 for the whole context", generate.Sampling{Temperature: 0.8, TopP: 1})
	return c
}

// sampleResult is what --json prints.
type sampleResult struct {
	Model        string          `json:"model"`
	Prompt       string          `json:"prompt"`
	Text         string          `json:"text"`   // the continuation; invalid UTF-8 is replaced
	Tokens       []int32         `json:"tokens"` // of the continuation
	PromptTokens int             `json:"prompt_tokens"`
	EndedBy      generate.Reason `json:"ended_by"`
	Seed         uint64          `json:"seed"`
	TokensPerS   float64         `json:"tokens_per_s"` // of the continuation, the prompt's time included
}

func (f *sampleFlags) run(c *cobra.Command) error {
	if err := f.resolve(); err != nil {
		return err
	}
	text, err := f.readPrompt(c.InOrStdin())
	if err != nil {
		return err
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	prompts := m.prompts()
	prompt, err := prompts.Encode(text)
	if err != nil {
		return usagef("--prompt: %w; give a prompt", err)
	}
	if prompts.Doubled(text) {
		fmt.Fprintf(c.ErrOrStderr(), "note: the prompt begins with %q, before which the tokenizer puts another; --no-bos leaves that out\n", m.Tokenizer.TokenBytes(prompts.Before[0]))
	}
	if limit := m.Language.Context(); len(prompt) >= limit {
		return usagef("the prompt has %d tokens, the model's context is %d; shorten the prompt to %d tokens or fewer", len(prompt), limit, limit-1)
	}
	g, err := generate.New(m.Language, m.Store, generate.Config{Compute: m.config.Compute()})
	if err != nil {
		return err
	}
	return f.generate(c, m, g, text, prompt)
}

// generate continues the prompt and prints the text.
func (f *sampleFlags) generate(c *cobra.Command, m *opened, g *generate.Generator, text string, prompt []int32) error {
	out := c.OutOrStdout()
	last := "\n"
	emit := func(token int32) error { return nil }
	if !f.json {
		last = text
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
		emit = func(token int32) error {
			piece := m.Tokenizer.TokenBytes(token)
			if len(piece) > 0 {
				last = string(piece)
			}
			_, err := out.Write(piece)
			return err
		}
	}
	start := time.Now()
	result, err := g.Generate(c.Context(), prompt, generate.Options{Sampling: f.sampling, MaxTokens: f.maxTokens, Stop: m.EndTokens()}, emit)
	seconds := time.Since(start).Seconds()
	if !f.json && !strings.HasSuffix(last, "\n") {
		fmt.Fprintln(out)
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	r := sampleResult{
		Model: m.Dir, Prompt: text, Text: string(m.Tokenizer.AppendDecode(nil, result.Tokens)), Tokens: result.Tokens,
		PromptTokens: len(prompt), EndedBy: result.Reason, Seed: f.sampling.Seed, TokensPerS: float64(len(result.Tokens)) / max(seconds, 1e-9),
	}
	if f.json {
		return writeJSON(out, r)
	}
	fmt.Fprintf(c.ErrOrStderr(), "%d tokens, %s tokens/s, ended by %s\n", len(r.Tokens), units.Count(int64(r.TokensPerS)), reasonText(r.EndedBy))
	return nil
}

func (f *sampleFlags) readPrompt(in io.Reader) (string, error) {
	if f.prompt != "-" {
		return f.prompt, nil
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return "", fmt.Errorf("--prompt -: %w", err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
