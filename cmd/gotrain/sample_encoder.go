package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn/encode"
	"example.com/gotrain/train/eval"
)

// shownCandidates is how many tokens for a mask are shown without --top-k.
const shownCandidates = 5

// runEncoder fills the masks of the prompt, or tells the classes of it.
func (f *sampleFlags) runEncoder(c *cobra.Command) error {
	for _, flag := range []string{"temperature", "top-p", "min-p", "repetition-penalty", "seed", "greedy", "stop", "count", "batch", "no-bos"} {
		if c.Flags().Changed(flag) {
			return usagef("--%s says how a text goes on; this model fills masks, or tells classes", flag)
		}
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
	e := m.encoder(1)
	switch o := e.Model.Outputs(); {
	case len(o.Labels) > 0:
		return f.classify(c, m, e, text)
	case o.Masked:
		return f.fill(c, m, e, text)
	}
	return usagef("--model: %s tells neither masked tokens nor classes; its embeddings are those of gotrain embed", f.model)
}

// filledMask is a mask and the tokens for it.
type filledMask struct {
	Candidates []encode.Candidate `json:"candidates"`
}

// fill prints the prompt with its masks filled, and the candidates.
func (f *sampleFlags) fill(c *cobra.Command, m *opened, e eval.Encoder, text string) error {
	texts, err := encode.NewTexts(e.Tokens, e.Roles, e.Model, true)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	row, err := texts.Question(text)
	if err != nil {
		return usagef("--prompt: %w", err)
	}
	r, err := encode.NewReader(e.Model, e.Store, encode.Config{Asked: len(row.Asked), Want: encode.Masked, Compute: e.Compute})
	if err != nil {
		return err
	}
	told, err := r.Read([]encode.Row{row})
	if err != nil {
		return err
	}
	n := shownCandidates
	if c.Flags().Changed("top-k") && f.asked.TopK > 0 {
		n = f.asked.TopK
	}
	result := struct {
		Model  string       `json:"model"`
		Prompt string       `json:"prompt"`
		Text   string       `json:"text"` // with the likeliest tokens
		Masks  []filledMask `json:"masks"`
	}{Model: m.Dir, Prompt: text}
	var best []string
	for _, logits := range told[0].Masked {
		mask := filledMask{texts.Candidates(logits, n)}
		best = append(best, mask.Candidates[0].Token)
		result.Masks = append(result.Masks, mask)
	}
	result.Text = texts.Fill(text, best)
	if f.json {
		return writeJSON(c.OutOrStdout(), result)
	}
	var b strings.Builder
	fmt.Fprintln(&b, result.Text)
	for i, mask := range result.Masks {
		for k, candidate := range mask.Candidates {
			name := ""
			if k == 0 {
				name = fmt.Sprintf("%s %d", texts.Mask(), i+1)
			}
			fmt.Fprintf(&b, "  %-10s %6.2f%%  %s\n", name, 100*candidate.Probability, candidate.Token)
		}
	}
	_, err = io.WriteString(c.OutOrStdout(), b.String())
	return err
}

// classify prints the classes of the prompt, the likeliest first.
func (f *sampleFlags) classify(c *cobra.Command, m *opened, e eval.Encoder, text string) error {
	k, err := eval.NewClassifier(e)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	classes, cut, err := k.Classes(text)
	if err != nil {
		return usagef("--prompt: %w", err)
	}
	if cut {
		fmt.Fprintf(c.ErrOrStderr(), "note: the prompt is longer than the model's context of %d tokens and loses its end\n", e.Model.Context())
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), map[string]any{"model": m.Dir, "prompt": text, "label": classes[0].Label, "classes": classes})
	}
	for _, class := range classes {
		fmt.Fprintf(c.OutOrStdout(), "%6.2f%%  %s\n", 100*class.Probability, class.Label)
	}
	return nil
}
