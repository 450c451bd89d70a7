package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/vfs"
	"gotrain/train/console"
	"gotrain/train/eval"
	"gotrain/train/recipe"
	"gotrain/train/units"
)

// evalResult is what eval prints.
type evalResult struct {
	Model string `json:"model"`
	Step  int    `json:"step"`
	eval.TextScore
}

// runText scores texts, or the answers of conversations.
func (f *evalFlags) runText(c *cobra.Command) error {
	if f.batch < 1 {
		return usagef("--batch is %d; use 1 or more", f.batch)
	}
	if f.format == conversationFormat {
		return f.runConversations(c)
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
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	enc, err := m.Encoder(m.Tokenizer, m.bos())
	if err != nil {
		return err
	}
	texts, err := data.Prepare(c.Context(), cfg, enc, nil)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer texts.Close()
	r := evalResult{Model: m.Dir, Step: m.step()}
	if r.TextScore, err = eval.Text(m.config, m.Language, m.Store, texts.Train, enc, f.batch); err != nil {
		return notFinite(err)
	}
	return f.print(c, r, "of text in %d documents", r.Documents)
}

// conversationFormat is the value of --format for conversations.
const conversationFormat = "instruct"

// runConversations scores the answers of conversations, as training scores held-out
// ones.
func (f *evalFlags) runConversations(c *cobra.Command) error {
	// All are held out; what is trained on has to be there too, and is not used. One that is too long loses its beginning.
	cfg, err := conversations(f.data, f.model, f.template, "data.validation_paths="+quoteAll(f.data), fmt.Sprintf("train.batch=%d", f.batch),
		"data.instruct.truncate=left", fmt.Sprintf("data.instruct.date=%q", f.date), fmt.Sprintf("data.encoding=%q", f.encoding))
	if err != nil {
		return err
	}
	if err := checkPaths(cfg); err != nil {
		return err
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	if _, _, err := f.openTemplate(m.Dir); err != nil {
		return err
	}
	cfg.Train.Sample = ""
	p := console.New(c.ErrOrStderr())
	job, err := table().Open(c.Context(), recipe.Env{Config: cfg, FS: vfs.OS{}, Dry: true, Tell: p.Listener().Phase})
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	m.config.Train.DocumentMask = true
	r := evalResult{Model: m.Dir, Step: m.step()}
	if r.TextScore, err = eval.Batches(m.config, m.Language, m.Store, job.Eval, f.batch); err != nil {
		return notFinite(err)
	}
	return f.print(c, r, "of answers")
}

// notFinite adds the cure to eval.ErrNotFinite.
func notFinite(err error) error {
	if errors.Is(err, eval.ErrNotFinite) {
		return fmt.Errorf("%w; use an earlier checkpoint", err)
	}
	return err
}

// print writes the result; of tells what the bytes are of.
func (f *evalFlags) print(c *cobra.Command, r evalResult, of string, args ...any) error {
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	bits := "none: no byte was scored"
	if r.BitsPerByte != nil {
		bits = fmt.Sprintf("%.4f", *r.BitsPerByte)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "nll            %.4f nats per token\nppl            %.2f\nbits per byte  %s\ntokens         %d scored, of %s %s, %s tokens/s\n",
		r.NLL, r.PPL, bits, r.Tokens, units.Bytes(r.Bytes), fmt.Sprintf(of, args...), units.Count(int64(r.TokensPerS)))
	return err
}

// dataFormat is a value of --format, or what the first file's name tells.
func dataFormat(format string, files []string) data.Format {
	if format != "" {
		return data.Format(format)
	}
	return data.FormatOf(files[0])
}
