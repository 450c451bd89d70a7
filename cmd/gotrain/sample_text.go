package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/units"
)

// sampler continues a prompt once or more.
type sampler struct {
	flags      *sampleFlags
	model      *opened
	generator  *generate.Generator
	text       string
	prompt     []int32 // the tokens of text
	out, notes io.Writer
}

// sampleResult is what --json prints: of one text its Continuation, of more their list.
type sampleResult struct {
	Model        string `json:"model"`
	Prompt       string `json:"prompt"`
	PromptTokens int    `json:"prompt_tokens"`
	*Continuation
	Samples []Continuation `json:"samples,omitempty"`
}

// Continuation is how a text goes on.
type Continuation struct {
	Text       string          `json:"text"` // up to a --stop; invalid UTF-8 is replaced
	Tokens     []int32         `json:"tokens"`
	EndedBy    generate.Reason `json:"ended_by"`
	Seed       uint64          `json:"seed"`
	TokensPerS float64         `json:"tokens_per_s"`             // the prompt's time included
	FirstMS    float64         `json:"first_token_ms,omitempty"` // from the prompt to the first token; none with --batch
	byStop     bool            // a --stop ended it
}

func (s *sampler) run(ctx context.Context) error {
	r := sampleResult{Model: s.model.Dir, Prompt: s.text, PromptTokens: len(s.prompt)}
	for i := range s.flags.count {
		if i > 0 && !s.flags.json {
			fmt.Fprintln(s.out, "---------------")
		}
		one, err := s.continueText(ctx, s.flags.sampling.Seed+uint64(i))
		if err != nil {
			return err
		}
		if r.Samples = append(r.Samples, one); !s.flags.json {
			fmt.Fprintf(s.notes, "%d tokens, %s tokens/s, ended by %s\n", len(one.Tokens), units.Count(int64(one.TokensPerS)), one.reason())
		}
	}
	return s.write(r)
}

// write prints the result under --json.
func (s *sampler) write(r sampleResult) error {
	if !s.flags.json {
		return nil
	}
	if len(r.Samples) == 1 {
		r.Continuation, r.Samples = &r.Samples[0], nil
	}
	return writeJSON(s.out, r)
}

// reason says what ended a text.
func (c Continuation) reason() string {
	if c.byStop {
		return "--stop"
	}
	return reasonText(c.EndedBy)
}

// decode returns the text of tokens that continue the prompt.
func (s *sampler) decode(tokens []int32) []byte { return s.model.Tokenizer.AppendDecode(nil, tokens) }

// continueText continues the prompt and, without --json, prints the text as it comes.
func (s *sampler) continueText(ctx context.Context, seed uint64) (Continuation, error) {
	sampling := s.flags.sampling
	sampling.Seed = seed
	stops, byStop := generate.NewStops(s.flags.stop), false
	last := s.text
	show := func(piece []byte) error {
		if s.flags.json || len(piece) == 0 {
			return nil
		}
		last = string(piece)
		_, err := s.out.Write(piece)
		return err
	}
	if !s.flags.json {
		if _, err := io.WriteString(s.out, s.text); err != nil {
			return Continuation{}, err
		}
	}
	start, first := time.Now(), time.Duration(0)
	options := generate.Options{Sampling: sampling, MaxTokens: s.flags.maxTokens, Stop: s.model.EndTokens(), Slide: s.flags.maxTokens > 0, Reuse: true}
	result, err := s.generator.Generate(ctx, s.prompt, options, func(token int32) error {
		if first == 0 {
			first = time.Since(start)
		}
		var piece []byte
		piece, byStop = stops.Next(s.model.Tokenizer.TokenBytes(token))
		if err := show(piece); err != nil || !byStop {
			return err
		}
		return generate.ErrStop
	})
	seconds := time.Since(start).Seconds()
	if showErr := show(stops.Rest()); err == nil {
		err = showErr
	}
	if !s.flags.json && !strings.HasSuffix(last, "\n") {
		fmt.Fprintln(s.out)
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	text := s.decode(result.Tokens)
	if byStop {
		text, _ = generate.NewStops(s.flags.stop).Next(text)
	}
	return Continuation{Text: string(text), Tokens: result.Tokens, EndedBy: result.Reason, Seed: seed,
		TokensPerS: float64(len(result.Tokens)) / max(seconds, 1e-9), FirstMS: 1e3 * first.Seconds(), byStop: byStop}, err
}
