package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/eval"
)

// embedFlags say what to embed.
type embedFlags struct {
	modelFlags
	texts         []string
	data, textKey string
	pooling       string
	batch         int
	normalize     bool
}

func newEmbed() *cobra.Command {
	var f embedFlags
	c := &cobra.Command{
		Use:   "embed",
		Short: "Embeddings of texts, by a model that reads them from both sides",
		Long: `Embed prints a JSON object {"text": TEXT, "embedding": [...]} for each text: for
those of --text, or for each line of --data, a JSON object or a row of a table.

An embedding is the mean of the states of a text's tokens. Where the model's directory
has modules.json, as sentence-transformers writes it, its pooling, its normalisation
and its longest text are followed; --pooling and --normalize say otherwise. A text that
is too long loses its end. With --json one object holds all of them.`,
		Example: `  gotrain embed --model models/minilm --text "The rays of light" --text "Light is bent"
  gotrain embed --model models/minilm --data titles.csv --text-key title > embeddings.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "model"); err != nil {
				return usageError{err}
			}
			if (len(f.texts) > 0) == (f.data != "") {
				return usagef("%s needs --text or --data, one of them; see %s --help", c.CommandPath(), c.CommandPath())
			}
			if f.pooling != "" && f.pooling != "mean" && f.pooling != "first" {
				return usagef("--pooling is %q; use mean or first", f.pooling)
			}
			if f.batch < 1 {
				return usagef("--batch is %d; use 1 or more", f.batch)
			}
			return f.run(c)
		},
	}
	f.modelFlags.add(c)
	c.Flags().StringArrayVar(&f.texts, "text", nil, "`TEXT` to embed; may be repeated")
	c.Flags().StringVar(&f.data, "data", "", "`FILE` of texts: jsonl, csv or tsv by its name, else a text a line")
	c.Flags().StringVar(&f.textKey, "text-key", "text", "JSONL `KEY` or column of the text")
	c.Flags().StringVar(&f.pooling, "pooling", "", "`NAME` is mean (of all tokens) or first (the state of [CLS]) (default: the model's, else mean)")
	c.Flags().BoolVar(&f.normalize, "normalize", false, "scale embeddings to length 1 (default: as the model's)")
	c.Flags().IntVar(&f.batch, "batch", 16, "`N` texts read together")
	complete(c, "pooling", fixed("mean", "first"))
	return c
}

func (f *embedFlags) run(c *cobra.Command) error {
	if f.data != "" {
		var err error
		if f.texts, err = data.Lines(f.data, f.textKey); err != nil {
			return usagef("--data: %w", err)
		}
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := kindOf(m.Model, c.CommandPath(), func(k kind) bool { return k.embeds }); err != nil {
		return err
	}
	e, err := eval.NewEmbedder(m.encoder(f.batch), m.Dir)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	if f.pooling != "" {
		e.Pooling.First = f.pooling == "first"
	}
	if c.Flags().Changed("normalize") {
		e.Pooling.Unit = f.normalize
	}
	out := bufio.NewWriter(c.OutOrStdout())
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	all := []eval.Embedding{}
	cut, err := e.Embed(c.Context(), f.texts, func(one eval.Embedding) error {
		if f.json {
			all = append(all, one)
			return nil
		}
		return lines.Encode(one)
	})
	if c.Context().Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		return errors.Join(err, out.Flush())
	}
	if cut > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "note: %d of %d texts are longer than %d tokens and lose their end\n", cut, len(f.texts), e.Tokens())
	}
	if f.json {
		err = writeJSON(io.Writer(out), map[string]any{"model": m.Dir, "pooling": e.Pooling.Name(), "normalized": e.Pooling.Unit, "embeddings": all})
	}
	return errors.Join(err, out.Flush())
}
