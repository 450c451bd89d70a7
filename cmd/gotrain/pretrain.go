package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newPretrain() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "pretrain [PATH...]",
		Short: "Train a model from scratch, or go on with a run",
		Long: `Pretrain fits the tokenizer, packs the text into shards, and trains to the last
step, with evaluations and checkpoints on the way. Everything is in the run's
directory: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/latest.

Files and directories that are named are the data, text, or JSON Lines or Parquet by
their extension; without --config with the model and the minutes of opticks, into a
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
	var patterns []string
	format := "text"
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return usagef("%w; name files and directories to learn from", err)
		}
		pattern := literal.Replace(p)
		if info.IsDir() {
			pattern = filepath.Join(pattern, "**")
		}
		patterns = append(patterns, fmt.Sprintf("%q", pattern))
		switch name := strings.TrimSuffix(strings.TrimSuffix(p, ".gz"), ".zst"); filepath.Ext(name) {
		case ".jsonl":
			format = "jsonl"
		case ".parquet":
			format = "parquet"
		}
	}
	set := []string{"data.format=" + format, "data.sources=[]", "data.train=[" + strings.Join(patterns, ", ") + "]"}
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

// literal writes a path as a pattern that only it matches.
var literal = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")
