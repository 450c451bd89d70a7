// Package grpo is the recipe of group relative policy optimisation (Shao et al. 2024,
// "DeepSeekMath"): several texts of a prompt are judged beside each other, and the model learns
// what makes the better ones likelier. Keys choose the variants Dr. GRPO (Liu et al. 2025), DAPO
// (Yu et al. 2025), BNPO and RLOO (Ahmadian et al. 2024), each with the arithmetic of TRL.
package grpo

import (
	"context"

	"example.com/gotrain/data"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
	"example.com/gotrain/train/recipe/text"
)

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, err := text.Design(ctx, env)
	if err != nil {
		return nil, err
	}
	_, err = complete(j, env)
	return j, err
}

// complete makes a language model's job one of this recipe.
func complete(j *recipe.Job, env recipe.Env) (*rollout.Programs, error) {
	o := own(j.Config)
	j.Phases = []recipe.Phase{{Loss: lossOf(j.Config, j.Parts[0].Model.(nn.LanguageModel)), Optimizer: j.Config.Optimizer}}
	return rollout.Add(j, env, o.Config, o.Beta > 0)
}

// open reads the prompts.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	j, err := text.New(ctx, env, tokens, id)
	if err != nil {
		return nil, err
	}
	programs, err := complete(j, env)
	if err != nil {
		return nil, err
	}
	w, err := rollout.Open(j, env, own(j.Config).Config, programs, tokens, id)
	if err != nil {
		return nil, err
	}
	b := &batches{Config: own(j.Config), writer: w, base: programs.Base, layout: own(j.Config).LayoutOf(j.Config)}
	b.micro, _ = j.Config.MicroBatches()
	if b.base != nil {
		w.Complete = b.complete
	}
	j.Train = &rollout.Source{Rows: j.Config.TrainRows(), Row: b.fields()}
	j.Prepare = b.prepare
	return j, nil
}

// batches makes batches of rollouts.
type batches struct {
	*Config
	writer *rollout.Writer
	base   *rollout.Base
	layout rollout.Layout
	micro  int // rows of a micro-batch
}

// fields are those of a row.
func (b *batches) fields() []data.Field {
	t, fields := []int{b.layout.Length}, b.layout.Fields()
	for _, name := range []string{oldLogProbs, advantages, weights} {
		fields = append(fields, data.Field{Name: name, Kind: data.Float32, Shape: t})
	}
	if b.Beta > 0 {
		fields = append(fields, data.Field{Name: refLogProbs, Kind: data.Float32, Shape: t})
	}
	for _, name := range []string{rewards, lengths, ended} {
		fields = append(fields, data.Field{Name: name, Kind: data.Float32})
	}
	return fields
}

// prepare fills a batch with the texts of its step.
func (b *batches) prepare(ctx context.Context, dst *data.Batch) error {
	texts, err := b.writer.Texts(ctx, dst.Position)
	if err != nil {
		return err
	}
	if b.base != nil && len(texts) > 0 && texts[0].Ref == nil { // of a table that earlier versions have begun
		if err := b.complete(ctx, texts); err != nil {
			return err
		}
	}
	return b.fill(dst, texts)
}

// complete sets the log-probabilities by the base of texts as they are written, once for all
// updates.
func (b *batches) complete(_ context.Context, texts []rollout.Text) error {
	ref, err := b.base.Of(texts)
	for i := range ref {
		texts[i].Ref = ref[i]
	}
	return err
}

// fill sets the rows of dst to texts; rows behind them hold none.
func (b *batches) fill(dst *data.Batch, texts []rollout.Text) error {
	b.layout.Clear(dst)
	better := b.Advantages(texts)
	for row := range texts {
		t := &texts[row]
		from, err := b.layout.Set(dst, row, t)
		if err != nil {
			return err
		}
		copy(dst.Floats[oldLogProbs][from:], t.LogProbs)
		if b.Beta > 0 {
			copy(dst.Floats[refLogProbs][from:], t.Ref)
		}
		for k := range t.Written() {
			dst.Floats[advantages][from+k] = float32(better[row])
		}
		dst.Floats[rewards][row], dst.Floats[lengths][row] = float32(t.Reward), float32(t.Written())
		if t.Ended {
			dst.Floats[ended][row] = 1
		}
	}
	b.weigh(dst, texts)
	return nil
}

// weigh gives tokens their weights in the loss, and dst what it is divided by.
func (b *batches) weigh(dst *data.Batch, texts []rollout.Text) {
	counts := func(t *rollout.Text) bool { return t.Ended || !b.MaskTruncated }
	tokens := func(texts []rollout.Text) (n int) {
		for i := range texts {
			if counts(&texts[i]) {
				n += texts[i].Written()
			}
		}
		return max(n, 1)
	}
	switch b.Loss {
	case PerToken:
		dst.Weight = float64(tokens(texts))
	case PerMicro:
		dst.Weight = float64((len(texts) + b.micro - 1) / b.micro)
	default:
		dst.Weight = float64(len(texts))
	}
	for row := range texts {
		t, weight := &texts[row], 1.0
		switch b.Loss {
		case PerText:
			weight = 1 / float64(t.Written())
		case PerLength:
			weight = 1 / float64(b.MaxTokens)
		case PerMicro:
			first := row / b.micro * b.micro
			weight = 1 / float64(tokens(texts[first:min(first+b.micro, len(texts))]))
		}
		for k := range t.Written() {
			if counts(t) {
				dst.Floats[weights][row*b.layout.Length+t.First-1+k] = float32(weight)
			}
		}
	}
}
