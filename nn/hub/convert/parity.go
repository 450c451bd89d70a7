package convert

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
)

// parityPrompt is continued by source and result.
const parityPrompt = "The quick brown fox jumps over the lazy dog. Once upon a time"

// promptIDs is how many ids are the prompt where there is no tokenizer.
const promptIDs = 12

// greedyTokens is how many tokens continue the prompt.
const greedyTokens = 32

// Certificate compares source and result: every tensor and key of the files, and what
// both compute in float32 on the CPU, the logits after every token of a prompt and how
// each continues it greedily.
type Certificate struct {
	Source string `json:"source"`
	Result string `json:"result"`
	// Exact says that no number of the source was rounded, so that the logits
	// must be equal.
	Exact        bool    `json:"exact"`
	Prompt       string  `json:"prompt"` // "" where the tokenizer makes no token of it: then ids 0, 1, …
	PromptTokens []int32 `json:"prompt_tokens"`
	// LargestDifference is that of two logits, AverageDifference over all, and
	// LargestLogit the largest magnitude in the source, for comparison.
	LargestDifference float64 `json:"largest_difference"`
	AverageDifference float64 `json:"average_difference"`
	LargestLogit      float64 `json:"largest_logit"`
	SameText          bool    `json:"same_text"`
	SourceText        string  `json:"source_text"`
	ResultText        string  `json:"result_text"`
	SourceTokens      []int32 `json:"source_tokens"`
	ResultTokens      []int32 `json:"result_tokens"`
	// Trained compares the result with what an adapter was trained on, its base in few bits;
	// nil for another source.
	Trained *Trained `json:"trained,omitempty"`
	// Measured compares how source and result predict a text, nil without one.
	Measured *Measured `json:"measured,omitempty"`
	// Account compares the files themselves.
	Account Account `json:"account"`
}

// Trained is how far the logits of the result are from those of an adapter on its base as that
// lay in memory when it was trained, which are merged as the file has it.
type Trained struct {
	Base              nn.Storage `json:"base"`
	LargestDifference float64    `json:"largest_difference"`
	AverageDifference float64    `json:"average_difference"`
	SameText          bool       `json:"same_text"`
}

func (c *Certificate) write(fsys vfs.FS, name string) error {
	text, err := encodeJSON(c, "  ")
	if err != nil {
		return err
	}
	return writeBytes(fsys, name, text)
}

// certify compares s with the result at path, and the NLL of a text, which may be nil. An exact conversion whose logits
// differ is an error: a fault of this package.
func certify(ctx context.Context, s *source, path string, text []byte, deps Deps) (Certificate, error) {
	result, err := open(path, deps)
	if err != nil {
		return Certificate{}, fmt.Errorf("the result cannot be read back: %w", err)
	}
	defer result.close()
	if err := sameTokens(s, result); err != nil {
		return Certificate{}, err
	}
	c := Certificate{Prompt: parityPrompt, Exact: true}
	for i, from := range s.tensors {
		c.Exact = c.Exact && exact(from.numbers(), result.tensors[i].typ)
	}
	if c.Account, err = account(s, result, deps.Families); err != nil {
		return c, err
	}
	if c.Exact && c.Account.Equal != c.Account.Kept {
		return c, fmt.Errorf("the result does not have the numbers of the source, though none was rounded: those of %s differ by up to %g; please report this with the model's name", c.Account.Furthest, c.Account.LargestDifference)
	}
	var prompt []int32
	if s.encoder != nil {
		prompt = s.encoder.AppendEncode(nil, []byte(parityPrompt))
	}
	if len(prompt) == 0 {
		c.Prompt = ""
		for id := range min(promptIDs, s.vocab()) {
			prompt = append(prompt, int32(id))
		}
	}
	prompt = prompt[:min(len(prompt), max(1, s.context()-greedyTokens))]
	c.PromptTokens = prompt
	windows, err := s.windows(text)
	if err != nil {
		return c, err
	}
	a, err := s.compute(ctx, prompt, windows, deps)
	if err != nil {
		return c, fmt.Errorf("compute with the source: %w", err)
	}
	b, err := result.compute(ctx, prompt, windows, deps)
	if err != nil {
		return c, fmt.Errorf("compute with the result: %w", err)
	}
	if s.encoder != nil {
		c.SourceText, c.ResultText = string(s.encoder.AppendDecode(nil, a.tokens)), string(s.encoder.AppendDecode(nil, b.tokens))
	}
	c.SourceTokens, c.ResultTokens = a.tokens, b.tokens
	c.SameText = slices.Equal(a.tokens, b.tokens)
	c.compare(a.logits, b.logits)
	if s.adapted != nil {
		if c.Trained, err = s.adapted.compare(ctx, s, b, prompt, deps); err != nil {
			return c, fmt.Errorf("compute with the adapter on its base in %s: %w", s.adapted.storage, err)
		}
	}
	if windows != nil {
		c.Measured = &Measured{Tokens: a.scored, Source: a.nll, Result: b.nll}
	}
	if c.Exact && (c.LargestDifference != 0 || !c.SameText) {
		return c, fmt.Errorf("the result does not compute what the source does, though no number was rounded: logits differ by up to %g; please report this with the model's name", c.LargestDifference)
	}
	return c, nil
}

// tokenizerProbe has what split patterns treat in different ways.
const tokenizerProbe = "Hello, world! It's 12345.678 o'clock\n\n  if (x<=0) {\treturn; }\nÄpfel naïve — 你好，世界 Привет 🦀"

// sameTokens reads the result's tokenizer and compares it with the source's.
func sameTokens(s, result *source) error {
	if _, err := result.readEncoder(); err != nil {
		return fmt.Errorf("the result cannot be read back: %w", err)
	}
	if s.encoder == nil || result.encoder == nil {
		if (s.encoder == nil) != (result.encoder == nil) {
			return errors.New("source and result do not have the same kind of tokenizer; please report this with the model's name")
		}
		return nil
	}
	want := s.encoder.AppendEncode(nil, []byte(tokenizerProbe))
	if got := result.encoder.AppendEncode(nil, []byte(tokenizerProbe)); !slices.Equal(got, want) {
		return fmt.Errorf("the result's tokenizer gives other tokens than the source's for %q; please report this with the model's name", tokenizerProbe)
	}
	return nil
}

// compare fills in the differences of logits, which package generate wants finite.
func (c *Certificate) compare(a, b []float32) {
	var sum float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		difference := math.Abs(x - y)
		c.LargestDifference = max(c.LargestDifference, difference)
		c.LargestLogit = max(c.LargestLogit, math.Abs(x))
		sum += difference
	}
	c.AverageDifference = sum / float64(len(a))
}

// computed is what a model makes of a prompt.
type computed struct {
	logits []float32 // after each token of the prompt, (P, V)
	tokens []int32   // of the greedy continuation
	nll    float64   // mean of a text, in nats per token
	scored int       // tokens of it
}

// computePairs runs a model of pairs on a prompt as the source and as the target: the
// log-likelihoods of its tokens stand in for their logits.
func computePairs(ctx context.Context, m nn.PairModel, store *exec.Store, special nn.SpecialTokens, prompt []int32, most int) (out computed, err error) {
	start, opt := prompt[0], generate.BeamOptions{}
	if len(special.Start) > 0 {
		start = int32(special.Start[0])
	}
	for _, id := range special.EOS {
		opt.Stop = append(opt.Stop, int32(id))
	}
	scorer, err := generate.NewPairScorer(m, store, generate.Config{})
	if err != nil {
		return out, err
	}
	logs, _, err := scorer.Score(prompt, start, prompt)
	if err != nil {
		return out, err
	}
	out.logits = append(out.logits, logs...)
	t, err := generate.NewTranslator(m, store, generate.TranslatorConfig{Source: len(prompt), MaxTokens: max(1, most)})
	if err != nil {
		return out, err
	}
	translations, err := t.Translate(ctx, [][]int32{prompt}, start, opt)
	if err == nil {
		out.tokens = translations[0].Tokens
	}
	return out, err
}

// compute loads the model in float32 and runs it on a prompt and on the windows of a text.
func (s *source) compute(ctx context.Context, prompt []int32, windows [][]int32, deps Deps) (out computed, err error) {
	b, err := deps.Backend()
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	store := exec.NewStore(b)
	for i, p := range s.model.Params() {
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("interrupted: %w", err)
		}
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return out, err
		}
		err := s.tensors[i].floats(func(offset int, values []float32) error {
			return store.WriteAt(p.State(), offset, values)
		})
		if err != nil {
			return out, err
		}
	}
	if out, err = s.run(ctx, s.model, store, prompt); err != nil || windows == nil {
		return out, err
	}
	out.nll, out.scored, err = s.score(ctx, store, windows)
	return out, err
}

// run runs m, of the source's kind, with the parameters in store on a prompt.
func (s *source) run(ctx context.Context, m nn.Model, store *exec.Store, prompt []int32) (out computed, err error) {
	length := min(len(prompt)+greedyTokens, s.context())
	if pairs, ok := m.(nn.PairModel); ok {
		return computePairs(ctx, pairs, store, s.special, prompt, length-len(prompt))
	}
	model, err := nn.AsLanguageModel(m)
	if err != nil {
		return out, err
	}
	g, err := generate.New(model, store, generate.Config{Context: length})
	if err != nil {
		return out, err
	}
	for _, id := range prompt {
		if err := g.Append(id); err != nil {
			return out, err
		}
		out.logits = append(out.logits, g.Logits()...)
	}
	g.Truncate(0)
	result, err := g.Generate(ctx, prompt, generate.Options{MaxTokens: length - len(prompt)}, nil)
	out.tokens = result.Tokens
	return out, err
}
