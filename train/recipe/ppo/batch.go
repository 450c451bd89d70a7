package ppo

import (
	"context"
	"errors"

	"example.com/gotrain/data"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
)

// batches makes batches of rollouts.
type batches struct {
	*Config
	env    recipe.Env // of which Sums is needed
	writer *rollout.Writer
	base   *rollout.Base // nil without a divergence
	values *generate.Values
	layout rollout.Layout

	number      uint64      // of the rollout that learnt is of, and one
	learnt      []estimates // by text of this rank's rollout
	explained   float32     // 1 by the variance of the returns
	coefficient float64     // of the next rollout; 0 before it is known
}

// estimates are those of a text.
type estimates struct {
	advantages, returns []float64 // by token of the answer
	divergence          float64   // from the base, in nats
}

// fields are those of a row.
func (b *batches) fields() []data.Field {
	t, fields := []int{b.layout.Length}, b.layout.Fields()
	for _, name := range []string{oldLogProbs, advantages, oldValues, returns, weights, explained} {
		fields = append(fields, data.Field{Name: name, Kind: data.Float32, Shape: t})
	}
	for _, name := range []string{rewards, lengths, ended, divergences, coefficient} {
		fields = append(fields, data.Field{Name: name, Kind: data.Float32})
	}
	return fields
}

// complete sets what is learnt of texts as they are written: the values and the
// log-probabilities by the base.
func (b *batches) complete(_ context.Context, texts []rollout.Text) error {
	read := make([][]int32, len(texts))
	for i, t := range texts {
		read[i] = t.Tokens[:len(t.Tokens)-1]
	}
	values, err := b.values.Of(read)
	if err != nil {
		return err
	}
	for i := range texts {
		texts[i].Values = values[i][texts[i].First-1:] // before each token of the answer
		texts[i].Coefficient = b.coefficient
	}
	if b.base == nil {
		return nil
	}
	ref, err := b.base.Of(texts)
	for i := range ref {
		texts[i].Ref = ref[i]
	}
	return err
}

// prepare fills a batch with the texts of its step.
func (b *batches) prepare(ctx context.Context, dst *data.Batch) error {
	if err := b.begin(dst.Position); err != nil {
		return err
	}
	number, step := b.writer.Number(dst.Position)
	if b.number != number+1 {
		texts, err := b.writer.Rollout(ctx, dst.Position)
		if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
			return err // the group ends
		}
		if stopped, failed := b.judge(texts, err != nil); stopped || failed != nil {
			return errors.Join(err, failed)
		}
		b.number = number + 1
	}
	texts, err := b.writer.Rollout(ctx, dst.Position)
	if err != nil {
		return err
	}
	return b.fill(dst, texts, b.writer.Part(number, step))
}

// begin finds the coefficient of the divergence where a run begins or goes on at position.
func (b *batches) begin(position uint64) error {
	if b.coefficient > 0 || b.KL == 0 {
		return nil
	}
	b.coefficient = b.KL
	if number, _ := b.writer.Number(position); number == 0 || b.KLTarget == 0 {
		return nil
	}
	texts, err := b.writer.Before(position)
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return errors.New("samples.jsonl has nothing of the rollout before, by which the coefficient of the divergence was adapted (recipe.kl_target): go on in the directory and with the ranks that the run has had")
	}
	sums, err := b.env.Sums([]float64{divergenceOf(texts), float64(len(texts))})
	if err == nil {
		b.coefficient = b.adapted(texts[0].Coefficient, sums[0]/sums[1], sums[1])
	}
	return err
}

// judge estimates the advantages of this rank's texts of a rollout. Ranks add up what they whiten
// by; where one was stopped while it wrote, all do nothing, and the loop agrees on the stop.
func (b *batches) judge(texts []rollout.Text, stopped bool) (anyStopped bool, err error) {
	failed := 0.0
	if stopped {
		failed = 1
	}
	b.learnt = b.learnt[:0]
	var better, expected moments
	for i := range texts {
		t := &texts[i]
		e := estimates{divergence: divergenceOf(texts[i : i+1])}
		e.advantages, e.returns = estimate(tokenRewards(t.Reward, t.LogProbs, t.Ref, t.Coefficient), t.Values, b.Gamma, b.Lambda)
		if b.counts(t) {
			better.add(e.advantages)
			expected.add(e.returns)
		}
		b.learnt = append(b.learnt, e)
	}
	sums, err := b.env.Sums([]float64{failed, divergenceOf(texts), float64(len(texts)), better.n, better.sum, better.squares, expected.sum, expected.squares})
	if err != nil || sums[0] > 0 {
		return true, err
	}
	better = moments{sums[3], sums[4], sums[5]}
	expected = moments{sums[3], sums[6], sums[7]}
	b.explained = float32(1 / (expected.variance() + 1e-8))
	b.coefficient = b.adapted(texts[0].Coefficient, sums[1]/sums[2], sums[2])
	if !b.Whiten {
		return false, nil
	}
	for _, e := range b.learnt {
		for t, a := range e.advantages {
			e.advantages[t] = better.whitened(a)
		}
	}
	return false, nil
}

// counts tells whether a text is learnt from.
func (b *batches) counts(t *rollout.Text) bool { return t.Ended || !b.MaskTruncated }

// divergenceOf is the sum over texts of the estimate p - q of their divergence from the base.
func divergenceOf(texts []rollout.Text) (sum float64) {
	for i := range texts {
		for k, q := range texts[i].Ref {
			sum += float64(texts[i].LogProbs[k]) - float64(q)
		}
	}
	return sum
}

// fill sets the rows of dst to those texts of a rollout that part numbers.
func (b *batches) fill(dst *data.Batch, texts []rollout.Text, part []int) error {
	b.layout.Clear(dst)
	dst.Weight = 0
	for row, i := range part {
		t, e := &texts[i], &b.learnt[i]
		from, err := b.layout.Set(dst, row, t)
		if err != nil {
			return err
		}
		copy(dst.Floats[oldLogProbs][from:], t.LogProbs)
		copy(dst.Floats[oldValues][from:], t.Values)
		for k := range e.advantages {
			dst.Floats[advantages][from+k], dst.Floats[returns][from+k] = float32(e.advantages[k]), float32(e.returns[k])
			if b.counts(t) {
				dst.Floats[weights][from+k], dst.Floats[explained][from+k] = 1, b.explained
				dst.Weight++
			}
		}
		dst.Floats[rewards][row], dst.Floats[lengths][row] = float32(t.Reward), float32(t.Written())
		dst.Floats[divergences][row], dst.Floats[coefficient][row] = float32(e.divergence), float32(t.Coefficient)
		if t.Ended {
			dst.Floats[ended][row] = 1
		}
	}
	dst.Weight = max(dst.Weight, 1)
	return nil
}
