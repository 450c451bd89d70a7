package main

import (
	"encoding/json"
	"path/filepath"

	"github.com/spf13/cobra"

	"example.com/gotrain/train/ladder"
)

// figureFlags are those of scale lstm-figure.
type figureFlags struct {
	file, picture, csv, device string
	set                        []string
	windows, batch             int
	json, dry                  bool
}

func newScaleFigure() *cobra.Command {
	var f figureFlags
	c := &cobra.Command{
		Use:   "lstm-figure [PATH...]",
		Short: "Compare LSTMs with Transformers of equal size by position in the context",
		Long: `Lstm-figure trains Transformers of several sizes, and beside each an LSTM with as many
parameters outside of embeddings and head (within 2%), on as many tokens of the same
text. Then it tells the loss of held-out text for each position in the context, as
figure 7 of Kaplan et al. 2020 does: how much each kind gains from more context.

Runs are made one after the other, as by scale run: those that are done stay, and one
that was stopped goes on, so the same command finishes after an interrupt or kill -9.
Files that are named are the text in place of the configuration's; give such a
comparison a directory of its own by --set dir=DIR.`,
		Example: `  gotrain scale lstm-figure --config configs/ladders/lstm-figure.yaml
  gotrain scale lstm-figure my-text.txt --config configs/ladders/lstm-figure.yaml --set dir=runs/my-figure`,
		Args: cobra.ArbitraryArgs,
		RunE: f.run,
	}
	c.Flags().StringVar(&f.file, "config", "", "comparison `FILE` (YAML)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key of the comparison, `key=VALUE`; may be repeated")
	c.Flags().StringVar(&f.picture, "picture", "", "`FILE.png` or FILE.svg of the curves (default: figure.png in the directory of the runs)")
	c.Flags().StringVar(&f.csv, "csv", "", "`FILE` of the curves as a table (default: figure.csv in the directory of the runs)")
	c.Flags().StringVar(&f.device, "device", "auto", "device `NAME` of the evaluation: auto, cpu, cuda or cuda:N")
	c.Flags().IntVar(&f.windows, "windows", 2000, "`N` windows of held-out text at most")
	c.Flags().IntVar(&f.batch, "batch", 16, "`N` windows at once")
	c.Flags().BoolVar(&f.dry, "dry-run", false, "list the runs and where they stand; train none")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "config", filesWith("yaml", "yml"))
	complete(c, "device", devices)
	return c
}

func (f *figureFlags) run(c *cobra.Command, texts []string) error {
	if err := require(c, "config"); err != nil {
		return usageError{err}
	}
	if f.windows < 1 || f.batch < 1 {
		return usagef("--windows is %d and --batch %d; use 1 or more", f.windows, f.batch)
	}
	figure, err := ladder.LoadFigure(f.file, f.set)
	if err != nil {
		return usageError{err}
	}
	if len(texts) > 0 {
		list, err := json.Marshal(texts)
		if err != nil {
			return err
		}
		figure.Set = append(figure.Set, "data.train="+string(list))
	}
	for flag, name := range map[*string]string{&f.picture: "figure.png", &f.csv: "figure.csv"} {
		if *flag == "" {
			*flag = filepath.Join(figure.Dir, name)
		}
	}
	if ext := filepath.Ext(f.picture); ext != ".png" && ext != ".svg" {
		return usagef("--picture is %q; use a name that ends with .png or .svg", f.picture)
	}
	sides, err := figure.Open(c.Context(), table())
	if err != nil {
		return usageError{err}
	}
	if f.dry {
		return f.list(c, sides)
	}
	for _, side := range sides {
		if first, err := climb(c, side.Ladder, side.Rungs); err != nil || !first {
			return err
		}
	}
	curves, err := f.curves(c, sides)
	if err != nil {
		return err
	}
	return f.write(c, curves)
}
