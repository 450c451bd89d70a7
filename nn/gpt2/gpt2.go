// Package gpt2 is GPT-2 (Radford et al. 2019, "Language Models are Unsupervised
// Multitask Learners"), with the parameter names and layouts of Hugging Face's
// GPT2LMHeadModel.
package gpt2

import (
	"fmt"

	"gotrain/autograd"
	"gotrain/nn"
)

// Model is a GPT-2. It is read-only and safe for concurrent use.
type Model struct {
	config nn.Config
	params []nn.Param
}

// New returns the model of c, whose defaults it fills in. It returns all faults
// of c at once.
func New(c nn.Config) (nn.Model, error) {
	m := &Model{config: c.WithDefaults()}
	err := nn.CheckFamily(c, nn.GPT2)
	if err == nil {
		m.params, err = nn.Declare(m.config, autograd.InOut, m.forward)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Config returns the configuration with all defaults filled in.
func (m *Model) Config() nn.Config { return m.config }

// Params returns the parameters in the order of their declaration.
func (m *Model) Params() []nn.Param { return m.params }

// Build adds the forward pass to g; see nn.Model.
func (m *Model) Build(g *autograd.Graph, in nn.Inputs) (hidden, head *autograd.Node) {
	return m.forward(nn.NewBuilder(g, in, m.config, autograd.InOut))
}

func (m *Model) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	c := m.config
	b.In("transformer", func() {
		head = b.Embedding("wte", c.Vocab, c.Width) // (V, D)
		x := autograd.Embedding(b.IDs, head)        // (N) → (N, D)
		switch c.Positions {
		case nn.Learned:
			x = autograd.Add(x, autograd.Embedding(b.Positions, b.Embedding("wpe", c.Context, c.Width)))
		case nn.Sinusoidal:
			x = autograd.Add(x, b.Sinusoids("wpe"))
		}
		x = b.Dropout(x)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("h.%d", i), func() { x = m.block(b, x) })
		}
		hidden = b.LayerNorm("ln_f", x) // (N, D)
	})
	if !c.IsTied() {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each added
// to the residual stream x.
func (m *Model) block(b *nn.Builder, x *autograd.Node) *autograd.Node {
	d := m.config.Width
	h := b.LayerNorm("ln_1", x)
	h = b.Linear("attn.c_attn", h, 3*d) // (N, D) → (N, 3D)
	h = b.PackedAttention("attn", h)    // (N, 3D) → (N, D)
	h = b.Residual("attn.c_proj", h, d) // (N, D)
	x = autograd.Add(x, b.Dropout(h))
	h = b.LayerNorm("ln_2", x)
	h = b.Linear("mlp.c_fc", h, m.config.FFN) // (N, D) → (N, F)
	h = autograd.Activation(h, m.config.Act())
	h = b.Residual("mlp.c_proj", h, d) // (N, F) → (N, D)
	return autograd.Add(x, b.Dropout(h))
}
