package main

import (
	"fmt"
	"os"
	"path/filepath"
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

Files and directories that are named are the data, text, or JSON Lines, Parquet or
tables by their extension; without --config with the model and the minutes of opticks, into a
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
	byFormat := map[data.Format][]string{}
	var formats []data.Format
	for _, p := range paths {
		pattern, format, err := patternOf(p)
		if err != nil {
			return nil, err
		}
		if byFormat[format] == nil {
			formats = append(formats, format)
		}
		byFormat[format] = append(byFormat[format], pattern)
	}
	if len(formats) == 1 {
		return []string{"data.format=" + string(formats[0]), "data.sources=[]", "data.train=" + quoteAll(byFormat[formats[0]])}, nil
	}
	var sources []string
	for _, format := range formats {
		sources = append(sources, fmt.Sprintf("{format: %s, train: %s}", format, quoteAll(byFormat[format])))
	}
	return []string{"data.format=text", "data.train=[]", "data.sources=[" + strings.Join(sources, ", ") + "]"}, nil
}

// patternOf is the pattern of a file, or of all files in a directory, and their format: text where they have several.
func patternOf(name string) (pattern string, format data.Format, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", "", usagef("%w; name files and directories to learn from", err)
	}
	pattern = literal.Replace(name)
	if !info.IsDir() {
		return pattern, data.FormatOf(name), nil
	}
	pattern = filepath.Join(pattern, "**")
	files, err := data.ExpandPaths([]string{pattern})
	if err != nil {
		return "", "", usageError{err}
	}
	format = data.FormatOf(files[0])
	for _, f := range files[1:] {
		if data.FormatOf(f) != format {
			return pattern, data.FormatText, nil
		}
	}
	return pattern, format, nil
}

// literal writes a path as a pattern that only it matches.
var literal = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")
