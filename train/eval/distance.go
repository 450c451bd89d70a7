package eval

import (
	"fmt"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
)

// remembering is Text of a model with a memory, no token of which sees more than reach
// tokens before it in a layer; 0 is all.
func remembering(cfg config.Config, m nn.Remembering, store *exec.Store, set *data.Set, tokens tokenizers.Encoder, batch, reach int) (TextScore, error) {
	segments := data.Sequences{
		Rows: data.Rows{Batch: batch}, Context: m.Config().(nn.TextConfig).Text().Context, VocabSize: m.Vocab(), DocumentMask: cfg.Train.DocumentMask,
	}
	source, err := data.NewEval(set, segments, tokens)
	if err != nil {
		return TextScore{}, err
	}
	s, err := Batches(cfg, m, store, source.Streams(m.Memory(), reach))
	s.Bytes, s.Documents = set.TextBytes(), set.Documents()
	return s, err
}

// Distance is how well a model knows texts when no token sees more than Tokens before it
// in a layer.
type Distance struct {
	Tokens int `json:"distance"`
	TextScore
}

// Distances scores a set as Text does, with distances that double up to all that the
// model may see: what the loss still falls by is what it uses of tokens so far back. In a
// model of several layers a token may learn of those farther back from tokens between.
func Distances(cfg config.Config, m nn.LanguageModel, store *exec.Store, set *data.Set, tokens tokenizers.Encoder, batch int) ([]Distance, error) {
	r, ok := m.(nn.Remembering)
	if !ok {
		return nil, fmt.Errorf("family %s sees no distances: the loss by distance is told of models with relative positions, such as family xl", m.Family())
	}
	var all []Distance
	for most := m.Context(); ; {
		reach := 1
		if len(all) > 0 {
			reach = min(2*all[len(all)-1].Tokens, most)
		}
		s, err := remembering(cfg, r, store, set, tokens, batch, reach)
		if err != nil {
			return all, err
		}
		all = append(all, Distance{reach, s})
		if reach == most {
			return all, nil
		}
	}
}
