package classify

import (
	"fmt"
	"slices"

	"example.com/gotrain/data"
	"example.com/gotrain/data/labelled"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/encode"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// rows are the examples as the model reads them.
type rows struct {
	train, held []labelled.Row
	labels      []string
	pad         int32
}

// lengthStep is what the rows of a run are a multiple of, in tokens.
const lengthStep = 8

// newRows encodes the examples. Where train.context is not set, rows are as long as the longest
// example, up to the model's context; what is longer loses its end.
func newRows(env *recipe.Env, tokens data.Tokenizer, id hub.Identity, train, held []labelled.Example) (*rows, error) {
	c := &env.Config
	marks, err := tokenizers.MarksOf(tokens, id.Roles, false)
	if err != nil {
		return nil, config.Faultf("%w", err)
	}
	r := &rows{labels: c.Model.Value().(nn.EncoderConfig).Outputs().Labels, pad: marks.Pad}
	texts := encode.TextsOf(tokens, marks, c.Length())
	cut, longest := 0, 0
	for _, side := range []struct {
		from []labelled.Example
		to   *[]labelled.Row
	}{{train, &r.train}, {held, &r.held}} {
		for _, e := range side.from {
			row, short, err := texts.Row(e.Text, e.Pair)
			if err != nil {
				return nil, config.Faultf("%s: %w: it has no token of the tokenizer", e.Origin, err)
			}
			if short {
				cut++
			}
			longest = max(longest, len(row.IDs))
			*side.to = append(*side.to, labelled.Row{IDs: row.IDs, Kinds: row.Kinds, Label: int32(slices.Index(r.labels, e.Label)), Origin: e.Origin})
		}
	}
	if c.Train.Context == 0 {
		c.Train.Context = min(c.Length(), (longest+lengthStep-1)/lengthStep*lengthStep)
	}
	env.Telling("examples", "%d to learn from, %d held out, of %d classes; rows of %d tokens", len(train), len(held), len(r.labels), c.Length())
	if cut > 0 {
		env.Telling("warning", "%d of %d examples are longer than %d tokens and lose their end", cut, len(train)+len(held), c.Length())
	}
	return r, nil
}

// measure classifies held-out rows: their accuracy, and F1, the mean over the classes of
// 2·right/(said + there), in which a class that is neither said nor there does not count.
func measure(p *encode.Program, held []labelled.Row, labels int, c config.Config) (recipe.Measured, error) {
	size, _ := c.MicroBatches()
	if limit := c.Train.EvalBatches * c.Train.Batch; limit > 0 {
		held = held[:min(limit, len(held))]
	}
	var f encode.Confusion
	f.Init(labels)
	for part := range slices.Chunk(held, size) {
		batch := make([]encode.Row, len(part))
		for i, r := range part {
			batch[i] = encode.Row{IDs: r.IDs, Kinds: r.Kinds}
		}
		told, err := p.Run(batch)
		if err != nil {
			return recipe.Measured{}, fmt.Errorf("classes of held-out texts: %w", err)
		}
		for i, t := range told {
			f.Count(int(part[i].Label), t.Class())
		}
	}
	return recipe.Measured{Values: []recipe.Measurement{{Name: "accuracy", Value: f.Accuracy()}, {Name: "f1", Value: f.F1()}}}, nil
}
