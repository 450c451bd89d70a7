package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
)

type completion = func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// settings completes the keys of --set: those of the file that --config names, else the
// defaults, each with its value there.
func settings(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg := config.Default(tables())
	if f := c.Flags().Lookup("config"); f != nil && f.Changed {
		if read, err := config.Load(f.Value.String(), nil, tables()); err == nil {
			cfg = read
		}
	}
	leaves, err := cfg.Leaves()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var words []string
	for _, l := range leaves {
		words = append(words, l.Key+"=\t"+l.Text)
	}
	return words, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// fixed completes one of a few words.
func fixed(words ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// filesWith completes files with one of the extensions.
func filesWith(extensions ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
}

func directories(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// models completes runs and checkpoints below what is typed, and directories
// that lead to some.
func models(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for _, pattern := range []string{toComplete + "*", toComplete + "*/*", toComplete + "*/checkpoints/*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, p := range paths {
			if _, err := hub.FindCheckpoint(p); err == nil {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// devices completes --device.
func devices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	words := []string{"auto\tthe best device", "cpu"}
	gpus, _ := filepath.Glob("/dev/nvidia[0-9]*")
	for _, g := range gpus {
		words = append(words, "cuda:"+strings.TrimPrefix(g, "/dev/nvidia"))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// patterns completes the names of split patterns.
func patterns(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, p := range bpe.Patterns() {
		names = append(names, p.String())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// complete sets the completion of a flag that c has.
func complete(c *cobra.Command, flag string, f completion) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag is not declared: a fault of this program
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
