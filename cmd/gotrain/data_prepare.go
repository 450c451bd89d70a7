package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/units"
)

// setInfo is a set of shards as --json prints it.
type setInfo struct {
	Tokens    int64    `json:"tokens"`
	Documents int64    `json:"documents"`
	TextBytes int64    `json:"text_bytes"`
	Shards    []string `json:"shards"`
}

func describeSet(s *data.Set) *setInfo {
	if s == nil {
		return nil
	}
	sum := data.Summarize(s)
	return &setInfo{sum.Tokens, sum.Documents, sum.TextBytes, sum.Shards}
}

// source is one of data.sources as --json prints it.
type source struct {
	Name       string   `json:"name"`
	Dir        string   `json:"dir"`
	Reused     bool     `json:"reused"`
	Train      *setInfo `json:"train"`
	Validation *setInfo `json:"validation"`
}

func (p *prepared) sources() (all []source) {
	for _, s := range p.Parts {
		all = append(all, source{s.Name, s.Dir, s.Reused, describeSet(s.Train), describeSet(s.Validation)})
	}
	return all
}

func newDataPrepare() *cobra.Command {
	var f configFlags
	c := &cobra.Command{
		Use:   "prepare",
		Short: "Fit the tokenizer of a configuration and tokenize its text into shards",
		Long: `Prepare does what pretrain does before its first step, so that training begins at
once. The tokenizer goes into the run directory, the shards into the cache
(data.cache_dir), named by the content of the text: what is there is not made again.`,
		Example: "  gotrain data prepare --config configs/opticks.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			if !data.Sharded(cfg.Data.Name()) {
				return usagef("data.format %s needs no shards; look at the conversations with gotrain data inspect", cfg.Data.Name())
			}
			shards, err := prepareData(c.Context(), cfg, console.New(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer shards.Close()
			if f.json {
				return writeJSON(c.OutOrStdout(), struct {
					Dir        string   `json:"dir"`
					Reused     bool     `json:"reused"`
					Vocab      int      `json:"vocab"`
					Tokenizer  string   `json:"tokenizer"`
					Train      *setInfo `json:"train"`
					Validation *setInfo `json:"validation"`
					Sources    []source `json:"sources,omitempty"`
				}{shards.Dir, shards.Reused, shards.enc.Vocab(), shards.enc.Fingerprint(), describeSet(shards.Train), describeSet(shards.Validation), shards.sources()})
			}
			return shards.print(c.OutOrStdout())
		},
	}
	f.add(c)
	return c
}

func (p *prepared) print(w io.Writer) error {
	var b strings.Builder
	for _, s := range []struct {
		name string
		set  *data.Set
	}{{"train", p.Train}, {"validation", p.Validation}} {
		if s.set == nil {
			continue
		}
		fmt.Fprintf(&b, "%-12s %d tokens in %d documents, %s of text\n", s.name, s.set.Tokens(), s.set.Documents(), units.Bytes(s.set.TextBytes()))
	}
	fmt.Fprintf(&b, "%-12s %d tokens, fingerprint %s\n", "tokenizer", p.enc.Vocab(), p.enc.Fingerprint())
	parts := p.Parts
	if len(parts) == 0 {
		parts = []data.Part{{Prepared: p.Prepared}}
	}
	for _, part := range parts {
		if part.Name != "" {
			fmt.Fprintf(&b, "%-12s %s: %d tokens in %d documents, %s of text\n", "source", part.Name, part.Train.Tokens(), part.Train.Documents(), units.Bytes(part.Train.TextBytes()))
		}
		if part.Dir == "" {
			continue
		}
		made := "made"
		if part.Reused {
			made = "there already"
		}
		fmt.Fprintf(&b, "%-12s %s (%s)\n", "shards", part.Dir, made)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
