package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/data"
)

func newPretrain() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "pretrain [PATH...]",
		Short: "Train a model from scratch, or go on with a run",
		Long: `Pretrain fits the tokenizer, packs the text into shards, and trains to the last
step, with evaluations and checkpoints on the way. Everything is in the run's
directory: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/latest.

Files and directories that are named are the data: text, or JSON Lines, Parquet,
tables or token files of nanoGPT and llm.c (.bin, with the tokenizer of GPT-2; files
called val are held out) by their extension; without --config with the model and the minutes of opticks, into a
run that is called after them.

An interrupt, SIGTERM or SIGUSR1 saves and ends with exit code 75; the same
command goes on from there. Other exit codes: 0 done, 1 failed, 2 wrong use.`,
		Example: `  gotrain pretrain --config configs/opticks.yaml
  gotrain pretrain texts/
  gotrain pretrain --config configs/opticks.yaml --set train.steps=100 --run /tmp/short`,
		RunE: func(c *cobra.Command, paths []string) error {
			if err := f.learnFrom(c, paths); err != nil {
				return err
			}
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			return f.run(c, cfg)
		},
	}
	f.add(c)
	return c
}

// learnFrom puts the data that paths name before what --set says.
func (f *runFlags) learnFrom(c *cobra.Command, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	set, err := dataOf(paths)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("config") {
		if err := c.Flags().Set("config", "opticks"); err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(filepath.Clean(paths[0])), filepath.Ext(paths[0]))
		set = append(set, fmt.Sprintf("run.dir=%q", filepath.Join("runs", name)), `train.sample="\n"`)
	}
	f.set = append(set, f.set...)
	return nil
}

// named are files of one format: patterns of those to learn from, and of those that their names
// hold out.
type named struct {
	format      data.Format
	train, held []string
}

// dataOf are the settings of data in files and directories, whose formats their names tell.
func dataOf(paths []string) (set []string, err error) {
	var all []*named
	for _, p := range paths {
		patterns, format, err := patternsOf(p)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(n *named) bool { return n.format == format })
		if i < 0 {
			i, all = len(all), append(all, &named{format: format})
		}
		all[i].train = append(all[i].train, patterns...)
	}
	for _, n := range all {
		if n.format == data.FormatBin {
			n.holdOut()
			set = append(set, "tokenizer.path=gpt2")
		}
	}
	if n := all[0]; len(all) == 1 {
		set = append(set, "data.format="+string(n.format), "data.sources=[]", "data.train="+quoteAll(n.train))
		if n.format == data.FormatBin {
			set = append(set, "data.validation=0", "data.validation_paths="+quoteAll(n.held))
		}
		return set, nil
	}
	var sources []string
	for _, n := range all {
		sources = append(sources, fmt.Sprintf("{format: %s, train: %s, validation_paths: %s}", n.format, quoteAll(n.train), quoteAll(n.held)))
	}
	return append(set, "data.format=text", "data.train=[]", "data.sources=["+strings.Join(sources, ", ")+"]"), nil
}

// holdOut holds those files out that are called val, as in val.bin of nanoGPT and
// fineweb_val_000000.bin of llm.c.
func (n *named) holdOut() {
	all := n.train
	n.train = nil
	for _, pattern := range all {
		words := strings.FieldsFunc(filepath.Base(pattern), func(r rune) bool { return strings.ContainsRune("_-.", r) })
		if slices.Contains(words, "val") {
			n.held = append(n.held, pattern)
		} else {
			n.train = append(n.train, pattern)
		}
	}
	if len(n.train) == 0 {
		n.train, n.held = n.held, nil
	}
}

// patternsOf are the pattern of a file, or of all files in a directory, and their format: text where
// they have several. Of a directory with files of token ids it is those, which are beside what made them.
func patternsOf(name string) (patterns []string, format data.Format, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", usagef("%w; name files and directories to learn from", err)
	}
	pattern := literal.Replace(name)
	if !info.IsDir() {
		return []string{pattern}, data.FormatOf(name), nil
	}
	bins, err := data.ExpandPaths([]string{filepath.Join(pattern, "*.bin")})
	if err == nil {
		for i, b := range bins {
			bins[i] = literal.Replace(b)
		}
		return bins, data.FormatBin, nil
	}
	pattern = filepath.Join(pattern, "**")
	files, err := data.ExpandPaths([]string{pattern})
	if err != nil {
		return nil, "", usageError{err}
	}
	format = data.FormatOf(files[0])
	for _, f := range files[1:] {
		if data.FormatOf(f) != format {
			return []string{pattern}, data.FormatText, nil
		}
	}
	return []string{pattern}, format, nil
}

// literal writes a path as a pattern that only it matches.
var literal = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")
