package nn_test

import (
	"fmt"
	"log"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
)

// BigramConfig is the configuration of a family: keys of its own, their defaults
// and their faults.
type BigramConfig struct {
	Width   int `yaml:"width" json:"width"`
	Hidden  int `yaml:"hidden,omitempty" json:"hidden,omitempty"` // default 4·width
	Context int `yaml:"context" json:"context"`
	Vocab   int `yaml:"vocab" json:"vocab"`
}

func (c *BigramConfig) SetDefaults()      { nn.Default(&c.Hidden, 4*c.Width) }
func (c *BigramConfig) Text() nn.Text     { return nn.Text{Context: c.Context, Vocab: c.Vocab} }
func (c *BigramConfig) SetText(t nn.Text) { c.Context, c.Vocab = t.Context, t.Vocab }
func (c *BigramConfig) Validate() error {
	var f nn.Faults
	f.Size("width", c.Width, nn.MaxSize)
	f.Size("context", c.Context, nn.MaxSize)
	return f.Err()
}

func (c *BigramConfig) style() nn.Style {
	return nn.Style{Layout: autograd.OutIn, InitStd: 0.02, ResidualStd: 0.01, NormEps: 1e-5}
}

func (c *BigramConfig) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	table := b.Embedding("tokens", c.Vocab, c.Width)    // (V, D)
	x := autograd.Embedding(b.IDs, table)               // (N) → (N, D)
	h := b.Linear("up", b.RMSNorm("norm", x), c.Hidden) // (N, D) → (N, F)
	h = autograd.Activation(h, ir.GELU)
	return autograd.Add(x, b.Residual("down", h, c.Width)), table // (N, F) → (N, D)
}

// Bigram is a language model that looks at the last token alone.
type Bigram struct {
	nn.Decoder[BigramConfig, *BigramConfig]
}

func NewBigram(c BigramConfig, t nn.Tuning) (*Bigram, error) {
	d, err := nn.NewDecoder("bigram", c, t, (*BigramConfig).style, (*BigramConfig).forward)
	return &Bigram{d}, err
}

func (m *Bigram) HuggingFace() (map[string]any, error) {
	return nil, nn.ErrNoCounterpart
}

// A family of models of one's own: its row in a table is all that the rest of the
// program takes.
func ExampleNewFamily() {
	families := nn.Families{nn.NewFamily("bigram", BigramConfig{Width: 16, Context: 32}, NewBigram, nil)}

	m, err := families.New(nn.Spec{Family: "bigram", Config: &BigramConfig{Width: 8, Context: 32, Vocab: 100}}, nn.Tuning{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range m.Params() {
		fmt.Println(p.Name, p.Shape)
	}
	text, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
	if err != nil {
		log.Fatal(err)
	}
	read, err := families.Parse(text)
	fmt.Println(read.Family, *read.Config.(*BigramConfig), err)
	_, err = families.New(nn.Spec{Family: "bigram", Config: &BigramConfig{Width: -1}}, nn.Tuning{})
	fmt.Println(err)
	// Output:
	// tokens.weight (100, 8)
	// norm.weight (8)
	// up.weight (32, 8)
	// down.weight (8, 32)
	// bigram {8 32 32 100} <nil>
	// model.width: -1 is outside [1, 16777216]
	// model.context: is missing: give a whole number of at least 1
	// model.vocab: is missing: it is the size of the tokenizer
}
