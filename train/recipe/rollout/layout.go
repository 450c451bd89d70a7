package rollout

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/config"
)

// kept is the field of the tokens that a truncated distribution has left to draw from.
const kept = "kept"

// Layout is how texts stand in batches, a row each.
type Layout struct {
	Length int // T
	kept   generate.Kept
}

// LayoutOf is that of a job of c.
func (r Config) LayoutOf(c config.Config) Layout {
	return Layout{Length: c.Length(), kept: generate.Kept{Most: r.most(c), Length: c.Length()}}
}

// LogProb is the distribution that texts are drawn from, and learnt.
func (r Config) LogProb(c config.Config) autograd.LogProbConfig {
	return autograd.LogProbConfig{Temperature: float32(r.Temperature), Kept: r.most(c)}
}

// most is the number of tokens that are drawn from at most, 0 for all.
func (r Config) most(c config.Config) int { return min(r.TopK, c.Text().Vocab) }

// Fields are those of the tokens of a row.
func (l Layout) Fields() []data.Field {
	t := []int{l.Length}
	fields := []data.Field{{Name: data.IDs, Kind: data.Int32, Shape: t}, {Name: data.Positions, Kind: data.Int32, Shape: t}}
	if l.kept.Most > 0 {
		return append(fields, data.Field{Name: kept, Kind: data.Int32, Shape: []int{l.Length, l.kept.Most}})
	}
	return append(fields, data.Field{Name: data.Targets, Kind: data.Int32, Shape: t})
}

// Clear empties all rows of dst.
func (l Layout) Clear(dst *data.Batch) {
	for i := range dst.Ints[data.IDs] {
		dst.Ints[data.IDs][i], dst.Ints[data.Positions][i] = 0, int32(i%l.Length)
	}
	for i := range dst.Ints[data.Targets] {
		dst.Ints[data.Targets][i] = data.Ignore
	}
	if l.kept.Most > 0 {
		l.kept.Clear(dst.Ints[kept])
	}
	for _, x := range dst.Floats {
		clear(x)
	}
	clear(dst.From)
}

// Set writes the tokens of a text to a row of dst and returns where its first token of the
// answer is asked for.
func (l Layout) Set(dst *data.Batch, row int, t *Text) (from int, err error) {
	copy(dst.Ints[data.IDs][row*l.Length:], t.Tokens[:len(t.Tokens)-1])
	dst.From[row] = t.Prompt.Origin
	from = row*l.Length + t.First - 1
	if l.kept.Most > 0 {
		return from, l.kept.Set(dst.Ints[kept], row, t.First, t.Kept)
	}
	copy(dst.Ints[data.Targets][from:], t.Tokens[t.First:])
	return from, nil
}
