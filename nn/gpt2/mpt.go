package gpt2

import (
	"fmt"

	"example.com/gotrain/nn"
)

// mptKeys are the keys of the config.json of an MptForCausalLM.
func (c *Config) mptKeys() (map[string]any, error) {
	for _, lacks := range []struct {
		there bool
		what  string
	}{
		{nn.IsSet(c.Bias), "has no biases: train with model.bias false"},
		{!nn.IsSet(c.Tied), "has a head that is the table of tokens: train with model.tied true"},
		{c.Activation != "gelu", "has the activation gelu: train with model.activation gelu"},
		{c.FFN != 4*c.Width, "has a feed-forward width of four times model.width: leave model.ffn out"},
		{c.Attention != nil, "sees all pairs: train without model.attention"},
	} {
		if lacks.there {
			return nil, fmt.Errorf("%w: MptForCausalLM %s", nn.ErrNoCounterpart, lacks.what)
		}
	}
	attention := map[string]any{"alibi": true, "alibi_bias_max": 8}
	if c.AttentionDropout > 0 {
		attention["attn_pdrop"] = c.AttentionDropout
	}
	return map[string]any{
		"model_type":          typeMPT,
		"architectures":       []string{"MptForCausalLM"},
		"vocab_size":          c.Vocab,
		"max_seq_len":         c.Context,
		"d_model":             c.Width,
		"n_layers":            c.Layers,
		"n_heads":             c.Heads,
		"expansion_ratio":     4,
		"no_bias":             true,
		"attn_config":         attention,
		"emb_pdrop":           c.Dropout,
		"resid_pdrop":         c.Dropout,
		"layer_norm_epsilon":  c.NormEps,
		"initializer_range":   c.InitStd,
		"tie_word_embeddings": true,
		"use_cache":           true,
		"dtype":               "float32",
	}, nil
}

// mptRows are the keys of config.json that MPT alone has, attentionRows those of its object
// attn_config.
var (
	mptRows = append(
		nn.KeyRows(nn.Used, "", []string{typeMPT}, "max_seq_len", "d_model", "n_layers", "n_heads", "expansion_ratio", "attn_config"),
		append(nn.KeyRows(nn.Harmless, "the position is in attn_config, and nothing else depends on it", []string{typeMPT},
			"learned_pos_emb", "init_device", "embedding_fraction", "norm_type", "init_config", "verbose"),
			nn.Key{Name: "no_bias", Use: nn.Refused, Why: "linear layers have no bias in MPT", Off: []string{"true"}, On: []string{"false"}, Types: []string{typeMPT}})...)
	attentionRows = append(
		nn.KeyRows(nn.Harmless, "it decides how the same numbers are computed, or only training would", nil, "attn_impl", "attn_pdrop", "attn_uses_sequence_id", "model_type"),
		nn.Key{Name: "alibi", Use: nn.Refused, Why: "MPT with learned positions is missing", Off: []string{"true"}, On: []string{"false"}},
		nn.Key{Name: "alibi_bias_max", Use: nn.Refused, Why: "the slopes of the heads go down to 2^-8 here", Off: []string{"8"}, On: []string{"0"}},
		nn.Key{Name: "attn_type", Use: nn.Refused, Why: "each head has keys of its own here", Off: []string{`"multihead_attention"`}},
		nn.Key{Name: "softmax_scale", Use: nn.Refused, Why: "attention is scaled by 1/√(width of a head) here"},
		nn.Key{Name: "clip_qkv", Use: nn.Refused, Why: "queries, keys and values are not clipped here"},
		nn.Key{Name: "qk_ln", Use: nn.Refused, Why: "queries and keys are not normalised here"},
		nn.Key{Name: "prefix_lm", Use: nn.Refused, Why: "attention is causal here"},
	)
)

// fromMPT reads a config.json of model_type mpt; see nn.Hub.
func fromMPT(raw nn.HF) (any, error) {
	raw.Alias("d_model", "hidden_size")
	raw.Alias("n_layers", "num_hidden_layers")
	raw.Alias("n_heads", "num_attention_heads")
	raw.Object("attn_config").Check(attentionRows, "")
	c := &Config{
		Vocab:      raw.Int("vocab_size", 50368),
		Context:    raw.Int("max_seq_len", 2048),
		Width:      raw.Int("d_model", 2048),
		Layers:     raw.Int("n_layers", 24),
		Heads:      raw.Int("n_heads", 16),
		Dropout:    raw.Float("resid_pdrop", 0),
		NormEps:    raw.Float("layer_norm_epsilon", 1e-5),
		InitStd:    raw.Float("initializer_range", 0.02),
		Tied:       nn.Bool(raw.Bool("tie_word_embeddings", true)),
		Activation: "gelu",
		Bias:       nn.Bool(false),
		Positions:  ALiBi,
	}
	if ratio := raw.Int("expansion_ratio", 4); ratio != 4 {
		raw.Fault("expansion_ratio", "%d: feed-forward layers of MptForCausalLM are four times as wide as the model, whatever it says", ratio)
	}
	return c, raw.Finish(c)
}
