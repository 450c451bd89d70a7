// Package text is what recipes share whose models read and write language: the
// tokenizer of a run and what other programs must know of the model ([Open]), the job
// of a language model on any source of sequences ([Design], [New]), with the text that
// its evaluations show.
package text

import (
	"context"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// Design returns the job of the language model that env's configuration describes,
// without its data: the NLL of the next token in nats, its perplexity, and in
// evaluations the bits per byte of text.
// What the configuration leaves to the tokenizer is found without fitting one.
func Design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	m, from, err := Model(ctx, &env)
	if err != nil {
		return nil, err
	}
	lm, err := nn.AsLanguageModel(m)
	if err != nil {
		return nil, err
	}
	j, err := Of(env.Config, lm)
	if err != nil {
		return nil, err
	}
	j.VocabFrom = from
	return j, nil
}

// Model returns the model that env's configuration describes, and what told its vocabulary,
// which the configuration gets; it is found without fitting a tokenizer.
func Model(ctx context.Context, env *recipe.Env) (m nn.Model, vocabFrom string, err error) {
	vocab, from, err := guessVocab(ctx, *env)
	if err != nil {
		return nil, "", err
	}
	if err := env.Config.SetVocab(vocab); err != nil {
		return nil, "", err
	}
	m, err = env.Config.NewModel(env.Families)
	return m, from, err
}

// Of is Design for a model that is there already.
func Of(c config.Config, m nn.LanguageModel) (*recipe.Job, error) {
	j := &recipe.Job{
		Config: c,
		Parts:  []recipe.Part{{Model: m, Base: c.Base, Adapter: c.Adapter}},
		Phases: []recipe.Phase{{Loss: Loss(c, m), Optimizer: c.Optimizer}},
		Score:  Score(c, m),
		Unit:   recipe.Unit{Name: "tokens", PerSample: c.Length()},
	}
	if c.Train.Sample == "" || c.Train.SampleTokens == 0 {
		return j, nil
	}
	// A token stands for a byte at least, so that the text fits.
	room := min(m.Context(), len(c.Train.Sample)+put(c)+c.Train.SampleTokens)
	g, err := generate.Design(m, generate.Config{Context: room, Compute: c.Compute()})
	if err != nil {
		return nil, err
	}
	j.Tools = []recipe.Tool{g}
	return j, nil
}

// put is the most tokens that the run's tokenizer puts before a text, if it was not fitted here.
func put(c config.Config) int {
	if c.Tokenizer.Path == "" {
		return 0
	}
	return 4
}

// Loss is the cross-entropy of the next token.
func Loss(c config.Config, m nn.LanguageModel) recipe.LossFunc {
	cfg := autograd.LossConfig{Smoothing: c.Train.Smoothing, ZLoss: c.Train.ZLoss}
	return func(g *autograd.Graph, rows int) recipe.Loss {
		loss, nll := nn.Training(g, m, size(c, m, rows), cfg)
		return recipe.Loss{Value: loss, Metrics: Metrics(nll)}
	}
}

// Score measures held-out text.
func Score(c config.Config, m nn.LanguageModel) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) recipe.Loss {
		_, nll := nn.Evaluation(g, m, size(c, m, rows))
		bits := recipe.Metric{Name: "bits_per_byte", Sum: nll, Per: recipe.PerByte, As: recipe.BitsPerByte}
		return recipe.Loss{Metrics: append(Metrics(nll), bits)}
	}
}

// Metrics are those of the NLL of each target, in nats.
func Metrics(nll *autograd.Node) []recipe.Metric {
	return []recipe.Metric{{Name: "nll", Sum: nll}, {Name: "ppl", Sum: nll, As: recipe.Perplexity}}
}

func size(c config.Config, m nn.LanguageModel, rows int) nn.Rows {
	return nn.Rows{Batch: rows, Length: c.Length(), Segments: c.Train.DocumentMask, Carried: nn.Remembers(m)}
}

// Open finds the tokenizer of env's run, whose vocabulary it gives the model, and what
// other programs must know of the model.
func Open(ctx context.Context, env *recipe.Env) (data.Tokenizer, hub.Identity, error) {
	if err := mergeExtended(env); err != nil {
		return nil, hub.Identity{}, err
	}
	tokens, id, err := OpenTokenizer(ctx, *env)
	if err != nil {
		return nil, id, err
	}
	return tokens, id, setVocab(&env.Config, tokens)
}

// mergeExtended has checkpoints of an adapter hold the merged model where that differs
// from its base: who loads an adapter alone takes the base as it is.
func mergeExtended(env *recipe.Env) error {
	if env.Config.Base == "" || env.Config.LoRA.Rank == 0 {
		return nil
	}
	d, err := hub.Describe(env.Config.Base, env.Families)
	if err != nil {
		return err
	}
	if keys := env.Config.Extends(d.Spec); len(keys) > 0 {
		env.Config.LoRA.Merge = true
		env.Telling("note", "checkpoints hold the merged model (lora.merge): model.%s is not as in the base, on which the adapter alone would be put", strings.Join(keys, ", model."))
	}
	return nil
}

// Encoder is a run's tokenizer with the tokens that begin and end its documents.
func Encoder(c config.Config, tokens data.Tokenizer, id hub.Identity) (tokenizers.Encoder, error) {
	return id.Encoder(tokens, BOS(c))
}

// BOS says whether texts begin with what the tokenizer puts before them.
func BOS(c config.Config) bool {
	texts, ok := c.Texts()
	return !ok || texts.BOS
}

// setVocab gives the model of c the vocabulary of a tokenizer, unless it has one of its
// own that holds it; where c adds tokens, one that holds them.
func setVocab(c *config.Config, tokens data.Tokenizer) error {
	v, n := c.Text().Vocab, tokens.Vocab()
	if v > 0 && v < n && !c.Tokenizer.Grows() {
		return config.Faultf("model.vocab is %d but the tokenizer has %d tokens; leave model.vocab out to take the tokenizer's", v, n)
	}
	return c.SetVocab(c.Tokenizer.ModelVocab(v, n))
}

// New is Design for what Open has found: with the files that transformers and other
// programs read beside the weights, and the text that evaluations show.
func New(ctx context.Context, env recipe.Env, tokens data.Tokenizer, id hub.Identity) (*recipe.Job, error) {
	j, err := Design(ctx, env)
	if err != nil {
		return nil, err
	}
	return j, Finish(j, env, tokens, id)
}

// Finish is what New does with a job of Of: it has the files of Keep and shows a text.
func Finish(j *recipe.Job, env recipe.Env, tokens data.Tokenizer, id hub.Identity) error {
	Keep(j, tokens, id)
	return show(j, env, tokens, id)
}

// Keep gives the first part of a job the files that transformers and other programs read
// beside the weights, and has all ranks agree on the tokenizer.
func Keep(j *recipe.Job, tokens data.Tokenizer, id hub.Identity) {
	j.VocabFrom = "the tokenizer"
	m := j.Parts[0].Model
	j.Parts[0].Files = func() ([]checkpoint.File, error) { return hub.Files(m, tokens, id) }
	j.Facts = []ranks.Fact{{Name: "tokenizer", Value: tokens.Fingerprint(), Cure: "the run's directory has to be one that all nodes share"}}
}

// CheckEval refuses early stopping without held-out data to judge by.
func CheckEval(c config.Config, eval data.Source) error {
	if c.Train.Patience > 0 && eval == nil {
		return config.Faultf("train.patience needs held-out text to judge by: set data.validation or data.validation_paths")
	}
	return nil
}
