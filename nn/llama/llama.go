// Package llama is Llama (Touvron et al. 2023) with the parameter names of
// Hugging Face's LlamaForCausalLM. With grouped heads and a sliding window it is
// Mistral 7B (Jiang et al. 2023), with biases of queries, keys and values
// Qwen 2 (Yang et al. 2024), with normalised queries and keys Qwen 3 (Yang et
// al. 2025).
package llama

import (
	"fmt"

	"gotrain/autograd"
	"gotrain/autograd/ir"
	"gotrain/nn"
)

// Model is a Llama. It is read-only and safe for concurrent use.
type Model struct {
	config nn.Config
	params []nn.Param
}

// New returns the model of c, whose defaults it fills in. It returns all faults
// of c at once.
func New(c nn.Config) (nn.Model, error) {
	m := &Model{config: c.WithDefaults()}
	err := nn.CheckFamily(c, nn.Llama)
	if err == nil {
		m.params, err = nn.Declare(m.config, autograd.OutIn, m.forward)
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
	return m.forward(nn.NewBuilder(g, in, m.config, autograd.OutIn))
}

func (m *Model) forward(b *nn.Builder) (hidden, head *autograd.Node) {
	c := m.config
	b.In("model", func() {
		head = b.Embedding("embed_tokens", c.Vocab, c.Width) // (V, D)
		x := b.Dropout(autograd.Embedding(b.IDs, head))      // (N) → (N, D)
		for i := range c.Layers {
			b.Block(i, fmt.Sprintf("layers.%d", i), func() { x = m.block(b, x) })
		}
		hidden = b.RMSNorm("norm", x) // (N, D)
	})
	if !c.IsTied() {
		head = b.Embedding("lm_head", c.Vocab, c.Width) // (V, D)
	}
	return hidden, head
}

// block is (N, D) → (N, D): attention, then the feed-forward layer, each added
// to the residual stream x.
func (m *Model) block(b *nn.Builder, x *autograd.Node) *autograd.Node {
	h := m.attention(b, b.RMSNorm("input_layernorm", x))
	x = autograd.Add(x, b.Dropout(h))
	h = m.feedForward(b, b.RMSNorm("post_attention_layernorm", x))
	return autograd.Add(x, b.Dropout(h))
}

// attention is (N, D) → (N, D), with H query heads over G key and value heads.
func (m *Model) attention(b *nn.Builder, x *autograd.Node) *autograd.Node {
	c := m.config
	q := b.QKV("self_attn.q_proj", x, c.Heads*c.HeadDim)   // (N, D) → (N, H·hd)
	k := b.QKV("self_attn.k_proj", x, c.KVHeads*c.HeadDim) // (N, D) → (N, G·hd)
	v := b.QKV("self_attn.v_proj", x, c.KVHeads*c.HeadDim) // (N, D) → (N, G·hd)
	if c.QKNorm {
		q = b.HeadNorm("self_attn.q_norm", q, c.Heads)
		k = b.HeadNorm("self_attn.k_norm", k, c.KVHeads)
	}
	q, k = b.RoPE(q, c.Heads), b.RoPE(k, c.KVHeads)
	y := b.Attention("self_attn", q, k, v)            // (N, H·hd)
	return b.Residual("self_attn.o_proj", y, c.Width) // (N, H·hd) → (N, D)
}

// feedForward is (N, D) → (N, D): down(act(gate(x))∘up(x)).
func (m *Model) feedForward(b *nn.Builder, x *autograd.Node) *autograd.Node {
	c := m.config
	gate := b.Linear("mlp.gate_proj", x, c.FFN) // (N, D) → (N, F)
	up := b.Linear("mlp.up_proj", x, c.FFN)     // (N, D) → (N, F)
	var h *autograd.Node
	if act := c.Act(); act == ir.SiLU {
		h = autograd.SwiGLU(gate, up)
	} else {
		h = autograd.Mul(autograd.Activation(gate, act), up)
	}
	return b.Residual("mlp.down_proj", h, c.Width) // (N, F) → (N, D)
}
