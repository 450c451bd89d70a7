// Package classify is the recipe of classification: a text encoder learns the classes of
// texts, or of pairs of texts, from files.
package classify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/labelled"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/encode"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Name is the recipe's, Format the data.format of its texts.
const (
	Name   = "classify"
	Format = "labelled"
)

// Config is the section recipe.
type Config struct {
	// Labels are the classes in the order of their numbers; none takes the base's, or
	// those of the data, in their order.
	Labels []string `yaml:"labels"`
}

// Outputs are the classes; see config.OutputChooser.
func (c *Config) Outputs(was nn.Outputs) nn.Outputs {
	labels := c.Labels
	if len(labels) == 0 {
		labels = was.Labels
	}
	return nn.Outputs{Pooled: true, Labels: labels}
}

// Data is the section data of texts with labels.
type Data struct {
	data.Config `yaml:",inline"`
	LabelKey    string `yaml:"label_key"` // key or column of the label
	PairKey     string `yaml:"pair_key"`  // of a second text, "" for texts that are alone
}

// Texts are the texts alone, to which a tokenizer may be fitted.
func (d *Data) Texts() data.Config {
	c := d.Config
	if len(c.Paths) > 0 {
		c.Format = data.FormatOf(c.Paths[0])
	}
	return c
}

// Keys are those of the examples.
func (d *Data) Keys() labelled.Keys {
	return labelled.Keys{Text: d.TextKey, Label: d.LabelKey, Pair: d.PairKey}
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return &Config{} },
		Formats: []config.Choice{{Name: Format, New: func() any {
			return &Data{Config: data.Config{Format: data.FormatText, TextKey: "text", BOS: true}, LabelKey: "label"}
		}}},
		Check: check, Design: design, Open: open,
	}
}

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	var errs []error
	if _, ok := c.Model.Value().(nn.EncoderConfig); !ok {
		errs = append(errs, fmt.Errorf("recipe %s needs a model that reads a text from both sides, and family %s does not: set model.family bert, or a base of it", Name, c.Model.Name()))
	}
	if c.LoRA.Rank > 0 {
		errs = append(errs, fmt.Errorf("lora: recipe %s trains a head that the base has not, and an adapter leaves it as it is: leave the section out, and set train.freeze for what is to stay", Name))
	}
	if c.Train.DocumentMask {
		errs = append(errs, fmt.Errorf("train.document_mask: a row of recipe %s is one example: leave it out", Name))
	}
	if d, ok := c.Data.Value().(*Data); ok && len(d.Sources) > 0 {
		errs = append(errs, errors.New("data.sources are for plain text: name all files of examples in data.train"))
	}
	return errors.Join(errs...)
}

// examples are those of a configuration, trained on and held out.
func examples(c config.Config) (train, held []labelled.Example, err error) {
	d := c.Data.Value().(*Data)
	paths, err := data.ExpandPaths(d.Paths)
	if err != nil {
		return nil, nil, err
	}
	all, err := collect(labelled.Read(paths, d.Encoding, d.Keys()))
	if err != nil {
		return nil, nil, err
	}
	for _, e := range all {
		if d.Validation > 0 && e.HeldOut(d.Validation) {
			held = append(held, e)
		} else {
			train = append(train, e)
		}
	}
	if len(d.ValidationPaths) > 0 {
		if paths, err = data.ExpandPaths(d.ValidationPaths); err != nil {
			return nil, nil, err
		}
		if held, err = collect(labelled.Read(paths, d.Encoding, d.Keys())); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case len(train) == 0:
		return nil, nil, config.Faultf("data.train: there is nothing to learn from: the files have no examples, or all are held out")
	case len(held) == 0 && (d.Validation > 0 || len(d.ValidationPaths) > 0):
		return nil, nil, config.Faultf("data.validation %g holds none of %d examples out: give more of them, or name data.validation_paths", d.Validation, len(train))
	}
	return train, held, nil
}

func collect(all iter.Seq2[labelled.Example, error]) (list []labelled.Example, err error) {
	for e, err := range all {
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// classes gives the model of c the classes that its recipe names, else its own, else those of
// the examples, each of which has to have one.
func classes(c *config.Config, train, held []labelled.Example) error {
	was, ok := c.Model.Value().(nn.EncoderConfig)
	if !ok {
		return fmt.Errorf("a model of family %s does not read a text from both sides", c.Model.Name())
	}
	if err := c.ChooseOutputs(was.Outputs()); err != nil {
		return err
	}
	value := c.Model.Value().(nn.EncoderConfig)
	o := value.Outputs()
	if len(o.Labels) == 0 {
		if o.Labels = labelled.Labels(train); len(o.Labels) < 2 {
			return config.Faultf("data.label_key: all examples have the label %q: there is nothing to tell apart", o.Labels[0])
		}
		value.SetOutputs(o)
		if err := c.Model.Set(c.Model.Name(), value); err != nil {
			return err
		}
	}
	for _, e := range slices.Concat(train, held) {
		if !slices.Contains(o.Labels, e.Label) {
			return config.Faultf("%s: the label %q is none of %q: correct it, or name all in recipe.labels", e.Origin, e.Label, o.Labels)
		}
	}
	return nil
}

// design is the job without its data, of which the classes are read.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	train, held, err := examples(env.Config)
	if err != nil {
		return nil, err
	}
	if err := classes(&env.Config, train, held); err != nil {
		return nil, err
	}
	j, _, err := newJob(ctx, env)
	return j, err
}

// newJob is the job without its data, and the program that classifies held-out texts.
func newJob(ctx context.Context, env recipe.Env) (*recipe.Job, *encode.Program, error) {
	m, from, err := text.Model(ctx, &env)
	if err != nil {
		return nil, nil, err
	}
	e, err := nn.AsTextEncoder(m)
	if err != nil {
		return nil, nil, err
	}
	c := env.Config
	rows, _ := c.MicroBatches()
	p, err := encode.Design(e, encode.Config{Rows: rows, Length: c.Length(), Want: encode.Classes, Compute: c.Compute()})
	if err != nil {
		return nil, nil, err
	}
	return &recipe.Job{
		Config: c, VocabFrom: from,
		Parts:  []recipe.Part{{Model: m, Base: c.Base}},
		Phases: []recipe.Phase{{Loss: loss(c, e, true), Optimizer: c.Optimizer}},
		Score:  loss(c, e, false),
		Unit:   recipe.Unit{Name: "tokens", PerSample: c.Length()},
		Tools:  []recipe.Tool{p},
	}, p, nil
}

// loss is the mean NLL of the classes.
func loss(c config.Config, m nn.TextEncoder, training bool) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		in := nn.NewEncoderInputs(g, rows, c.Length())
		cfg := autograd.LossConfig{}
		if training {
			cfg.Smoothing = c.Train.Smoothing
			if m.Random() {
				in.RNG = g.Ints("rng", 4)
			}
		}
		classes := m.Encode(g, in).Classes
		var nll *autograd.Node
		g.In("loss", func() {
			l.Value, nll = autograd.CrossEntropy(classes, g.Ints(labelled.Label, rows), g.Floats("loss_weight", 1), cfg)
		})
		l.Metrics = []recipe.Metric{{Name: "nll", Sum: nll}}
		return l
	}
}

// open reads the examples and gives the job its batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	train, held, err := examples(env.Config)
	if err != nil {
		return nil, err
	}
	if err := classes(&env.Config, train, held); err != nil {
		return nil, err
	}
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	r, err := newRows(&env, tokens, id, train, held)
	if err != nil {
		return nil, err
	}
	j, p, err := newJob(ctx, env)
	if err != nil {
		return nil, err
	}
	if id.Special.PAD < 0 {
		id.Special.PAD = int(r.pad)
	}
	text.Keep(j, tokens, id)
	c := env.Config
	j.Train = &labelled.Loader{Rows: c.TrainRows(), Set: r.train, Context: c.Length(), Pad: r.pad, Seed: c.Run.Seed}
	j.Epoch, j.TrainUnits, j.EvalUnits = uint64(len(r.train)), int64(len(r.train)*c.Length()), int64(len(r.held)*c.Length())
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: fmt.Sprintf("%d examples of %q", len(r.train), r.labels), Cure: "data.paths have to name the same content on all nodes"})
	if len(r.held) > 0 {
		j.Eval = &labelled.Loader{Rows: c.EvalRows(), Set: r.held, Context: c.Length(), Pad: r.pad, Held: true}
		j.Measure = func(context.Context) (recipe.Measured, error) { return measure(p, r.held, len(r.labels), c) }
	}
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", train[0].Text)
	}
	return j, text.CheckEval(c, j.Eval)
}
