package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Request is a prompt and how its texts go on.
type Request struct {
	Prompt  []int32
	Samples int  // texts of the prompt; 0 is 1
	First   int  // number of the first of them
	Keep    bool // tell which tokens the Options have left to draw from
	Options      // without Slide and Reuse
}

// Sample is a text that a Batch has written.
type Sample struct {
	Request int // index of the request
	Number  int // of the sample, from Request.First on
	Result
	// LogProbs are those of the tokens, in nats, before Options change the distribution.
	LogProbs []float32
	// Kept are, where the request asks for them, the tokens that each was drawn from, itself
	// first, that of End last.
	Kept [][]int32
	// End is the stop token of a text that one ended, with its log-probability; -1 for none.
	End        int32
	EndLogProb float32
}

// writing is a slot in use.
type writing struct {
	sample  *Sample
	request *Request
	text    []int32 // the prompt and what was written
	limit   int     // most tokens that are written
	full    Reason  // why the text ends there
	sampler *Sampler
	row     []float32 // copy of logits that a penalty changes
	err     error
}

// Generate writes the texts of all requests and returns them in the order of requests and
// samples; done, unless it is nil, gets each as soon as it ends. A prompt has at least one token
// and at most as many as the context. When ctx ends or done fails, the texts that are not
// finished are returned as far as they have come, with the error.
func (b *Batch) Generate(ctx context.Context, requests []Request, done func(*Sample) error) ([]Sample, error) {
	samples, err := b.samples(requests)
	if err != nil {
		return nil, err
	}
	slots, next := make([]writing, b.cfg.Rows), 0
	var read []int32 // tokens in the prompt's caches
	for {
		running := false
		for i := range slots {
			if slots[i].sample == nil && next < len(samples) {
				s := &samples[next]
				prompt := requests[s.Request].Prompt
				prompt = prompt[:len(prompt)-1] // the last is the first token of the row
				if err := b.prefill.read(prompt, CommonPrefix(read, prompt), b.context); err != nil {
					return samples, err
				}
				read = prompt
				if err := b.begin(&slots[i], i, s, &requests[s.Request]); err != nil {
					return samples, err
				}
				next++
			}
			running = running || slots[i].sample != nil
		}
		if !running {
			return samples, nil
		}
		if err := ctx.Err(); err != nil {
			return samples, err
		}
		if err := b.advance(slots); err != nil {
			return samples, err
		}
		for i := range slots {
			if s := slots[i].sample; s != nil && s.Reason != "" {
				slots[i].sample = nil
				if done == nil {
					continue
				}
				if err := done(s); err != nil {
					return samples, err
				}
			}
		}
	}
}

// samples lists the texts of requests, none of them begun.
func (b *Batch) samples(requests []Request) ([]Sample, error) {
	var all []Sample
	for i := range requests {
		r := &requests[i]
		if err := b.check(r); err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
		for k := range max(1, r.Samples) {
			all = append(all, Sample{Request: i, Number: r.First + k, End: -1})
		}
	}
	return all, nil
}

func (b *Batch) check(r *Request) error {
	switch {
	case len(r.Prompt) == 0:
		return errEmptyPrompt
	case len(r.Prompt) > b.context:
		return fmt.Errorf("generate: a prompt of %d tokens does not fit the context of %d: %w", len(r.Prompt), b.context, ErrContext)
	case r.MaxTokens < 0 || r.Samples < 0 || r.First < 0:
		return fmt.Errorf("generate: at most %d tokens, %d samples from %d: use 0 or more", r.MaxTokens, r.Samples, r.First)
	case r.Keep && r.Temperature == 0:
		return errors.New("generate: the likeliest token is drawn from nothing: set a temperature, or leave Keep out")
	case r.Slide || r.Reuse:
		return errors.New("generate: texts of a batch begin anew and end with the context: leave Slide and Reuse out")
	}
	if err := r.Sampling.Validate(); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return checkTokens(r.Prompt, b.vocab)
}

// begin seats a sample, whose prompt is read.
func (b *Batch) begin(w *writing, slot int, s *Sample, r *Request) error {
	if err := b.seat(slot, len(r.Prompt)-1); err != nil {
		return err
	}
	if w.request == nil || w.request.Sampling != r.Sampling {
		sampler, err := NewSampler(r.Sampling, b.vocab)
		if err != nil {
			return err
		}
		w.sampler = sampler
	}
	w.sampler.record = r.Keep
	w.sampler.restart(stream(r.Prompt, s.Number))
	w.sample, w.request = s, r
	w.limit, w.full = b.context-len(r.Prompt)+1, Full // the last token need not enter the caches
	if r.MaxTokens > 0 && r.MaxTokens <= w.limit {
		w.limit, w.full = r.MaxTokens, Length
	}
	w.text = append(w.text[:0], r.Prompt...)
	return nil
}

// stream numbers the random choices of a sample: FNV-1a of its prompt and number.
func stream(prompt []int32, sample int) uint64 {
	h := uint64(14695981039346656037)
	mix := func(x uint64) {
		for range 8 {
			h = (h ^ x&0xff) * 1099511628211
			x >>= 8
		}
	}
	for _, token := range prompt {
		mix(uint64(uint32(token)))
	}
	mix(uint64(sample))
	return h
}

// advance gives every text its next token. Slots without one repeat token 0 at the first
// position.
func (b *Batch) advance(slots []writing) error {
	for i := range slots {
		b.decode.ids[i], b.decode.positions[i] = 0, 0
		if w := &slots[i]; w.sample != nil {
			b.decode.ids[i], b.decode.positions[i] = w.text[len(w.text)-1], int32(len(w.text)-1)
		}
	}
	if err := b.decode.run(); err != nil {
		return err
	}
	if err := b.decode.session.Output(0, b.logits); err != nil {
		return err
	}
	if err := b.decode.session.Output(1, b.lse); err != nil {
		return err
	}
	var all sync.WaitGroup
	for i := range slots {
		if w := &slots[i]; w.sample != nil {
			all.Go(func() { w.choose(b.logits[i*b.vocab:][:b.vocab], b.lse[i]) })
		}
	}
	all.Wait()
	for i := range slots {
		if w := &slots[i]; w.sample != nil && w.err != nil {
			return fmt.Errorf("generate: sample %d of request %d, after %d tokens: %w", w.sample.Number, w.sample.Request, len(w.text), w.err)
		}
	}
	return nil
}

// choose takes the next token from logits and ends the text where that is due.
func (w *writing) choose(logits []float32, lse float32) {
	s, from := w.sample, logits
	if p := w.request.RepetitionPenalty; p != 0 && p != 1 {
		w.row = append(w.row[:0], logits...)
		from = w.row
	}
	var token int32
	if token, w.err = w.sampler.Next(from, w.text); w.err != nil {
		return
	}
	logProb := logits[token] - lse
	if w.request.Keep {
		s.Kept = append(s.Kept, slices.Clone(w.sampler.kept))
	}
	if slices.Contains(w.request.Stop, token) {
		s.Reason, s.End, s.EndLogProb = Stopped, token, logProb
		return
	}
	w.text = append(w.text, token)
	s.Tokens, s.LogProbs = append(s.Tokens, token), append(s.LogProbs, logProb)
	if len(s.Tokens) == w.limit {
		s.Reason = w.full
	}
}
