package eval

import (
	"fmt"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/data"
	"gotrain/data/tokenizers"
	"gotrain/nn"
	"gotrain/nn/generate"
)

// Subject is a language model that is ready to run, and how it reads texts.
type Subject struct {
	Model   nn.LanguageModel
	Store   *exec.Store // holds the parameters
	Tokens  data.Tokenizer
	Prompts tokenizers.Prompts // how prompts become tokens
	Ends    []int32            // tokens that end a text
	Compute ir.DType           // of matrix products
}

// Scorer scores completions with a Subject. It belongs to one goroutine, and uses the
// Subject's store alone.
type Scorer struct {
	subject   Subject
	scorer    *generate.Scorer
	generator *generate.Generator
}

// NewScorer returns a scorer, which takes the memory of key/value caches.
func NewScorer(s Subject) (*Scorer, error) {
	cfg := generate.Config{Compute: s.Compute}
	scorer, err := generate.NewScorer(s.Model, s.Store, cfg)
	if err != nil {
		return nil, err
	}
	g, err := generate.New(s.Model, s.Store, cfg)
	return &Scorer{s, scorer, g}, err
}

// Likelihood is the score of a completion.
type Likelihood struct {
	Line          int     `json:"line"`
	LogLikelihood float64 `json:"log_likelihood"` // nats, of the whole completion
	PerToken      float64 `json:"per_token"`
	PerByte       float64 `json:"per_byte"`
	Tokens        int     `json:"tokens"`
	Greedy        bool    `json:"greedy"` // greedy decoding gives this completion
	// TokenLogprobs are the log-likelihoods of the completion's tokens, nats.
	TokenLogprobs []float32 `json:"token_logprobs"`
	// Overflow is how many tokens of the prompt did not fit the context.
	Overflow int `json:"-"`
}

// Score scores the completion of a question, whose tokens are those of
// tokenizers.Prompts.Pair. A prompt too long for the context loses its beginning; a
// completion must fit whole.
func (s *Scorer) Score(q Question) (Likelihood, error) {
	prompt, ids, overflow, err := s.encode(q.Prompt, q.Completion)
	l := Likelihood{Line: q.Line, Tokens: len(ids), Overflow: overflow}
	if err != nil {
		return l, err
	}
	logs, err := s.scorer.Score(prompt, ids)
	if err != nil {
		return l, err
	}
	l.TokenLogprobs = append([]float32(nil), logs...)
	for _, x := range logs {
		l.LogLikelihood += float64(x)
	}
	l.PerToken, l.PerByte = l.LogLikelihood/float64(len(ids)), l.LogLikelihood/float64(len(q.Completion))
	l.Greedy, err = s.greedy(prompt, ids)
	return l, err
}

// encode returns the tokens of both texts. A prompt that is too long loses its first
// overflow tokens.
func (s *Scorer) encode(prompt, completion string) (promptIDs, completionIDs []int32, overflow int, err error) {
	if promptIDs, completionIDs, err = s.subject.Prompts.Pair(prompt, completion); err != nil {
		return nil, nil, 0, err
	}
	if len(completionIDs) == 0 {
		return nil, nil, 0, fmt.Errorf("the completion %q has no token", completion)
	}
	if over := len(promptIDs) + len(completionIDs) - (s.generator.Context() + 1); over > 0 && over < len(promptIDs) {
		return promptIDs[over:], completionIDs, over, nil
	}
	return promptIDs, completionIDs, 0, nil
}

// greedy tells whether ids are the most likely tokens after prompt one by one.
func (s *Scorer) greedy(prompt, ids []int32) (bool, error) {
	s.generator.Truncate(0)
	if err := s.generator.Append(prompt...); err != nil {
		return false, err
	}
	for i, id := range ids {
		if best(s.generator.Logits()) != id {
			return false, nil
		}
		if i < len(ids)-1 {
			if err := s.generator.Append(id); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// best is the lowest index of the largest logit.
func best(logits []float32) int32 {
	at := 0
	for i, x := range logits {
		if x > logits[at] {
			at = i
		}
	}
	return int32(at)
}
