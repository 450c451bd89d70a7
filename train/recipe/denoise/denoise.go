// Package denoise is the recipe of span corruption (Raffel et al. 2020): an encoder reads a
// text that lacks some spans, and a decoder tells them. T5 is trained so before any task.
package denoise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/denoise"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Name is the recipe's.
const Name = "denoise"

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return &denoise.Config{Rate: 0.15, Span: 3} }, Formats: text.Formats(),
		Check: check, Design: design, Open: open, Inspect: inspect,
	}
}

// own is the section recipe of c.
func own(c config.Config) denoise.Config { return *c.Recipe.Value().(*denoise.Config) }

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	err := own(c).Validate()
	if err != nil {
		return err
	}
	if c.Train.DocumentMask {
		err = fmt.Errorf("train.document_mask: a row of recipe %s is one text, whatever ends inside it: leave it out", Name)
	}
	tokens, target := own(c).Window(c.Length(), 1)
	switch {
	case tokens == 0:
		err = errors.Join(err, fmt.Errorf("a row has %d tokens; recipe %s needs 4 or more", c.Length(), Name))
	case target > c.Length():
		err = errors.Join(err, fmt.Errorf("recipe.rate is %g: a row of %d tokens then has a target of %d, which is longer; take out less, or longer spans", own(c).Rate, c.Length(), target))
	}
	return err
}

// withSentinels runs open with an environment whose tokenizer has all sentinels that a row
// needs, unless the run begins from a base. The configuration stays as it was written.
func withSentinels(env *recipe.Env, open func() error) error {
	named := env.Config.Tokenizer.AddSpecialTokens
	defer func() { env.Config.Tokenizer.AddSpecialTokens = named }()
	if env.Config.Base == "" {
		tokens, _ := own(env.Config).Window(env.Config.Length(), 0)
		_, spans := own(env.Config).Counts(tokens)
		all := slices.Clone(named)
		for i := range spans {
			if s := denoise.Sentinel(i); !slices.Contains(named, s) {
				all = append(all, s)
			}
		}
		env.Config.Tokenizer.AddSpecialTokens = all
	}
	return open()
}

// size is that of rows of which window tokens of text are made.
func size(c config.Config, target int) nn.Rows {
	return nn.Rows{Length: target, Source: c.Length(), Segments: true}
}

// shownTokens is the most that evaluations show of train.sample, and of what the model puts into it.
const shownTokens = 64

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	frame, err := frameOf(ctx, env.Config)
	if err != nil {
		return nil, err
	}
	return newJob(ctx, env, frame)
}

// frameOf is how many tokens the tokenizer of a run puts around a text, without fitting one.
func frameOf(ctx context.Context, c config.Config) (int, error) {
	switch {
	case c.Tokenizer.Path != "":
		o, err := text.MakeTokenizer(ctx, recipe.Env{Config: c})
		if err != nil {
			return 0, err
		}
		frame := o.Tokenizer.Frame()
		return len(frame.Before) + len(frame.After), nil
	case c.Tokenizer.Kind == "wordpiece":
		return 2, nil
	}
	return 0, nil
}

// newJob is the job without its data, of rows with frame tokens around the text of a source.
func newJob(ctx context.Context, env recipe.Env, frame int) (*recipe.Job, error) {
	var m nn.Model
	var from string
	err := withSentinels(&env, func() (err error) {
		m, from, err = text.Model(ctx, &env)
		return err
	})
	if err != nil {
		return nil, err
	}
	pm, err := nn.AsPairModel(m)
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", Name, err)
	}
	c := env.Config
	_, target := own(c).Window(c.Length(), frame)
	j := &recipe.Job{
		Config: c, VocabFrom: from,
		Parts:   []recipe.Part{{Model: m, Base: c.Base, Adapter: c.Adapter}},
		Phases:  []recipe.Phase{{Loss: text.PairLoss(c, pm, size(c, target)), Optimizer: c.Optimizer}},
		Score:   text.PairScore(pm, size(c, target)),
		Unit:    recipe.Unit{Name: "tokens", PerSample: c.Length()},
		Reading: text.Reading(env),
	}
	if c.Train.Sample == "" {
		return j, nil
	}
	most := min(pm.Context(), shownTokens)
	tr, err := generate.DesignTranslator(pm, generate.TranslatorConfig{Config: generate.Config{Compute: c.Compute()}, Source: most, MaxTokens: most})
	j.Tools = []recipe.Tool{tr}
	return j, err
}

// opened is the tokenizer of a run.
type opened struct {
	tokens  data.Tokenizer
	id      hub.Identity
	encoder pairs.Encoder
	marks   denoise.Marks
}

// openTokens finds the tokenizer of env's run.
func openTokens(ctx context.Context, env *recipe.Env) (o opened, err error) {
	err = withSentinels(env, func() (err error) {
		o.tokens, o.id, err = text.Open(ctx, env)
		return err
	})
	if err != nil {
		return o, err
	}
	if o.encoder, err = text.PairEncoder(o.tokens, &o.id); err != nil {
		return o, err
	}
	frame := o.tokens.Frame()
	o.marks = denoise.Marks{Before: frame.Before, After: frame.After, End: o.encoder.End, Sentinels: denoise.Sentinels(o.tokens)}
	c := env.Config
	n, _ := own(c).Window(c.Length(), o.marks.Frame())
	if n == 0 {
		return o, config.Faultf("a row has %d tokens, and the tokenizer puts %d around a text; use longer rows", c.Length(), o.marks.Frame())
	}
	if _, spans := own(c).Counts(n); spans > len(o.marks.Sentinels) {
		return o, config.Faultf("a row of %d tokens lacks %d spans, and the tokenizer has %d sentinels: name those from %s on in tokenizer.add_special_tokens, or use shorter rows or longer spans",
			c.Length(), spans, len(o.marks.Sentinels), denoise.Sentinel(len(o.marks.Sentinels)))
	}
	return o, nil
}

// open packs the text into shards and takes spans out of its rows.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	o, err := openTokens(ctx, &env)
	if err != nil {
		return nil, err
	}
	j, err := newJob(ctx, env, o.marks.Frame())
	if err != nil {
		return nil, err
	}
	text.Keep(j, o.tokens, o.id)
	if err := o.show(j, env.Config); err != nil {
		return nil, err
	}
	texts, _ := env.Config.Texts()
	if texts.Known, err = text.Ledger(env); err != nil {
		return nil, err
	}
	enc := tokenizers.NewEncoder(o.tokens, nil, o.encoder.End)
	if env.Dry && !texts.Prepared() {
		return j, text.Count(ctx, env, j, texts, enc)
	}
	prepared, err := text.Shards(ctx, env, j, texts, enc)
	if err != nil {
		return nil, err
	}
	train, eval, err := batches(env.Config, prepared, enc, o)
	if err != nil {
		return nil, err
	}
	j.Train = train
	text.GiveEpoch(env, j, train.Of, prepared.Parts)
	if eval != nil {
		j.Eval = eval
	}
	noise, spans := own(env.Config).Counts(train.Size.Context)
	env.Telling("spans", "%d of %d tokens of a row in %d spans; sources of %d tokens, targets of %d", noise, train.Size.Context, spans, env.Config.Length(), train.target)
	return j, text.CheckEval(env.Config, j.Eval)
}

// sample is the text that evaluations show; one without a sentinel gets one at its end.
func sample(c config.Config) string {
	if s := c.Train.Sample; s == "" || strings.Contains(s, denoise.Sentinel(0)) {
		return s
	}
	return c.Train.Sample + " " + denoise.Sentinel(0)
}

// show makes the job show what its model puts into the configured text.
func (o opened) show(j *recipe.Job, c config.Config) error {
	asked := sample(c)
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", asked)
	}
	if len(j.Tools) == 0 {
		j.Next = nil
		return nil
	}
	tr := j.Tools[0].(*generate.Translator)
	source := o.encoder.Prompt(asked)
	if most := tr.Config().Source; len(source) > most {
		return config.Faultf("train.sample has %d tokens; use at most %d", len(source), most)
	}
	ends := o.id.Ends(o.tokens)
	j.Show = func(ctx context.Context) (recipe.Shown, error) {
		out, err := tr.Translate(ctx, [][]int32{source}, o.encoder.Start, generate.BeamOptions{Beams: 1, LengthPenalty: 1, Stop: ends})
		if err != nil {
			return recipe.Shown{Name: Name}, err
		}
		filled, _ := denoise.Fill(o.tokens, source, out[0].Tokens)
		return recipe.Shown{Name: Name, Text: fmt.Sprintf("%s\n  → %s", asked, filled)}, nil
	}
	return nil
}
