package talk

import (
	"context"
	"fmt"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn/generate"
)

// Author writes for bootstrap.Run with a model, many texts at once. An answer depends on its
// prompt and seed alone.
type Author struct {
	Batch  *generate.Batch
	Tokens data.Tokenizer
	// Frame is how messages become tokens; nil for a model without a chat template, which
	// continues them as texts that begin as Plain says.
	Frame    *Frame
	Plain    tokenizers.Prompts
	Ends     []int32 // tokens that end a text
	Sampling generate.Sampling
	Model    bootstrap.About // without Sampling
}

// About names the model and how it is sampled.
func (a *Author) About() bootstrap.About {
	about, s := a.Model, a.Sampling
	about.Sampling = fmt.Sprintf("temperature %g, top-k %d, top-p %g, min-p %g, repetition penalty %g, chat %t", s.Temperature, s.TopK, s.TopP, s.MinP, s.RepetitionPenalty, a.Frame != nil)
	return about
}

// Answer answers prompts. One that leaves no room in the context is a fault of its answer.
func (a *Author) Answer(ctx context.Context, prompts []bootstrap.Prompt, done func(int, bootstrap.Answer) error) error {
	var requests []generate.Request
	var of []int // the prompt of a request
	for i, p := range prompts {
		tokens, stop, err := a.encode(p)
		if err != nil {
			return err
		}
		if len(tokens) >= a.Batch.Context() {
			fault := fmt.Sprintf("the prompt has %d tokens, the context %d", len(tokens), a.Batch.Context())
			if err := done(i, bootstrap.Answer{Fault: fault}); err != nil {
				return err
			}
			continue
		}
		sampling := a.Sampling
		sampling.Seed = p.Seed
		requests = append(requests, generate.Request{Prompt: tokens, Options: generate.Options{Sampling: sampling, MaxTokens: p.MaxTokens, Stop: stop}})
		of = append(of, i)
	}
	_, err := a.Batch.Generate(ctx, requests, func(s *generate.Sample) error {
		i := of[s.Request]
		text, ended := a.Tokens.AppendDecode(nil, s.Tokens), s.Reason == generate.Stopped
		if stops := prompts[i].Stop; len(stops) > 0 {
			before, stopped := generate.NewStops(stops).Next(text)
			if stopped {
				text, ended = before, true
			}
		}
		return done(i, bootstrap.Answer{Text: strings.ToValidUTF8(string(text), "\uFFFD"), Ended: ended})
	})
	return err
}

// encode is a prompt in tokens, and the tokens that end its answer.
func (a *Author) encode(p bootstrap.Prompt) (tokens, stop []int32, err error) {
	switch {
	case p.Form == bootstrap.Rendered:
		tokens = a.Tokens.AppendEncodeSpecial(nil, []byte(p.Text))
	case a.Frame != nil:
		var said []int32
		tokens, said, err = a.Frame.Pair(p.Begin, chat.Message{Role: chat.User, Content: p.Text})
		tokens = append(tokens, said...)
	default:
		tokens, err = a.Plain.Encode(p.Whole())
	}
	if a.Frame != nil {
		return tokens, a.Frame.Stop(), err
	}
	return tokens, a.Ends, err
}
