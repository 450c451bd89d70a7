package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/data/denoise"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
)

// PairSubject is a model of pairs that is ready to run, and how it reads them.
type PairSubject struct {
	Model   nn.PairModel
	Store   *exec.Store // holds the parameters
	Encoder pairs.Encoder
	Ends    []int32  // tokens that end a text
	Compute ir.DType // of matrix products
}

// Translated is what a model makes of a source.
type Translated struct {
	Text    string          `json:"text"`
	Tokens  []int32         `json:"tokens"`
	Score   float64         `json:"score"` // log-likelihood in nats by the length penalty
	EndedBy generate.Reason `json:"ended_by"`
}

// sourceStep is what lengths of sources are rounded up to a multiple of.
const sourceStep = 16

// Translate translates the tokens of sources, batch of them at a time, those of like length
// together. A result is the same whatever is translated beside it; that of a source with
// sentinels is its text with the spans in their places. Of opt, Stop is that of s; MaxTokens 0
// goes up to the model's context.
func (s PairSubject) Translate(ctx context.Context, sources [][]int32, batch int, opt generate.BeamOptions, each func(i int, t Translated) error) error {
	longest := 1
	for i, source := range sources {
		if len(source) > s.Model.Context() {
			return fmt.Errorf("text %d has %d tokens, and the model reads %d at most: cut it into sentences", i+1, len(source), s.Model.Context())
		}
		longest = max(longest, len(source))
	}
	order := make([]int, len(sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(sources[a]) - len(sources[b]) })
	opt.Stop = s.Ends
	tr, err := generate.NewTranslator(s.Model, s.Store, generate.TranslatorConfig{
		Config: generate.Config{Compute: s.Compute}, Batch: min(batch, max(1, len(sources))), Beams: max(1, opt.Beams),
		Source: min(s.Model.Context(), (longest+sourceStep-1)/sourceStep*sourceStep), MaxTokens: opt.MaxTokens,
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(order, tr.Config().Batch) {
		together := make([][]int32, len(part))
		for i, at := range part {
			together[i] = sources[at]
		}
		out, err := tr.Translate(ctx, together, s.Encoder.Start, opt)
		if err != nil {
			return err
		}
		for i, at := range part {
			text, filled := denoise.Fill(s.Encoder.Tokens, sources[at], out[i].Tokens)
			if !filled {
				text = s.Encoder.Text(out[i].Tokens)
			}
			if err := each(at, Translated{text, out[i].Tokens, out[i].Score, out[i].Reason}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Pairs scores the targets of a set given their sources, batch rows at a time, as training
// scores held-out pairs.
func (s PairSubject) Pairs(set *pairs.Set, batch int) (TextScore, error) {
	longest := 1
	for i := range set.Len() {
		longest = max(longest, len(set.Example(i).Source), len(set.Example(i).Target))
	}
	length := min(s.Model.Context(), (max(longest, 64)+sourceStep-1)/sourceStep*sourceStep)
	source, err := pairs.NewEval(set, data.Sequences{Rows: data.Rows{Batch: batch}, Context: length, VocabSize: s.Model.Vocab()}, true, s.Encoder)
	if err != nil {
		return TextScore{}, err
	}
	session, err := s.session(nn.Rows{Batch: batch, Length: length, Segments: true})
	if err != nil {
		return TextScore{}, err
	}
	b := source.NewBatch()
	nlls := make([]float32, batch*length)
	start, sum, result := time.Now(), 0.0, TextScore{}
	for at := uint64(0); ; at += source.Stride() {
		if err := source.Fill(b, at); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return result, err
		}
		for name, values := range b.Ints {
			if in, ok := session.Input(name); ok {
				if err := in.SetInts(values); err != nil {
					return result, err
				}
			}
		}
		if err := session.Run(); err != nil {
			return result, err
		}
		if err := session.Output(0, nlls); err != nil {
			return result, err
		}
		for _, x := range nlls {
			sum += float64(x)
		}
		result.Tokens, result.Bytes = result.Tokens+int(b.Weight), result.Bytes+b.TextBytes
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return result, ErrNotFinite
	}
	result.NLL = sum / float64(max(result.Tokens, 1))
	result.PPL, result.Documents = math.Exp(result.NLL), int64(set.Len())
	result.TokensPerS = float64(result.Tokens) / max(time.Since(start).Seconds(), 1e-9)
	if result.Bytes > 0 {
		bits := sum / math.Ln2 / float64(result.Bytes)
		result.BitsPerByte = &bits
	}
	return result, nil
}

// session gives the NLL of each target of rows.
func (s PairSubject) session(rows nn.Rows) (*exec.Session, error) {
	g := autograd.NewGraph()
	_, nll := nn.PairEvaluation(g, s.Model, rows)
	p, err := g.Lower("pairs", nll)
	if err != nil {
		return nil, err
	}
	built, err := plan.Build(p, plan.Options{Compute: s.Compute, Target: s.Store.Backend().Target()})
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(s.Store.Backend(), built.Arena)
	if err != nil {
		return nil, err
	}
	session, err := exec.NewSession(built, s.Store, arena)
	if err != nil {
		return nil, err
	}
	return session, session.SetFloats("loss_weight", []float32{1})
}

// PairScorer scores completions as the targets of prompts, without the token that ends a
// text, as lm-evaluation-harness does. Special tokens are found in both. It belongs to one
// goroutine.
type PairScorer struct {
	subject PairSubject
	scorer  *generate.PairScorer
}

// source is a prompt as the encoder reads it. One too long for the context loses its first
// overflow tokens.
func (s PairSubject) source(prompt string) (ids []int32, overflow int) {
	ids = s.Encoder.Prompt(prompt)
	overflow = max(0, len(ids)-s.Model.Context())
	return ids[overflow:], overflow
}

// NewPairScorer returns a scorer.
func NewPairScorer(s PairSubject) (*PairScorer, error) {
	scorer, err := generate.NewPairScorer(s.Model, s.Store, generate.Config{Compute: s.Compute})
	return &PairScorer{s, scorer}, err
}

// Score scores the completion of a question. A prompt too long for the context loses its
// beginning; a completion must fit whole.
func (p *PairScorer) Score(q Question) (Likelihood, error) {
	l := Likelihood{Line: q.Line}
	var source []int32
	source, l.Overflow = p.subject.source(q.Prompt)
	target := p.subject.Encoder.Tokens.AppendEncodeSpecial(nil, []byte(q.Completion))
	if l.Tokens = len(target); l.Tokens == 0 {
		return l, fmt.Errorf("the completion %q has no token", q.Completion)
	}
	logs, greedy, err := p.scorer.Score(source, p.subject.Encoder.Start, target)
	if err != nil {
		return l, err
	}
	l.Greedy, l.TokenLogprobs = greedy, append([]float32(nil), logs...)
	for _, x := range logs {
		l.LogLikelihood += float64(x)
	}
	l.PerToken, l.PerByte = l.LogLikelihood/float64(len(target)), l.LogLikelihood/float64(len(q.Completion))
	return l, nil
}

// PairAnswers is a PairSubject that answers the questions of a task: a Model. The prompt is
// the source, and a completion or an answer the target.
type PairAnswers struct{ scorer *PairScorer }

// NewPairAnswers returns the Model of a subject.
func NewPairAnswers(s PairSubject) (*PairAnswers, error) {
	scorer, err := NewPairScorer(s)
	return &PairAnswers{scorer}, err
}

// Score scores the completions of queries; see Model.
func (a *PairAnswers) Score(ctx context.Context, queries []Query, each func(i int, scores []Completion) error) error {
	for i, q := range queries {
		if err := ctx.Err(); err != nil {
			return err
		}
		scores := make([]Completion, len(q.Completions))
		for c, completion := range q.Completions {
			l, err := a.scorer.Score(Question{Prompt: q.Prompt, Completion: strings.TrimSpace(completion)})
			if err != nil {
				return fmt.Errorf("%s: %w", q.Source, err)
			}
			scores[c] = Completion{l.LogLikelihood, l.Greedy, l.Overflow}
		}
		if err := each(i, scores); err != nil {
			return err
		}
	}
	return nil
}

// Generate writes the target of prompt greedily, up to one of stops. A prompt that is too long
// loses its beginning.
func (a *PairAnswers) Generate(ctx context.Context, prompt string, stops []string, maxTokens int) (answer string, overflow int, err error) {
	s := a.scorer.subject
	source, overflow := s.source(prompt)
	err = s.Translate(ctx, [][]int32{source}, 1, generate.BeamOptions{MaxTokens: min(maxTokens, s.Model.Context())}, func(_ int, t Translated) error {
		answer = t.Text
		return nil
	})
	for _, stop := range stops {
		answer, _, _ = strings.Cut(answer, stop)
	}
	return answer, overflow, err
}

var _ Model = (*PairAnswers)(nil)
