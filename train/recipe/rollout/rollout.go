// Package rollout is what recipes share that learn from texts which the model of the moment
// writes: prompts, the texts of a step with their rewards and log-probabilities, and the table
// of them in the directory of the run.
//
// The texts of a rollout are a function of the parameters as it begins, the seed of the run and
// its number. A run that goes on in the middle of one, which several updates share, reads them
// from the table, which is synced before the first of these.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"example.com/gotrain/data"
	"example.com/gotrain/data/prompts"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/reward"
)

// Text is an answer to a prompt.
type Text struct {
	Sample   uint64 // its number in the run
	Prompt   *prompts.Prompt
	Tokens   []int32 // of the prompt, then the answer with the token that ends it
	First    int     // the tokens of the prompt
	LogProbs []float32
	Kept     [][]int32 // of a truncated distribution, what each token was drawn from, itself first
	Answer   string    // what was written
	Reward   float64   // with what Overlong and Unended take away
	Ended    bool      // by a stop token
	Learnt
}

// Learnt is what a recipe tells of a text as it is written, and finds again where a run goes
// on in the middle of a rollout.
type Learnt struct {
	Values      []float32 `json:"values,omitempty"`       // expected before each token of the answer
	Ref         []float32 `json:"ref_logprobs,omitempty"` // log-probabilities by the base
	Coefficient float64   `json:"kl_coef,omitempty"`      // of the divergence from the base
}

// Written is the number of tokens that the model has chosen.
func (t *Text) Written() int { return len(t.Tokens) - t.First }

// Writer makes rollouts on one rank.
type Writer struct {
	Config
	Prompts []prompts.Prompt
	Encode  func(text string) ([]int32, error)
	Decode  func(tokens []int32) string
	Stop    []int32
	Seed    uint64
	Rows    data.Rows // this rank's share of a step
	Batch   *generate.Batch
	// Old computes the log-probabilities again, where those of Batch are not exact or those of
	// the whole distribution.
	Old    *generate.LogProbs
	Reward reward.Func // nil where models alone judge
	Judges []*Judge
	Table  *Table
	// Complete sets what is Learnt of the texts of a rollout; nil for nothing.
	Complete func(ctx context.Context, texts []Text) error

	number uint64 // of the rollout in texts, and one
	texts  []Text
}

// Number is that of the rollout which the step with that first sample learns from, and the
// number of the step among those of the rollout.
func (w *Writer) Number(position uint64) (number, step uint64) {
	step, per := position/w.Rows.Stride(), uint64(w.Updates*w.Minibatches)
	return step / per, step % per
}

// Before reads the texts of the rollout before that of position from the table: what this
// rank has written of it, none where it is not there.
func (w *Writer) Before(position uint64) ([]Text, error) {
	number, _ := w.Number(position)
	if number == 0 {
		return nil, nil
	}
	texts, _, err := w.Table.read(number-1, true, w)
	return texts, err
}

// Texts returns this rank's texts of the step whose first sample is position. Passes over a
// rollout have the same texts; of Minibatches each pass gives a step another part of them.
func (w *Writer) Texts(ctx context.Context, position uint64) ([]Text, error) {
	texts, err := w.Rollout(ctx, position)
	if err != nil {
		return nil, err
	}
	number, step := w.Number(position)
	var part []Text
	for _, i := range w.Part(number, step) {
		part = append(part, texts[i])
	}
	return part, nil
}

// Rollout returns all of this rank's texts of the rollout that the step at position learns
// from.
func (w *Writer) Rollout(ctx context.Context, position uint64) ([]Text, error) {
	number, step := w.Number(position)
	if w.number == number+1 {
		return w.texts, nil
	}
	texts, err := w.Table.begin(number, step > 0, w)
	if err == nil && texts == nil {
		texts, err = w.write(ctx, number)
		if err == nil && w.Complete != nil {
			err = w.Complete(ctx, texts)
		}
		if err == nil {
			err = w.Table.append(number, texts)
		}
	}
	if err != nil {
		return nil, err
	}
	w.number, w.texts = number+1, texts
	return texts, nil
}

// count is the number of this rank's texts of a rollout.
func (w *Writer) count() int {
	_, rows := w.Rows.Share()
	return rows * w.Minibatches
}

// sample is the number in the run of text i of a rollout. Texts lie in as many layers of a
// step's rows as there are minibatches, so that each rank has the same ones whatever their number.
func (w *Writer) sample(number uint64, i int) uint64 {
	first, rows := w.Rows.Share()
	return (number*uint64(w.Minibatches)+uint64(i/rows))*w.Rows.Stride() + first + uint64(i%rows)
}

// Part are the indexes of the texts that a step of a rollout learns from: for each group of
// rows that of a layer, which the seed's permutation of the layers gives this pass.
func (w *Writer) Part(number, step uint64) []int {
	first, rows := w.Rows.Share()
	layers := uint64(w.Minibatches)
	pass, part := number*uint64(w.Updates)+step/layers, step%layers
	var at []int
	for row := range rows {
		layer := part
		if layers > 1 {
			column := (first + uint64(row)) / uint64(w.Samples)
			order := data.NewPermutation(layers, w.Seed+(column+1)*0xA0761D6478BD642F, pass)
			layer = order.At(part)
		}
		at = append(at, int(layer)*rows+row)
	}
	return at
}

// write makes the texts of a rollout. A group of equal rewards is written anew, from another
// prompt, up to Resample times.
func (w *Writer) write(ctx context.Context, number uint64) ([]Text, error) {
	texts := make([]Text, w.count())
	var open []int // first rows of groups that are still to be written
	for row := 0; row < len(texts); row += w.Samples {
		open = append(open, row)
	}
	for attempt := 0; len(open) > 0; attempt++ {
		if err := w.fill(ctx, texts, open, number, uint64(attempt)); err != nil {
			return nil, err
		}
		open = slices.DeleteFunc(open, func(row int) bool { return attempt == w.Resample || !Equal(texts[row:row+w.Samples]) })
	}
	return texts, nil
}

// Equal tells whether all texts have the same reward, so that none is better than another.
func Equal(texts []Text) bool {
	return !slices.ContainsFunc(texts, func(t Text) bool { return t.Reward != texts[0].Reward })
}

// fill writes and judges the groups that begin at rows of texts, those of a rollout.
func (w *Writer) fill(ctx context.Context, texts []Text, rows []int, number, attempt uint64) error {
	var asked []*prompts.Prompt
	for _, row := range rows {
		asked = append(asked, &w.Prompts[w.pick(w.sample(number, row)/uint64(w.Samples), attempt)])
	}
	groups, err := w.Answers(ctx, asked, w.Samples, w.Seed+attempt*0x9E3779B97F4A7C15, func(i int) int { return int(w.sample(number, rows[i])) })
	if err != nil {
		return err
	}
	for i, row := range rows {
		for k := range w.Samples {
			texts[row+k] = groups[i*w.Samples+k]
			texts[row+k].Sample = w.sample(number, row+k)
		}
	}
	return nil
}

// pick is the prompt of a group: of pass ⌊i/n⌋ that which the seed's permutation has at i mod n.
func (w *Writer) pick(group, attempt uint64) uint64 {
	n := uint64(len(w.Prompts))
	order := data.NewPermutation(n, w.Seed+attempt*0xD1B54A32D192ED03, group/n)
	return order.At(group % n)
}

// Answers writes some texts to each prompt and judges them. What is left to chance goes by the
// seed and the number of a text, which number has for the first of each prompt; where that is
// nil, the likeliest tokens are taken.
func (w *Writer) Answers(ctx context.Context, asked []*prompts.Prompt, samples int, seed uint64, number func(prompt int) int) ([]Text, error) {
	requests := make([]generate.Request, len(asked))
	for i, p := range asked {
		tokens, err := w.Encode(p.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Origin, err)
		}
		if room := w.Batch.Context() + 1 - w.MaxTokens; len(tokens) > room {
			return nil, &data.SettingError{Err: fmt.Errorf("%s: a prompt of %d tokens, and recipe.max_tokens %d, do not fit the context of %d: leave the record out, or lower recipe.max_tokens",
				p.Origin, len(tokens), w.MaxTokens, w.Batch.Context())}
		}
		requests[i] = generate.Request{Prompt: tokens, Samples: samples, Options: generate.Options{MaxTokens: w.MaxTokens, Stop: w.Stop, Sampling: generate.Sampling{Seed: seed}}}
		if number != nil {
			requests[i].First = number(i)
			requests[i].Sampling, requests[i].Keep = w.sampling(), w.TopK > 0
			requests[i].Seed = seed
		}
	}
	written, err := w.Batch.Generate(ctx, requests, nil)
	if err != nil {
		return nil, err
	}
	texts := make([]Text, len(written))
	for i, s := range written {
		t := Text{Prompt: asked[s.Request], First: len(requests[s.Request].Prompt), LogProbs: s.LogProbs, Kept: s.Kept, Answer: w.Decode(s.Tokens), Ended: s.End >= 0}
		t.Tokens = slices.Concat(requests[s.Request].Prompt, s.Tokens)
		if t.Ended {
			t.Tokens, t.LogProbs = append(t.Tokens, s.End), append(t.LogProbs, s.EndLogProb)
		}
		texts[i] = t
	}
	if number != nil && w.Old != nil && (!w.Batch.Exact() || w.TopK > 0) {
		if err := w.rescore(texts); err != nil {
			return nil, err
		}
	}
	return texts, w.judge(ctx, texts)
}

// rescore gives texts the log-probabilities of the program that trains.
func (w *Writer) rescore(texts []Text) error {
	logProbs, err := w.Old.Of(Scored(texts))
	if err != nil {
		return err
	}
	for i := range texts {
		texts[i].LogProbs = logProbs[i]
	}
	return nil
}

// Scored are texts as LogProbs takes them.
func Scored(texts []Text) []generate.Scored {
	scored := make([]generate.Scored, len(texts))
	for i, t := range texts {
		scored[i] = generate.Scored{Text: t.Tokens, First: t.First, Kept: t.Kept}
	}
	return scored
}

// judge gives texts their rewards.
func (w *Writer) judge(ctx context.Context, texts []Text) error {
	errs := make([]error, len(texts))
	var all sync.WaitGroup
	room := make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	for i := range texts {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			t := &texts[i]
			t.Reward = -w.penalty(t)
			if w.Reward == nil {
				return
			}
			value, err := w.Reward(ctx, reward.Sample{Prompt: t.Prompt.Text, Completion: t.Answer, Record: t.Prompt.Record})
			if err == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
				err = fmt.Errorf("the reward is %g", value)
			}
			if err != nil {
				errs[i] = fmt.Errorf("the answer %.60q to %s: %w", t.Answer, t.Prompt.Origin, err)
			}
			t.Reward = value + t.Reward
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for _, j := range w.Judges {
		if err := j.add(texts); err != nil {
			return err
		}
	}
	return nil
}

// penalty is what a long answer loses: from Overlong tokens before the most on it rises from 0
// to 1 (Yu et al. 2025, equation 13), and one that has not ended loses Unended.
func (w *Writer) penalty(t *Text) float64 {
	lost := 0.0
	if w.Overlong > 0 {
		lost = math.Max(0, float64(t.Written()-(w.MaxTokens-w.Overlong))/float64(w.Overlong))
	}
	if !t.Ended {
		lost += w.Unended
	}
	return lost
}

// errNegative names what makes an estimate of a KL divergence negative.
var errNegative = errors.New("the estimate of the KL divergence is negative: the texts are not drawn from the distribution whose log-probabilities the policy is given, " +
	"as when a sampler leaves tokens out, divides logits by another temperature, or the parameters have changed since")
