package eval

import (
	"fmt"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
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
	prompt, ids, overflow, err := s.subject.encode(q.Prompt, q.Completion)
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
func (s Subject) encode(prompt, completion string) (promptIDs, completionIDs []int32, overflow int, err error) {
	if promptIDs, completionIDs, err = s.Prompts.Pair(prompt, completion); err != nil {
		return nil, nil, 0, err
	}
	promptIDs, overflow, err = s.fit(promptIDs, completionIDs, completion)
	return promptIDs, completionIDs, overflow, err
}

// fit leaves out the first overflow tokens of a prompt, so that the completion fits behind it;
// the last token of that is predicted only.
func (s Subject) fit(prompt, ids []int32, completion string) (fits []int32, overflow int, err error) {
	context := s.Model.Context()
	switch {
	case len(ids) == 0:
		return nil, 0, fmt.Errorf("the completion %q has no token", completion)
	case len(ids) > context:
		return nil, 0, fmt.Errorf("a completion of %d tokens does not fit the context of %d", len(ids), context)
	}
	if overflow = max(0, len(prompt)+len(ids)-(context+1)); overflow >= len(prompt) {
		overflow = 0 // an empty prompt
	}
	return prompt[overflow:], overflow, nil
}

// greedy tells whether ids are the most likely tokens after prompt one by one.
func (s *Scorer) greedy(prompt, ids []int32) (bool, error) {
	s.generator.Truncate(0)
	if err := s.generator.Append(prompt...); err != nil {
		return false, err
	}
	for i, id := range ids {
		if generate.Likeliest(s.generator.Logits()) != id {
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
