// Package lstm is a language model of layers of long short-term memory (Hochreiter and
// Schmidhuber 1997) or of gated recurrent units (Cho et al. 2014), as torch.nn.LSTM and
// torch.nn.GRU compute them and name their parameters.
package lstm

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Name is the family's.
const Name = "lstm"

// Family is the row of recurrent language models in the table of families.
func Family() nn.Family {
	return nn.NewFamily(Name, Config{Kind: LSTM, Layers: 2, Width: 256, Context: 128}, New, nil)
}

// Model is a recurrent language model, an nn.LanguageModel. It is read-only and safe for
// concurrent use.
type Model struct{ nn.Decoder[Config, *Config] }

// New returns the model of c, whose defaults it fills in. It returns all faults of c and t
// at once.
func New(c Config, t nn.Tuning) (*Model, error) {
	d, err := nn.NewDecoder(Name, c, t, (*Config).style, (*Config).forward)
	if err != nil {
		return nil, err
	}
	return &Model{d}, nil
}

// HuggingFace returns an error: transformers has no such model.
func (m *Model) HuggingFace() (map[string]any, error) {
	return nil, fmt.Errorf("%w: transformers has no recurrent language model; torch.nn.%s takes the parameters rnn.* of model.safetensors",
		nn.ErrNoCounterpart, cells[m.Config().(*Config).Kind].torch)
}

// forward builds all layers; see nn.LanguageModel.
func (c *Config) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	head = b.Embedding("embedding", c.Vocab, c.Embedding) // (V, E)
	x := autograd.Embedding(b.IDs, head)                  // (N) → (N, E)
	for i := range c.Layers {
		b.Block(i, "rnn", func() {
			x = b.Recurrent(x, nn.RecurrentLayer{ // (N, E) → (N, P)
				Index: i, Cell: cells[c.Kind].cell, Hidden: c.Width, Projection: c.Projection, Bias: nn.IsSet(c.Bias),
			})
		})
		if i < c.Layers-1 {
			x = b.Dropout(x)
		}
	}
	if !nn.IsSet(c.Tied) {
		head = b.Embedding("head", c.Vocab, c.state()) // (V, P)
	}
	return x, head
}
