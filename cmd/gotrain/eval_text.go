package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/eval"
)

// runText scores texts, or the answers of conversations.
func (f *evalFlags) runText(c *cobra.Command) error {
	if err := refusePairFlags(c, "source", "target", "metric"); err != nil {
		return err
	}
	if f.batch < 1 {
		return usagef("--batch is %d; use 1 or more", f.batch)
	}
	if f.format == conversationFormat || len(f.data) == 0 {
		if f.stride != 0 {
			return usagef("--stride goes with texts; a conversation has a window of its own")
		}
		if f.byDistance {
			return usagef("--by-distance goes with texts")
		}
		return f.runConversations(c)
	}
	if f.byDistance && (f.stride != 0 || f.baseToo) {
		return usagef("--by-distance goes with neither --stride nor --base-too")
	}
	if f.template != "" || f.date != "" {
		return usagef("--template and --date go with --format %s, or with --task and --chat", conversationFormat)
	}
	cfg := data.Config{Paths: f.data, Format: dataFormat(f.format, f.data), TextKey: f.textKey, Encoding: f.encoding}
	if err := cfg.Validate(); err != nil {
		return usageError{fmt.Errorf("%w; conversations are of --format %s", err, conversationFormat)}
	}
	if _, err := data.ExpandPaths(f.data); err != nil {
		return usagef("--data: %w", err)
	}
	m, err := f.openLanguage()
	if err != nil {
		return err
	}
	defer m.Close()
	if limit := m.Language.Context(); f.stride < 0 || f.stride > limit {
		return usagef("--stride is %d; use 1 to %d, the model's context, at which windows do not overlap", f.stride, limit)
	}
	enc, err := m.Encoder(m.Tokenizer, m.bos())
	if err != nil {
		return err
	}
	texts, err := data.Prepare(c.Context(), cfg, enc, nil)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer texts.Close()
	if f.byDistance {
		return f.printDistances(c, m, texts.Train, enc)
	}
	r, err := f.score(m, func(m *opened) (eval.TextScore, error) {
		return eval.Text(m.config, m.Language, m.Store, texts.Train, enc, f.batch, f.stride)
	})
	if err != nil {
		return err
	}
	return f.print(c, r, "of text in %d documents", r.Documents)
}

// dataFormat is a value of --format, or what the first file's name tells.
func dataFormat(format string, files []string) data.Format {
	if format != "" {
		return data.Format(format)
	}
	return data.FormatOf(files[0])
}
