package main

import (
	"errors"
	"image/png"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/recipe"
)

// dataInspectFlags say which tokens to show.
type dataInspectFlags struct {
	configFlags
	split  string
	sample uint64

	model    string // of a file of conversations in place of a configuration
	template string
	encoding string
	out      string // a PNG of what has a picture
}

func newDataInspect() *cobra.Command {
	var f dataInspectFlags
	c := &cobra.Command{
		Use:   "inspect [FILE]...",
		Short: "Show a training sequence token by token, with its loss mask",
		Long: `Inspect shows a sequence as the model gets it: tokens with their boundaries, where
documents begin, and which targets count towards the loss. On a terminal the text
is coloured, elsewhere there is a line for each token. Of instruction data it shows
one conversation, and how many there are, are cut and are left out; of pictures 64,
in --out as a contact sheet.

In place of a configuration it takes files of conversations, and shows what a model
would learn from them: --model has tokenizer, context and chat template; with
--template alone the tokens are single bytes.`,
		Example: `  gotrain data inspect --config configs/opticks.yaml --sample 7
  gotrain data inspect chats.jsonl --model models/smollm2
  gotrain data inspect chats.jsonl --template plain`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := f.source(c, args)
			if err != nil {
				return err
			}
			if f.split != "train" && f.split != "validation" {
				return usagef("--split is %q; use train or validation", f.split)
			}
			if err := checkPaths(cfg); err != nil {
				return err
			}
			shown, err := f.inspect(c, cfg)
			if err != nil {
				return err
			}
			if err := f.writeSheet(shown); err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), shown)
			}
			return shown.Print(c.OutOrStdout(), console.Terminal(c.OutOrStdout()))
		},
	}
	f.configFlags.add(c)
	c.Flags().StringVar(&f.split, "split", "train", "side `NAME`: train or validation")
	c.Flags().Uint64Var(&f.sample, "sample", 0, "number `N` of the sequence in the order of training")
	c.Flags().StringVar(&f.model, "model", "", "with FILE, checkpoint or run `DIR` that reads it")
	c.Flags().StringVar(&f.template, "template", "", "with FILE, chat template `NAME`: "+strings.Join(chat.Names(), ", ")+" (default: the model's own)")
	c.Flags().StringVar(&f.encoding, "encoding", "", "with FILE, what its text is written in, a `NAME` of data.encoding (default: UTF-8, or what a byte-order mark says)")
	c.Flags().StringVar(&f.out, "out", "", "of pictures, the PNG `FILE` of a contact sheet")
	complete(c, "split", fixed("train", "validation"))
	complete(c, "model", models)
	complete(c, "template", fixed(chat.Names()...))
	return c
}

// inspect reads the sample that the flags name.
func (f *dataInspectFlags) inspect(c *cobra.Command, cfg config.Config) (recipe.Inspection, error) {
	p := console.New(c.ErrOrStderr())
	env := recipe.Env{Config: cfg, FS: vfs.OS{}, Tell: p.Listener().Phase, Progress: p.Preparing, Dry: f.config == ""}
	shown, err := table().Inspect(c.Context(), env, recipe.View{Split: f.split, Sample: f.sample})
	p.Clear()
	if errors.Is(err, recipe.ErrView) {
		err = usageError{err}
	}
	return shown, err
}

// source is the configuration that the flags name, or that of the conversations in
// files.
func (f *dataInspectFlags) source(c *cobra.Command, files []string) (config.Config, error) {
	switch {
	case len(files) == 0 && (f.model != "" || f.template != "" || f.encoding != ""):
		return config.Config{}, usagef("--model, --template and --encoding go with a FILE of conversations")
	case len(files) == 0:
		return f.load(c)
	case f.config != "" || len(f.set) > 0:
		return config.Config{}, usagef("name either --config or files, not both: %v", files)
	}
	return f.conversations(files)
}

// writeSheet writes the picture of what has one to --out.
func (f *dataInspectFlags) writeSheet(shown recipe.Inspection) error {
	if f.out == "" {
		return nil
	}
	sheeted, ok := shown.(recipe.Sheeted)
	if !ok {
		return usagef("--out is for pictures; what there is here has none")
	}
	return vfs.WriteFile(vfs.OS{}, f.out, func(w io.Writer) error { return png.Encode(w, sheeted.Sheet()) })
}
