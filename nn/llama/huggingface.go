package llama

import (
	"fmt"

	"gotrain/autograd"
	"gotrain/nn"
)

// Architectures of transformers that this package computes, by model_type.
const (
	typeLlama   = "llama"   // LlamaForCausalLM
	typeMistral = "mistral" // MistralForCausalLM: a sliding window, no biases
	typeQwen2   = "qwen2"   // Qwen2ForCausalLM: biases of queries, keys and values
	typeQwen3   = "qwen3"   // Qwen3ForCausalLM: normalised heads, no biases in the feed-forward layer
)

// absent are the sizes that transformers takes where a config.json leaves them out;
// no number of key heads is that of query heads.
var absent = map[string]struct{ vocab, context, ffn, kvHeads int }{
	typeLlama:   {32000, 2048, 11008, 0},
	typeMistral: {32000, 131072, 14336, 8},
	typeQwen2:   {151936, 32768, 22016, 32},
	typeQwen3:   {151936, 32768, 22016, 32},
}

// HuggingFace returns the keys of config.json: LlamaForCausalLM, with QKNorm
// Qwen3ForCausalLM, with QKVBias Qwen2ForCausalLM, with a sliding window alone
// MistralForCausalLM. Biases together with these have no counterpart there.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := m.config
	keys := map[string]any{
		"vocab_size":              c.Vocab,
		"max_position_embeddings": c.Context,
		"hidden_size":             c.Width,
		"intermediate_size":       c.FFN,
		"num_hidden_layers":       c.Layers,
		"num_attention_heads":     c.Heads,
		"num_key_value_heads":     c.KVHeads,
		"head_dim":                c.HeadDim,
		"hidden_act":              nn.ActivationName(c.Activation),
		"rms_norm_eps":            c.NormEps,
		"initializer_range":       c.InitStd,
		"tie_word_embeddings":     nn.IsSet(c.Tied),
		"rope_theta":              c.RopeTheta,
		"rope_parameters":         ropeParameters(c),
		"attention_dropout":       0.0,
		"use_cache":               true,
		"dtype":                   "float32",
	}
	if nn.IsSet(c.Bias) && (c.QKNorm || c.QKVBias || c.SlidingWindow > 0) || c.QKVBias && c.QKNorm {
		return nil, fmt.Errorf("%w: of transformers' relatives of Llama those with normalised heads or a sliding window lack biases: train with model.bias false", nn.ErrNoCounterpart)
	}
	if c.RopeScaling != nil {
		keys["rope_scaling"] = ropeParameters(c) // for transformers before 5
	}
	switch {
	case c.QKNorm, c.QKVBias:
		if c.QKNorm {
			keys["model_type"], keys["architectures"] = typeQwen3, []string{"Qwen3ForCausalLM"}
			keys["attention_bias"] = false
		} else {
			keys["model_type"], keys["architectures"] = typeQwen2, []string{"Qwen2ForCausalLM"}
		}
		keys["use_sliding_window"] = c.SlidingWindow > 0
		keys["max_window_layers"] = 0 // layers from this one on have the window
		keys["sliding_window"] = nil
		if c.SlidingWindow > 0 {
			keys["sliding_window"] = c.SlidingWindow
		}
	case c.SlidingWindow > 0:
		keys["model_type"], keys["architectures"] = typeMistral, []string{"MistralForCausalLM"}
		keys["sliding_window"] = c.SlidingWindow
	default:
		keys["model_type"], keys["architectures"] = typeLlama, []string{"LlamaForCausalLM"}
		keys["attention_bias"], keys["mlp_bias"] = nn.IsSet(c.Bias), nn.IsSet(c.Bias)
	}
	return keys, nil
}

// fromHuggingFace reads a config.json of llama or a relative; see nn.Hub. Layers
// with different windows are among what is not computed.
func fromHuggingFace(raw nn.HF) (any, error) {
	sizes := absent[raw.ModelType()]
	c := &Config{
		Vocab:      raw.Int("vocab_size", sizes.vocab),
		Context:    raw.Int("max_position_embeddings", sizes.context),
		Width:      raw.Int("hidden_size", 4096),
		FFN:        raw.Int("intermediate_size", sizes.ffn),
		Layers:     raw.Int("num_hidden_layers", 32),
		Heads:      raw.Int("num_attention_heads", 32),
		Activation: raw.Activation("hidden_act", "silu"),
		NormEps:    raw.Float("rms_norm_eps", 1e-6),
		InitStd:    raw.Float("initializer_range", 0.02),
		Tied:       nn.Bool(raw.Bool("tie_word_embeddings", false)),
	}
	c.RopeTheta, c.RopeScaling = rope(raw)
	c.KVHeads = c.Heads
	if sizes.kvHeads > 0 && !raw.IsNull("num_key_value_heads") {
		c.KVHeads = sizes.kvHeads
	}
	c.KVHeads = raw.Int("num_key_value_heads", c.KVHeads)
	c.HeadDim = raw.Int("head_dim", 0)
	bias := raw.Bool("attention_bias", false)
	c.Bias = nn.Bool(bias)
	switch raw.ModelType() {
	case typeMistral:
		raw.Want("attention_bias", false, false)
		c.SlidingWindow = window(raw, 4096)
	case typeQwen2, typeQwen3:
		if raw.ModelType() == typeQwen3 {
			raw.Want("attention_bias", false, false)
			c.QKNorm = true
			if c.HeadDim == 0 {
				c.HeadDim = 128
			}
		} else {
			c.Bias, c.QKVBias = nn.Bool(false), true
		}
		if raw.Bool("use_sliding_window", false) {
			raw.Want("max_window_layers", 0, 28)
			raw.WantEach("layer_types", "sliding_attention")
			c.SlidingWindow = window(raw, 4096)
		} else {
			raw.WantEach("layer_types", "full_attention")
		}
	default:
		raw.Want("mlp_bias", bias, false)
	}
	return c, raw.Finish(c)
}

// window reads sliding_window, where null means none.
func window(raw nn.HF, absent int) int {
	if raw.IsNull("sliding_window") {
		return 0
	}
	return raw.Int("sliding_window", absent)
}

// rope reads the base and the scaling from rope_parameters (transformers 5) or
// from rope_theta and rope_scaling (before).
func rope(raw nn.HF) (theta float64, scaling *RopeScaling) {
	theta = raw.Float("rope_theta", 10000)
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		keys := raw.Object(key)
		theta = keys.Float("rope_theta", theta)
		kind := keys.String("rope_type", keys.String("type", "default"))
		if kind == "default" || scaling != nil {
			continue
		}
		scaling = &RopeScaling{
			Type:            kind,
			Factor:          keys.Float("factor", 1),
			Original:        keys.Int("original_max_position_embeddings", raw.Int("original_max_position_embeddings", 0)),
			LowFreqFactor:   keys.Float("low_freq_factor", 0),
			HighFreqFactor:  keys.Float("high_freq_factor", 0),
			BetaFast:        keys.Float("beta_fast", 0),
			BetaSlow:        keys.Float("beta_slow", 0),
			AttentionFactor: keys.Float("attention_factor", 0),
		}
		keys.Want("truncate", true, true) // yarn: whole pairs
		keys.Want("mscale", 0, 0)
	}
	return theta, scaling
}

// ropeParameters writes what rope reads.
func ropeParameters(c Config) map[string]any {
	keys := map[string]any{"rope_type": "default", "rope_theta": c.RopeTheta}
	s := c.RopeScaling
	if s == nil {
		return keys
	}
	keys["rope_type"], keys["factor"] = s.Type, s.Factor
	switch s.Type {
	case autograd.Llama3Scaling:
		keys["low_freq_factor"], keys["high_freq_factor"] = s.LowFreqFactor, s.HighFreqFactor
		keys["original_max_position_embeddings"] = s.Original
	case autograd.YaRNScaling:
		keys["beta_fast"], keys["beta_slow"], keys["attention_factor"] = s.BetaFast, s.BetaSlow, s.AttentionFactor
		keys["original_max_position_embeddings"] = s.Original
	}
	return keys
}
