package text

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/wordpiece"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// TokenizerDir is the directory of a run's frozen tokenizer.
func TokenizerDir(runDir string) string { return filepath.Join(runDir, "tokenizer") }

// OpenTokenizer loads the tokenizer of the checkpoint that a run goes on from, else
// the one frozen in the run, else what the configuration names, and freezes it in
// the run. It returns it with what other programs must know of the run's model: that
// of the checkpoint that the run goes on from, else of its base, else what the
// tokenizer's files say.
func OpenTokenizer(ctx context.Context, env recipe.Env) (data.Tokenizer, hub.Identity, error) {
	o, err := openTokenizer(ctx, env)
	if err != nil {
		return nil, hub.Identity{}, err
	}
	for _, note := range o.Notes {
		env.Telling("note", "%s", note)
	}
	if base := env.Config.Base; base != "" && env.From == "" {
		notes, err := hub.NotesOf(env.FS, base, env.Config.Adapter, env.Families)
		if err != nil {
			return nil, hub.Identity{}, err
		}
		for _, note := range notes {
			env.Telling("note", "%s", note)
		}
		if err := tellContext(env); err != nil {
			return nil, hub.Identity{}, err
		}
	}
	context := env.Config.Text().Context
	if env.From == "" && env.Config.Base == "" {
		return o.Tokenizer, hub.FreshIdentity(o.Tokenizer, o.Roles, context), nil
	}
	place, err := began(env)
	if err != nil {
		return nil, hub.Identity{}, err
	}
	id, err := hub.ReadIdentity(place, o.Tokenizer, context)
	return o.Tokenizer, id, err
}

// tellContext tells where a run trains on longer sequences than its base has.
func tellContext(env recipe.Env) error {
	d, err := hub.Describe(env.Config.Base, env.Families)
	if err != nil {
		return err
	}
	if base, ok := d.Spec.Config.(nn.TextConfig); ok && env.Config.Text().Context > base.Text().Context {
		env.Telling("context", "%d tokens, where the base has %d: it has to learn the positions beyond", env.Config.Text().Context, base.Text().Context)
	}
	return nil
}

// began is the model that a run goes on from or begins from. That an adapter goes on
// from is on the run's base, wherever that was as the adapter was saved.
func began(env recipe.Env) (hub.Place, error) {
	switch {
	case env.From == "":
		return hub.PlaceOf(env.Config.Base)
	case hub.IsAdapter(env.From) && env.Config.Base != "":
		return hub.Place{Dir: env.From, Base: env.Config.Base, Adapter: true}, nil
	}
	return hub.PlaceOf(env.From)
}

func openTokenizer(ctx context.Context, env recipe.Env) (tokenizers.Opened, error) {
	frozen := ""
	if dir := env.Config.Run.Dir; dir != "" {
		frozen = TokenizerDir(dir)
	}
	for _, dir := range []string{env.From, frozen} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, tokenizers.File)); err == nil {
			return tokenizers.Open(dir)
		}
	}
	o, err := MakeTokenizer(ctx, env)
	if err != nil || env.Dry || !env.Config.Rank.First() {
		return o, err // another rank cannot see what rank 0 froze, and is compared with it
	}
	return o, tokenizers.Save(env.FS, frozen, o.Tokenizer, tokenizers.RolesOf(o.Tokenizer, o.Roles, env.Config.Text().Context))
}

// MakeTokenizer loads or fits the tokenizer that the configuration describes, and adds
// the special tokens that it names.
func MakeTokenizer(ctx context.Context, env recipe.Env) (tokenizers.Opened, error) {
	o, err := namedTokenizer(ctx, env)
	if err != nil || len(env.Config.Tokenizer.AddSpecialTokens) == 0 {
		return o, err
	}
	before := o.Tokenizer
	if o, err = tokenizers.AddSpecial(o, env.Config.Tokenizer.AddSpecialTokens); err != nil {
		return o, config.Faultf("tokenizer.add_special_tokens: %w", err)
	}
	for _, token := range env.Config.Tokenizer.AddSpecialTokens {
		id, _ := o.Tokenizer.Special(token)
		switch {
		case int(id) >= before.Vocab() && env.Config.LoRA.Rank > 0:
			return o, config.Faultf("tokenizer.add_special_tokens: %q is new to the base, and an adapter does not train its row of the embeddings: train without lora first, with train.freeze for all but the tables of tokens if you like, and put the adapter on what comes out", token)
		case int(id) >= before.Vocab():
			env.Telling("special token", "%s is added as %d", token, id)
		default:
			env.Telling("special token", "%s is %d already", token, id)
		}
	}
	return o, nil
}

// namedTokenizer loads or fits the tokenizer that the configuration describes.
func namedTokenizer(ctx context.Context, env recipe.Env) (tokenizers.Opened, error) {
	var o tokenizers.Opened
	c := env.Config.Tokenizer
	switch {
	case c.Path != "":
		return loadTokenizer(c.Path)
	case c.Kind == "bytes":
		t, err := bpe.Bytes()
		o.Tokenizer = t
		return o, err
	}
	if own, ok := env.Config.Data.Value().(Fitter); ok {
		return fitted(ctx, env, own.FitTo())
	}
	texts, ok := env.Config.Texts()
	if !ok {
		return o, config.Faultf("tokenizer: there is no text to fit it to: name one with tokenizer.path")
	}
	if texts.Prepared() {
		return o, config.Faultf("tokenizer: data.format %s has tokens, no text to fit it to: set tokenizer.path to the one that made them, such as gpt2 for the files of nanoGPT and llm.c", env.Config.Data.Name())
	}
	corpus, err := data.OpenCorpus(texts)
	if err != nil {
		return o, err
	}
	return fitted(ctx, env, trainingText(corpus))
}

// Fitter is a section data whose text is not that of a corpus: FitTo streams what is trained
// on, for a tokenizer to be fitted to.
type Fitter interface {
	FitTo() iter.Seq2[[]byte, error]
}

// fitted is a tokenizer that is fitted to texts.
func fitted(ctx context.Context, env recipe.Env, texts iter.Seq2[[]byte, error]) (o tokenizers.Opened, err error) {
	c := env.Config.Tokenizer
	if o.Tokenizer, err = fit(ctx, c, texts, env); err != nil {
		return o, fmt.Errorf("tokenizer: %w", err)
	}
	if c.Kind == "wordpiece" {
		o.Roles = wordpiece.Roles()
	}
	env.Telling("tokenizer", "%s, %d tokens, fitted to the training text", c.Kind, o.Tokenizer.Vocab())
	return o, nil
}

// loadTokenizer is tokenizers.Open of tokenizer.path.
func loadTokenizer(path string) (tokenizers.Opened, error) {
	o, err := tokenizers.Open(path)
	if !errors.Is(err, os.ErrNotExist) {
		return o, err
	}
	if _, missing := os.Stat(path); missing == nil {
		return o, config.Faultf("tokenizer.path: %s holds no tokenizer.json", path)
	}
	return o, config.Faultf("tokenizer.path is %s, and there is no file or directory of that name; names of models are not looked up, apart from %s: download the tokenizer.json and name it", path, strings.Join(tokenizers.Names(), ", "))
}

// fit fits a tokenizer to texts, of which it tells env the progress.
func fit(ctx context.Context, c config.TokenizerConfig, texts iter.Seq2[[]byte, error], env recipe.Env) (data.Tokenizer, error) {
	told := func(p bpe.Progress) {
		if env.Progress != nil {
			env.Progress(data.Progress{Doing: data.Fitting, TextBytes: p.Bytes, Merges: p.Merges, Total: p.Total})
		}
	}
	if c.Kind == "characters" {
		var text []byte
		for doc, err := range texts {
			if err != nil {
				return nil, err
			}
			text = append(text, doc...)
			told(bpe.Progress{Bytes: int64(len(text))})
		}
		return bpe.Characters(text)
	}
	if c.Kind == "wordpiece" {
		return wordpiece.Train(ctx, texts, wordpiece.TrainConfig{Vocab: c.Vocab, Lowercase: c.Lowercase, Progress: told})
	}
	pattern, err := bpe.ParsePattern(c.Pattern)
	if err != nil {
		return nil, err
	}
	return bpe.Train(ctx, texts, bpe.TrainConfig{Pattern: pattern, Vocab: c.Vocab, Special: []string{bpe.EndOfText}, Workers: env.Config.Threads, Progress: told})
}

// trainingText streams the documents that are not held out.
func trainingText(c *data.Corpus) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for doc, err := range c.Documents() {
			if err == nil && doc.Split == data.Validation {
				continue
			}
			if !yield(doc.Text, err) {
				return
			}
		}
	}
}
