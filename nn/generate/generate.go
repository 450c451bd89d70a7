package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Options say how a text goes on and where it ends.
type Options struct {
	Sampling
	// MaxTokens limits the new tokens; 0 goes on to the end of the context.
	MaxTokens int
	// Stop holds the tokens that end the text; they are not part of it.
	Stop []int32
	// Slide goes on beyond the context: of a prompt that is too long, the newest tokens
	// are read; and when the context is full, the newest half of it is read anew, at
	// the first positions, and the text goes on from there. It needs MaxTokens.
	Slide bool
	// Reuse keeps the caches of the tokens that prompt shares with the text
	// so far, as in a conversation. The parameters must not have changed.
	Reuse bool
}

// Reason tells why a text ended.
type Reason string

const (
	Stopped Reason = "stop"    // a stop token, or ErrStop from emit
	Length  Reason = "length"  // MaxTokens
	Full    Reason = "context" // the end of the context
)

// ErrStop, returned by emit, ends a text without an error.
var ErrStop = errors.New("stop")

// Result is the continuation of a prompt.
type Result struct {
	Tokens []int32 // without the stop token
	Reason Reason
	// Reused tokens of the prompt were in the caches already.
	Reused int
}

// Generate continues prompt, which has at least one token and, without Slide, at most
// as many as the context, and calls emit, unless it is nil, with each new token. When ctx ends
// or emit fails it returns what it has with the error. A new token costs no
// allocation, but for one that begins a new window of Slide.
func (g *Generator) Generate(ctx context.Context, prompt []int32, opt Options, emit func(token int32) error) (Result, error) {
	sampler, err := NewSampler(opt.Sampling, g.vocab)
	if err != nil {
		return Result{}, fmt.Errorf("generate: %w", err)
	}
	if opt.MaxTokens < 0 {
		return Result{}, fmt.Errorf("generate: at most %d tokens make no text: 0 goes on to the end of the context", opt.MaxTokens)
	}
	if len(prompt) == 0 {
		return Result{}, errEmptyPrompt
	}
	if opt.Slide && opt.MaxTokens == 0 {
		return Result{}, errors.New("generate: a text that goes on beyond the context ends nowhere: set MaxTokens")
	}
	text := prompt // read so far and made
	if opt.Slide && len(prompt) > g.context {
		prompt = prompt[len(prompt)-g.context:]
	}
	if len(prompt) > g.context {
		return Result{}, fmt.Errorf("generate: a prompt of %d tokens does not fit the context of %d, leave out its start: %w", len(prompt), g.context, ErrContext)
	}
	reused := 0
	if opt.Reuse {
		reused = min(CommonPrefix(g.tokens, prompt), len(prompt)-1) // the last gives the logits
	}
	g.Truncate(reused)
	if err := g.Append(prompt[reused:]...); err != nil {
		return Result{}, err
	}
	limit := g.context - len(prompt) + 1 // the last token need not enter the caches
	reason := Full
	if opt.MaxTokens > 0 && (opt.Slide || opt.MaxTokens <= limit) {
		limit, reason = opt.MaxTokens, Length
	}
	text = append(make([]int32, 0, len(text)+min(limit, g.context)), text...)
	result := Result{Reason: reason, Reused: reused}
	begin := len(text)
	for err == nil && len(text)-begin < limit {
		if len(text) > begin {
			if err = g.extend(text, opt.Slide); err != nil {
				break
			}
		}
		if err = ctx.Err(); err != nil {
			break
		}
		var token int32
		if token, err = sampler.Next(g.logits, text); err != nil {
			err = fmt.Errorf("generate: after %d tokens: %w", len(text), err)
			break
		}
		if slices.Contains(opt.Stop, token) {
			result.Reason = Stopped
			break
		}
		text = append(text, token)
		if emit == nil {
			continue
		}
		if err = emit(token); errors.Is(err, ErrStop) {
			result.Reason, err = Stopped, nil
			break
		}
	}
	result.Tokens = text[begin:]
	return result, err
}

// extend reads the last token of text, whose others were read; where the context is
// full and may slide, the newest half of the context instead, from the first position.
func (g *Generator) extend(text []int32, slide bool) error {
	if slide && len(g.tokens) == g.context {
		g.Truncate(0)
		return g.Append(text[len(text)-max(1, g.context/2):]...)
	}
	return g.Append(text[len(text)-1])
}

// Resume makes tokens the text so far, keeping the caches of what it shares with
// the text before. The parameters must not have changed.
func (g *Generator) Resume(tokens []int32) error {
	n := CommonPrefix(g.tokens, tokens)
	g.Truncate(n)
	return g.Append(tokens[n:]...)
}

// CommonPrefix is the number of tokens that a and b begin with alike.
func CommonPrefix(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
