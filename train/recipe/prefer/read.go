package prefer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/prefer"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// read encodes the preferences of a configuration, trained on and held out, which is nil
// where nothing is.
func read(ctx context.Context, c config.Config, d *Data, kind string, want prefer.Want, enc *instruct.Encoder) (train, held *prefer.Set, err error) {
	paths, heldPaths, err := d.Files()
	if err != nil {
		return nil, nil, err
	}
	build := func(paths []string, side func(prefer.Sample) bool) (*prefer.Set, error) {
		skipped := &prefer.Skipped{}
		samples := prefer.Pairs(instruct.Records(paths, d.Encoding), skipped)
		if kind == prefer.Judged {
			samples = prefer.Judgements(instruct.Records(paths, d.Encoding), skipped)
		}
		return prefer.Build(ctx, d.Instruct, enc, c.Length(), want, only(samples, side), skipped)
	}
	heldOut := func(s prefer.Sample) bool { return promptHash(s) < d.Validation }
	if train, err = build(paths, func(s prefer.Sample) bool { return !heldOut(s) }); err != nil {
		return nil, nil, err
	}
	switch {
	case len(heldPaths) > 0:
		held, err = build(heldPaths, func(prefer.Sample) bool { return true })
	case d.Validation > 0:
		held, err = build(paths, heldOut)
		if errors.Is(err, prefer.ErrNone) {
			err = config.Faultf("data.validation %g holds none of the preferences out, which go by their prompts: give more of them, or name data.validation_paths", d.Validation)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("held-out preferences: %w", err)
	}
	return train, held, nil
}

// only yields the samples that side takes.
func only(samples iter.Seq2[prefer.Sample, error], side func(prefer.Sample) bool) iter.Seq2[prefer.Sample, error] {
	return func(yield func(prefer.Sample, error) bool) {
		for s, err := range samples {
			if (err != nil || side(s)) && !yield(s, err) {
				return
			}
		}
	}
}

// promptHash is a number in [0, 1) of what stands before the answers, so that all answers
// to it are on one side.
func promptHash(s prefer.Sample) float64 {
	h := xxh3.New()
	for i, m := range s.First.Messages {
		if m.Role == chat.Assistant && !s.First.Masked[i] {
			break
		}
		h.WriteString(m.Role)
		h.Write([]byte{0})
		m.Texts(func(text string) {
			h.WriteString(text)
			h.Write([]byte{0})
		})
	}
	return float64(h.Sum64()>>11) / (1 << 53)
}

// tell says what the data are, and what of them is not learnt.
func tell(env recipe.Env, train, held *prefer.Set, loader *prefer.Loader) {
	s := train.Stats()
	env.Telling("preferences", "%d, %d tokens, %d of them answers; %d sequences truncated, %d preferences dropped; rows full to %.1f%%",
		s.Samples, s.Tokens, s.Counted, s.Truncated, s.Dropped, 100*loader.Density())
	skipped, unread := s.Skipped, s.Unread
	if held != nil {
		h := held.Stats()
		unread = instruct.MergeUnread(unread, h.Unread)
		env.Telling("held out", "%d preferences, %d dropped", h.Samples, h.Dropped)
	}
	if skipped != (prefer.Skipped{}) {
		env.Telling("left out", "%d records whose answers are equal; %d with an empty answer", skipped.Same, skipped.Empty)
	}
	if len(unread) > 0 {
		env.Telling("not read", "%s", instruct.ListUnread(unread))
	}
}
