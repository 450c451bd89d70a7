package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
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

// dataOf are the settings of data in files and directories, whose formats their names tell.
func dataOf(paths []string) (set []string, err error) {
	all, err := data.Named(paths)
	if err != nil {
		return nil, usagef("%w; name files and directories to learn from", err)
	}
	var sources []string
	for _, s := range all {
		if s.Format == data.FormatBin {
			set = append(set, "tokenizer.path=gpt2")
		}
		sources = append(sources, fmt.Sprintf("{format: %s, train: %s, validation_paths: %s}", s.Format, quoteAll(s.Paths), quoteAll(s.ValidationPaths)))
	}
	if len(all) > 1 {
		return append(set, "data.format=text", "data.train=[]", "data.sources=["+strings.Join(sources, ", ")+"]"), nil
	}
	set = append(set, "data.format="+string(all[0].Format), "data.sources=[]", "data.train="+quoteAll(all[0].Paths))
	if all[0].Format == data.FormatBin {
		set = append(set, "data.validation=0", "data.validation_paths="+quoteAll(all[0].ValidationPaths))
	}
	return set, nil
}
