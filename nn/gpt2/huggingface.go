package gpt2

import (
	"fmt"

	"gotrain/nn"
)

// HuggingFace returns the keys of a GPT2LMHeadModel's config.json. Models
// without biases or with other positions than learned ones have no
// counterpart there.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := m.config
	if !nn.IsSet(c.Bias) {
		return nil, fmt.Errorf("%w: GPT2LMHeadModel always has biases: train with model.bias true", nn.ErrNoCounterpart)
	}
	if c.Positions != Learned {
		return nil, fmt.Errorf("%w: GPT2LMHeadModel always has learned positions: train with model.positions %s", nn.ErrNoCounterpart, Learned)
	}
	return map[string]any{
		"model_type":                      "gpt2",
		"architectures":                   []string{"GPT2LMHeadModel"},
		"vocab_size":                      c.Vocab,
		"n_positions":                     c.Context,
		"n_ctx":                           c.Context,
		"n_embd":                          c.Width,
		"n_layer":                         c.Layers,
		"n_head":                          c.Heads,
		"n_inner":                         c.FFN,
		"activation_function":             nn.ActivationName(c.Activation),
		"embd_pdrop":                      c.Dropout,
		"resid_pdrop":                     c.Dropout,
		"attn_pdrop":                      0.0,
		"layer_norm_epsilon":              c.NormEps,
		"initializer_range":               c.InitStd,
		"tie_word_embeddings":             nn.IsSet(c.Tied),
		"scale_attn_weights":              true,
		"scale_attn_by_inverse_layer_idx": false,
		"reorder_and_upcast_attn":         false,
		"use_cache":                       true,
		"dtype":                           "float32",
	}, nil
}

// fromHuggingFace reads a config.json of model_type gpt2; see nn.Hub.
func fromHuggingFace(raw nn.HF) (any, error) {
	c := &Config{
		Vocab:      raw.Int("vocab_size", 50257),
		Context:    raw.Int("n_positions", 1024),
		Width:      raw.Int("n_embd", 768),
		Layers:     raw.Int("n_layer", 12),
		Heads:      raw.Int("n_head", 12),
		FFN:        raw.Int("n_inner", 0),
		Activation: raw.Activation("activation_function", "gelu_new"),
		Dropout:    raw.Float("resid_pdrop", 0.1),
		NormEps:    raw.Float("layer_norm_epsilon", 1e-5),
		InitStd:    raw.Float("initializer_range", 0.02),
		Tied:       nn.Bool(raw.Bool("tie_word_embeddings", true)),
	}
	raw.Want("scale_attn_weights", true, true)
	raw.Want("scale_attn_by_inverse_layer_idx", false, false)
	raw.Want("add_cross_attention", false, false)
	return c, raw.Finish(c)
}
