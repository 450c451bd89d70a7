package gpt2

import (
	"fmt"
	"slices"

	"example.com/gotrain/nn"
)

// Values of model_type.
const (
	typeGPT2 = "gpt2"
	typeMPT  = "mpt"
)

// HuggingFace returns the keys of the config.json of a GPT2LMHeadModel, or with ALiBi of
// an MptForCausalLM. GPT-2 without biases, with sinusoidal positions or none, and either
// with patterns of blocks have no counterpart there.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := m.Config().(*Config)
	if c.Positions == ALiBi {
		return c.mptKeys()
	}
	if !nn.IsSet(c.Bias) {
		return nil, fmt.Errorf("%w: GPT2LMHeadModel always has biases: train with model.bias true", nn.ErrNoCounterpart)
	}
	if c.Positions != Learned {
		return nil, fmt.Errorf("%w: GPT2LMHeadModel always has learned positions: train with model.positions %s", nn.ErrNoCounterpart, Learned)
	}
	if c.Attention != nil {
		return nil, fmt.Errorf("%w: GPT2LMHeadModel sees all pairs: train without model.attention", nn.ErrNoCounterpart)
	}
	return map[string]any{
		"model_type":                      typeGPT2,
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
		"attn_pdrop":                      c.AttentionDropout,
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

// keys are those of config.json that GPT-2 knows.
var keys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "hidden_size", "num_hidden_layers", "num_attention_heads", "resid_pdrop", "layer_norm_epsilon", "initializer_range"),
	nn.KeyRows(nn.Used, "", []string{typeGPT2}, "n_positions", "max_position_embeddings", "n_embd", "n_layer", "n_head", "n_inner", "activation_function", "attn_pdrop"),
	nn.KeyRows(nn.Harmless, "resid_pdrop is the dropout of a model", nil, "embd_pdrop", "emb_pdrop"),
	nn.KeyRows(nn.Harmless, "n_positions says it", nil, "n_ctx"),
	nn.KeyRows(nn.Harmless, "it belongs to GPT2DoubleHeadsModel", nil, "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout"),
	nn.KeyRows(nn.Harmless, "the vocabulary counts such tokens too", nil, "n_special", "predict_special_tokens"),
	nn.KeyRows(nn.Harmless, "it only rounds half precision later", nil, "reorder_and_upcast_attn"),
	mptRows,
	nn.Keys{
		{Name: "scale_attn_weights", Use: nn.Refused, Why: "attention is scaled by 1/√(width of a head) here", On: []string{"false"}, Off: []string{"true"}},
		{Name: "scale_attn_by_inverse_layer_idx", Use: nn.Refused, Why: "layers scale attention alike here"},
	},
)

// fromHuggingFace reads a config.json of model_type gpt2 or mpt; see nn.Hub.
func fromHuggingFace(raw nn.HF) (any, error) {
	if raw.ModelType() == typeMPT {
		return fromMPT(raw)
	}
	raw.Alias("n_positions", "max_position_embeddings")
	raw.Alias("n_embd", "hidden_size")
	raw.Alias("n_layer", "num_hidden_layers")
	raw.Alias("n_head", "num_attention_heads")
	c := &Config{
		Vocab:            raw.Int("vocab_size", 50257),
		Context:          raw.Int("n_positions", 1024),
		Width:            raw.Int("n_embd", 768),
		Layers:           raw.Int("n_layer", 12),
		Heads:            raw.Int("n_head", 12),
		FFN:              raw.Int("n_inner", 0),
		Activation:       raw.Activation("activation_function", "gelu_new"),
		Dropout:          raw.Float("resid_pdrop", 0.1),
		AttentionDropout: raw.Float("attn_pdrop", 0.1),
		NormEps:          raw.Float("layer_norm_epsilon", 1e-5),
		InitStd:          raw.Float("initializer_range", 0.02),
		Tied:             nn.Bool(raw.Bool("tie_word_embeddings", true)),
	}
	return c, raw.Finish(c)
}
