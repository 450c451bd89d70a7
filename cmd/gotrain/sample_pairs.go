package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/eval"
)

// pairsSampled is what --json prints.
type pairsSampled struct {
	Model        string        `json:"model"`
	Beam         int           `json:"beam"`
	Translations []translation `json:"translations"`
}

// translation is what a model makes of a line.
type translation struct {
	Source string `json:"source"`
	eval.Translated
}

// runPairs translates the lines of a prompt, or puts spans into those that have sentinels.
func (f *sampleFlags) runPairs(c *cobra.Command) error {
	for _, name := range append([]string{"stop", "count", "batch", "no-bos"}, samplingNames...) {
		if c.Flags().Changed(name) && name != "max-tokens" && name != "greedy" {
			return usagef("--%s is for language models: an encoder with a decoder searches the likeliest text; use --beam, --length-penalty and --max-tokens", name)
		}
	}
	if f.greedy {
		f.beam = 1
	}
	opt, err := f.options()
	if err != nil {
		return err
	}
	prompt, err := f.readPrompt(c.InOrStdin())
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.SplitSeq(prompt, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return usagef("--prompt: the prompt is empty: there is nothing to translate")
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.pairs()
	if err != nil {
		return err
	}
	if c.Flags().Changed("max-tokens") {
		opt.MaxTokens = min(f.maxTokens, s.Model.Context())
	}
	out, sources := make([]translation, len(lines)), make([][]int32, len(lines))
	for i, line := range lines {
		sources[i] = s.Encoder.Prompt(line)
	}
	if err := s.Translate(c.Context(), sources, pairBatch, opt, func(i int, t eval.Translated) error {
		out[i] = translation{lines[i], t}
		return nil
	}); err != nil {
		return interrupted(err)
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), pairsSampled{m.Dir, opt.Beams, out})
	}
	for _, t := range out {
		if _, err := fmt.Fprintln(c.OutOrStdout(), t.Text); err != nil {
			return err
		}
		if t.EndedBy == generate.Length {
			fmt.Fprintf(c.ErrOrStderr(), "note: the text was cut after %d tokens\n", len(t.Tokens))
		}
	}
	return nil
}
