// Package mlm is the recipe of masked language modelling (Devlin et al. 2019): a text
// encoder tells the tokens that a text lacks, and on wish whether a second text goes on with
// the first.
package mlm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/encode"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Name is the recipe's.
const Name = "mlm"

// Config is the section recipe.
type Config struct {
	Rate         float64 `yaml:"rate"`          // share of the tokens that are asked for
	WholeWords   bool    `yaml:"whole_words"`   // all pieces of a word are asked for together
	NextSentence bool    `yaml:"next_sentence"` // rows are two texts; half of the second ones come from elsewhere
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return &Config{Rate: 0.15} }, Formats: text.Formats(),
		Check: check, Design: design, Open: open, Inspect: inspect,
	}
}

// Outputs are those that are trained; see config.OutputChooser.
func (c *Config) Outputs(nn.Outputs) nn.Outputs {
	return nn.Outputs{Masked: true, Pooled: c.NextSentence, Next: c.NextSentence}
}

// own is the section recipe of c.
func own(c config.Config) Config { return *c.Recipe.Value().(*Config) }

// shortestRow is what the special tokens, two texts and a token that is asked for take.
const shortestRow = 8

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	var errs []error
	if r := own(c).Rate; !(r > 0 && r < 1) {
		errs = append(errs, fmt.Errorf("recipe.rate is %g; use a share between 0 and 1, such as 0.15", r))
	}
	if _, ok := c.Model.Value().(nn.EncoderConfig); !ok {
		errs = append(errs, fmt.Errorf("recipe %s needs a model that reads a text from both sides, and family %s does not: set model.family bert, or recipe.kind lm", Name, c.Model.Name()))
	} else if n := c.Length(); n < shortestRow {
		errs = append(errs, fmt.Errorf("a row has %d tokens; recipe %s needs %d or more", n, Name, shortestRow))
	}
	if c.Train.DocumentMask {
		errs = append(errs, fmt.Errorf("train.document_mask: a row of recipe %s is one text, whatever ends inside it: leave it out", Name))
	}
	return errors.Join(errs...)
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, _, err := newJob(ctx, env)
	return j, err
}

// programs are what evaluations run beside the losses.
type programs struct {
	held  *encode.Program // finds which masks are right
	shown *encode.Program // fills the masks of a text; nil for none
}

// newJob is the job without its data, with those programs.
func newJob(ctx context.Context, env recipe.Env) (*recipe.Job, programs, error) {
	var p programs
	if err := env.Config.ChooseOutputs(nn.Outputs{}); err != nil {
		return nil, p, err
	}
	m, from, err := text.Model(ctx, &env)
	if err != nil {
		return nil, p, err
	}
	e, err := nn.AsTextEncoder(m)
	if err != nil {
		return nil, p, err
	}
	c := env.Config
	j := &recipe.Job{
		Config: c, VocabFrom: from,
		Parts:   []recipe.Part{{Model: m, Base: c.Base, Adapter: c.Adapter}},
		Phases:  []recipe.Phase{{Loss: loss(c, e), Optimizer: c.Optimizer}},
		Score:   score(c, e),
		Unit:    recipe.Unit{Name: "tokens", PerSample: c.Length()},
		Reading: text.Reading(env),
	}
	rows, _ := c.MicroBatches()
	p.held, err = encode.Design(e, encode.Config{Rows: rows, Length: c.Length(), Asked: askedPerRow(c), Want: encode.Best, Compute: c.Compute()})
	if err != nil {
		return nil, p, err
	}
	if j.Tools = []recipe.Tool{p.held}; c.Train.Sample == "" {
		return j, p, nil
	}
	p.shown, err = encode.Design(e, encode.Config{Length: min(e.Context(), shownTokens), Asked: shownMasks, Want: encode.Masked, Compute: c.Compute()})
	if err != nil {
		return nil, p, err
	}
	j.Tools = append(j.Tools, p.shown)
	return j, p, nil
}

// accuracy is the share of the masks of held-out text, of so many batches at most (0: all),
// whose likeliest token is right.
func accuracy(p *encode.Program, s *source, limit int) (float64, error) {
	batch := s.NewBatch()
	right, all := 0, 0
	for i := 0; limit == 0 || i < limit; i++ {
		err := s.Fill(batch, uint64(i)*s.Stride())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		told, err := p.Run(s.rows(batch))
		if err != nil {
			return 0, err
		}
		for row, t := range told {
			targets := s.part(batch, data.Targets, row, s.asked)
			for k, best := range t.Best {
				all++
				if best == targets[k] {
					right++
				}
			}
		}
	}
	return float64(right) / float64(max(all, 1)), nil
}

// openTokens gives the model of env the heads of the recipe and finds its tokenizer, with
// the tokens that mark texts.
func openTokens(ctx context.Context, env *recipe.Env) (tokens data.Tokenizer, id hub.Identity, marks tokenizers.Marks, err error) {
	if err = env.Config.ChooseOutputs(nn.Outputs{}); err != nil {
		return nil, id, marks, err
	}
	if tokens, id, err = text.Open(ctx, env); err != nil {
		return nil, id, marks, err
	}
	if marks, err = tokenizers.MarksOf(tokens, id.Roles, true); err != nil {
		err = config.Faultf("%w", err)
	}
	return tokens, id, marks, err
}

// open packs the text into shards and puts masks into its rows.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, marks, err := openTokens(ctx, &env)
	if err != nil {
		return nil, err
	}
	j, p, err := newJob(ctx, env)
	if err != nil {
		return nil, err
	}
	if id.Special.PAD < 0 {
		id.Special.PAD = int(marks.Pad)
	}
	text.Keep(j, tokens, id)
	if err := show(j, p.shown, env, tokens, id); err != nil {
		return nil, err
	}
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", sample(env.Config, string(tokens.TokenBytes(marks.Mask))))
	}
	texts, _ := env.Config.Texts()
	if texts.Known, err = text.Ledger(env); err != nil {
		return nil, err
	}
	enc := tokenizers.NewEncoder(tokens, nil, marks.Sep)
	if env.Dry && !texts.Prepared() {
		return j, text.Count(ctx, env, j, texts, enc)
	}
	return j, openShards(ctx, env, j, texts, enc, newMasker(own(env.Config), tokens, marks), p.held)
}

// openShards gives the job its batches, and the entropy that its loss is read beside.
func openShards(ctx context.Context, env recipe.Env, j *recipe.Job, texts data.Config, enc tokenizers.Encoder, m *masker, reader *encode.Program) error {
	prepared, err := text.Shards(ctx, env, j, texts, enc)
	if err != nil {
		return err
	}
	train, eval, err := batches(env.Config, prepared, enc, m)
	if err != nil {
		return err
	}
	j.Train = train
	text.GiveEpoch(env, j, train.Of, prepared.Parts)
	if eval != nil {
		j.Eval = eval
	}
	var measure func() (float64, error)
	if eval != nil {
		measure = func() (float64, error) { return accuracy(reader, eval, env.Config.Train.EvalBatches) }
	}
	readBeside(env, j, entropy(prepared.Train, m), measure)
	return text.CheckEval(env.Config, j.Eval)
}

// readBeside has evaluations tell what share of the masks is right, by measure, and the entropy of single tokens, in nats: the loss of a model
// that knows how often tokens come and nothing of what stands beside them.
func readBeside(env recipe.Env, j *recipe.Job, nats float64, measure func() (float64, error)) {
	env.Telling("unigram entropy", "%.4f nats a token: the loss of a model that knows how often each comes, and nothing of its neighbours", nats)
	j.Measure = func(context.Context) (m recipe.Measured, err error) {
		if measure != nil {
			var hits float64
			hits, err = measure()
			m.Values = append(m.Values, recipe.Measurement{Name: "accuracy", Value: hits})
		}
		m.Values = append(m.Values, recipe.Measurement{Name: "unigram_nll", Value: nats})
		return m, err
	}
	j.Remark = func(nll float64) string {
		if !(math.Abs(nll-nats) <= plateau) {
			return ""
		}
		return fmt.Sprintf("the loss is on the plateau of the unigram entropy, %.4f: the model knows how often tokens come, and nothing of their neighbours yet", nats)
	}
}

// plateau is how near, in nats, a loss on the plateau is to the entropy.
const plateau = 0.15

// entropyTokens is the most tokens that the entropy is counted over.
const entropyTokens = 1 << 28

// entropy is that of single tokens that may be asked for, in nats.
func entropy(set *data.Set, m *masker) float64 {
	counts, total := make([]int64, len(m.special)), int64(0)
	block := make([]int32, 1<<16)
	n := min(set.Tokens(), entropyTokens)
	for at := int64(0); at < n; at += int64(len(block)) {
		part := block[:min(int64(len(block)), n-at)]
		set.Read(part, at)
		for _, id := range part {
			if !m.special[id] {
				counts[id]++
				total++
			}
		}
	}
	h := 0.0
	for _, count := range counts {
		if count > 0 {
			p := float64(count) / float64(total)
			h -= p * math.Log(p)
		}
	}
	return h
}

// What evaluations show: the text of train.sample, cut to so many tokens and masks, with the
// likeliest tokens.
const (
	shownTokens        = 64
	shownMasks         = 8
	shownTokensPerMask = 5
)

// sample is the text that evaluations show; one without a mask gets one at its end.
func sample(c config.Config, mask string) string {
	if s := c.Train.Sample; s == "" || strings.Contains(s, mask) {
		return s
	}
	return c.Train.Sample + " " + mask
}

// show makes the job show how its model fills the masks of the configured text.
func show(j *recipe.Job, p *encode.Program, env recipe.Env, tokens data.Tokenizer, id hub.Identity) error {
	if p == nil {
		return nil
	}
	m, err := nn.AsTextEncoder(j.Parts[0].Model)
	if err != nil {
		return err
	}
	texts, err := encode.NewTexts(tokens, id.Roles, m, true)
	if err != nil {
		return err
	}
	asked := sample(env.Config, texts.Mask())
	row, err := texts.Question(asked)
	if err != nil {
		return config.Faultf("train.sample: %w", err)
	}
	if len(row.IDs) > shownTokens || len(row.Asked) > shownMasks {
		return config.Faultf("train.sample has %d tokens and %d masks; use at most %d and %d", len(row.IDs), len(row.Asked), shownTokens, shownMasks)
	}
	j.Show = func(context.Context) (recipe.Shown, error) {
		told, err := p.Run([]encode.Row{row})
		if err != nil {
			return recipe.Shown{Name: "masks"}, err
		}
		return recipe.Shown{Name: "masks", Text: filled(texts, asked, told[0].Masked)}, nil
	}
	return nil
}

// filled is a text with the likeliest tokens in its masks, and the candidates of each.
func filled(texts *encode.Texts, asked string, logits [][]float32) string {
	var best, lines []string
	for _, z := range logits {
		candidates := texts.Candidates(z, shownTokensPerMask)
		best = append(best, candidates[0].Token)
		var line []string
		for _, c := range candidates {
			line = append(line, fmt.Sprintf("%s %.2f", c.Token, c.Probability))
		}
		lines = append(lines, strings.Join(line, ", "))
	}
	return fmt.Sprintf("%s (%s)", texts.Fill(asked, best), strings.Join(lines, "; "))
}
