package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gotrain",
		Short: "Train language models in Go",
		Long: `gotrain fits a tokenizer, packs text into token shards, trains a transformer, and
writes checkpoints that Hugging Face transformers loads.

Start with:  gotrain pretrain --config configs/opticks.yaml
Look at the machine:  gotrain doctor`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownCommand(c, args[0])
		},
	}
	root.SetFlagErrorFunc(flagError)
	// What only has subcommands is no command line of its own.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.AddGroup(&cobra.Group{ID: "train", Title: "Training:"}, &cobra.Group{ID: "use", Title: "Using a model:"},
		&cobra.Group{ID: "prepare", Title: "Text and tokens:"}, &cobra.Group{ID: "look", Title: "Looking before and after:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("train", newPretrain(), newFinetune(), newResume())
	add("use", newSample(), newChat(), newEval(), newScore(), newEmbed(), newImport(), newExport())
	add("prepare", newTokenizer(), newData())
	add("look", newPlan(), newScale(), newRuns(), newPlot(), newInspect(), newDoctor(), newBench(), newMan(), newVersion())
	markFailures(root)
	return root
}

// group is a command that only has subcommands.
func group(c *cobra.Command, subcommands ...*cobra.Command) *cobra.Command {
	c.AddCommand(subcommands...)
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		var names []string
		for _, s := range c.Commands() {
			names = append(names, s.Name())
		}
		return usagef("%s wants a subcommand: %s", c.CommandPath(), strings.Join(names, ", "))
	}
	return c
}

// flagError words the errors of package pflag.
func flagError(c *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		return usagef("--%s is %q, which is no %s; see %s --help", value.GetFlag().Name, value.GetValue(), value.GetFlag().Value.Type(), c.CommandPath())
	}
	return usagef("%w; see %s --help", err, c.CommandPath())
}

func unknownCommand(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(name); len(near) > 0 {
		return usagef("%s has no command %q; do you mean %s?", c.CommandPath(), name, strings.Join(near, " or "))
	}
	return usagef("%s has no command %q; see %s --help", c.CommandPath(), name, c.CommandPath())
}

// markFailures makes every error of a command's own work a failure.
func markFailures(c *cobra.Command) {
	if work := c.RunE; work != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := work(c, args); err != nil {
				return failure{err}
			}
			return nil
		}
	}
	for _, s := range c.Commands() {
		markFailures(s)
	}
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, got %q; see %s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

func oneArg(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s wants one argument, %s; see %s --help", c.CommandPath(), name, c.CommandPath())
		}
		return nil
	}
}

func twoArgs(names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usagef("%s wants two arguments, %s; see %s --help", c.CommandPath(), names, c.CommandPath())
		}
		return nil
	}
}

// atMostOneArg allows the argument name.
func atMostOneArg(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("%s wants one argument, %s, got %d; put quotes around a text with spaces", c.CommandPath(), name, len(args))
		}
		return nil
	}
}

// require returns an error that names the flags among names that were not set.
func require(c *cobra.Command, names ...string) error {
	var missing []string
	for _, name := range names {
		if !c.Flags().Changed(name) {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s needs %s; see %s --help", c.CommandPath(), strings.Join(missing, " and "), c.CommandPath())
}
