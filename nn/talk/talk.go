// Package talk holds conversations with a language model.
//
// A [Frame] turns messages into tokens by a chat template and knows where an answer
// ends; [OpenTemplate] finds the template of a model or a shipped one. A [Speaker]
// answers any list of messages, which is what a server wants. A [Conversation] keeps
// the messages of one user: while they type, the tokens that every first question
// follows enter the caches of the generator.
//
// Answers come in pieces as they are made. A conversation that no longer fits the
// context loses its oldest turns; a message that does not fit alone is an error, after
// which the conversation is as before. Speakers and conversations use their Generator
// alone, from one goroutine.
package talk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/nn/generate"
)

// Speaker answers messages with a model.
type Speaker struct {
	Generator *generate.Generator
	Tokens    data.Tokenizer
	Frame     *Frame
	Sampling  generate.Sampling
	MaxTokens int // of an answer; 0: what the context holds
	// Forgotten, unless nil, is called when the oldest question and its answer leave the
	// messages, which no longer fit the context.
	Forgotten func()
}

// Answer is what the model says.
type Answer struct {
	Text       string          `json:"assistant"` // without white space around it; invalid UTF-8 stays
	EndedBy    generate.Reason `json:"ended_by"`
	Tokens     int             `json:"tokens"`
	FirstMS    float64         `json:"first_token_ms"`
	TokensPerS float64         `json:"tokens_per_s"` // behind the first
}

// Answer answers messages, the last of which is the user's, and calls emit with each
// piece. Tokens that the caches hold already cost nothing. When ctx ends it returns what
// it has with context.Canceled.
func (s *Speaker) Answer(ctx context.Context, messages []chat.Message, emit func(piece []byte) error) (Answer, error) {
	start := time.Now()
	prompt, _, err := s.fit(messages)
	if err != nil {
		return Answer{}, err
	}
	return s.generate(ctx, start, prompt, emit)
}

func (s *Speaker) generate(ctx context.Context, start time.Time, prompt []int32, emit func(piece []byte) error) (Answer, error) {
	var text []byte
	var first time.Duration
	options := generate.Options{Sampling: s.Sampling, MaxTokens: s.MaxTokens, Stop: s.Frame.stop, Reuse: true}
	result, err := s.Generator.Generate(ctx, prompt, options, func(token int32) error {
		if first == 0 {
			first = time.Since(start)
		}
		piece := s.Tokens.TokenBytes(token)
		text = append(text, piece...)
		if emit == nil {
			return nil
		}
		return emit(piece)
	})
	seconds := (time.Since(start) - first).Seconds()
	return Answer{Text: strings.TrimSpace(string(text)), EndedBy: result.Reason, Tokens: len(result.Tokens),
		FirstMS: 1e3 * first.Seconds(), TokensPerS: float64(max(0, len(result.Tokens)-1)) / max(seconds, 1e-9)}, err
}

// fit returns the tokens of the messages that leave room for an answer, and those
// messages: what the system says first, and the newest of the others.
func (s *Speaker) fit(messages []chat.Message) ([]int32, []chat.Message, error) {
	context := s.Generator.Context()
	room := context - min(max(s.MaxTokens, 32), context/2)
	first := 0
	if systemOf(messages) != "" {
		first = 1
	}
	messages = slices.Clone(messages)
	for {
		ids, err := s.Frame.Prompt(messages...)
		if err != nil || len(ids) <= room {
			return ids, messages, err
		}
		if len(messages)-first < 3 {
			return nil, nil, fmt.Errorf("the message has %d tokens with its frame, the model's context leaves %d; say less", len(ids), room)
		}
		messages = slices.Delete(messages, first, first+2)
		if s.Forgotten != nil {
			s.Forgotten()
		}
	}
}

// systemOf is what the system says first, "" for nothing.
func systemOf(messages []chat.Message) string {
	if len(messages) > 0 && messages[0].Role == chat.System {
		return messages[0].Content
	}
	return ""
}
