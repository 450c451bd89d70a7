package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gotrain/data/chat"
	"gotrain/nn/generate"
	"gotrain/nn/talk"
)

// Language is a Subject that answers the questions of a task: a Model. The choices of a
// question share its prompt, so that is read once.
type Language struct {
	*Scorer
	frame  *talk.Frame // nil for prompts that are plain text
	prompt []int32     // that the generator holds
	first  []float32   // log-probabilities of the token after it
}

var _ Model = (*Language)(nil)

// NewLanguage returns the Model of a subject. With a frame, for models that were
// fine-tuned on conversations, the prompt is what a user says and the answer the turn
// after it.
func NewLanguage(s Subject, frame *talk.Frame) (*Language, error) {
	scorer, err := NewScorer(s)
	return &Language{Scorer: scorer, frame: frame}, err
}

// UserSays is the conversation that a question opens.
func UserSays(prompt string) []chat.Message {
	return []chat.Message{{Role: chat.User, Content: prompt}}
}

// encode returns the tokens of a prompt and a completion.
func (l *Language) encode(prompt, completion string) (promptIDs, completionIDs []int32, err error) {
	if l.frame == nil {
		promptIDs, completionIDs, _, err = l.Scorer.encode(prompt, completion)
		return promptIDs, completionIDs, err
	}
	if promptIDs, completionIDs, err = l.frame.Pair(completion, UserSays(prompt)...); err == nil && len(completionIDs) == 0 {
		err = fmt.Errorf("the completion %q has no token", completion)
	}
	return lastOf(promptIDs, l.generator.Context()+1-len(completionIDs)), completionIDs, err
}

// lastOf returns the last n ids, at least one.
func lastOf(ids []int32, n int) []int32 {
	return ids[max(0, len(ids)-max(1, n)):]
}

// LogLikelihood scores a completion. A prompt that is too long loses its
// beginning.
func (l *Language) LogLikelihood(prompt, completion string) (float64, int, error) {
	ids, completionIDs, err := l.encode(prompt, completion)
	if err != nil {
		return 0, 0, err
	}
	g := l.generator
	if !slices.Equal(ids, l.prompt) {
		g.Truncate(0)
		l.prompt = nil
		if err := g.Append(ids...); err != nil {
			return 0, 0, err
		}
		l.prompt, l.first = ids, append(l.first[:0], g.Logits()...)
		logSoftmax(l.first)
	}
	g.Truncate(len(ids))
	sum := float64(l.first[completionIDs[0]])
	var logs []float32
	for i, id := range completionIDs[1:] {
		if err := g.Append(completionIDs[i]); err != nil {
			return 0, 0, err
		}
		logs = append(logs[:0], g.Logits()...)
		logSoftmax(logs)
		sum += float64(logs[id])
	}
	return sum, len(completionIDs), nil
}

// logSoftmax replaces logits by log-probabilities.
func logSoftmax(logits []float32) {
	most := float64(slices.Max(logits))
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	norm := most + math.Log(sum)
	for i, x := range logits {
		logits[i] = float32(float64(x) - norm)
	}
}

// Generate continues prompt greedily. A prompt that is too long loses its
// beginning.
func (l *Language) Generate(ctx context.Context, prompt, stop string, maxTokens int) (string, error) {
	tokens, ends := l.subject.Tokens, l.subject.Ends
	var ids []int32
	var err error
	if l.frame == nil {
		if ids, err = l.subject.Prompts.Encode(prompt); err != nil {
			return "", err
		}
	} else {
		if ids, err = l.frame.Prompt(UserSays(prompt)...); err != nil {
			return "", err
		}
		ends = l.frame.Stop()
	}
	ids = lastOf(ids, l.generator.Context()-maxTokens)
	var text []byte
	l.prompt = nil
	_, err = l.generator.Generate(ctx, ids, generate.Options{MaxTokens: maxTokens, Stop: ends, Reuse: true}, func(token int32) error {
		text = append(text, tokens.TokenBytes(token)...)
		if stop != "" && strings.Contains(string(text), stop) {
			return generate.ErrStop
		}
		return nil
	})
	return string(text), err
}
