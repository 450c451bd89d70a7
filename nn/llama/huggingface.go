package llama

import (
	"fmt"

	"example.com/gotrain/nn"
)

// Architectures of transformers that this package computes, by model_type.
const (
	typeLlama   = "llama"   // LlamaForCausalLM
	typeMistral = "mistral" // MistralForCausalLM: a sliding window, no biases
	typeQwen2   = "qwen2"   // Qwen2ForCausalLM: biases of queries, keys and values
	typeQwen3   = "qwen3"   // Qwen3ForCausalLM: normalised heads, no biases in the feed-forward layer
)

// HuggingFace returns the keys of config.json: LlamaForCausalLM, with QKNorm
// Qwen3ForCausalLM, with QKVBias Qwen2ForCausalLM, with a sliding window alone
// MistralForCausalLM. Other biases together with these have no counterpart there, but
// those of attention in Qwen 3.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := m.Config().(*Config)
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
		"attention_dropout":       c.AttentionDropout,
		"use_cache":               true,
		"dtype":                   "float32",
	}
	attentionBias, mlpBias := nn.IsSet(c.Bias) || c.AttentionBias, nn.IsSet(c.Bias) || c.MLPBias
	if mlpBias && (c.QKNorm || c.QKVBias || c.SlidingWindow > 0) || c.QKVBias && (c.QKNorm || attentionBias) || attentionBias && c.SlidingWindow > 0 && !c.QKNorm {
		return nil, fmt.Errorf("%w: of transformers' relatives of Llama those with normalised heads or a sliding window lack such biases: train with model.bias false", nn.ErrNoCounterpart)
	}
	if c.Positions != Rotary {
		return nil, fmt.Errorf("%w: those of Llama's family have rotary positions: train with model.positions %s, or family gpt2, which with %s is an MPT", nn.ErrNoCounterpart, Rotary, ALiBi)
	}
	if c.Attention != nil {
		return nil, fmt.Errorf("%w: those of Llama's family see all pairs or a window: train without model.attention", nn.ErrNoCounterpart)
	}
	if c.RopeScaling != nil {
		keys["rope_scaling"] = ropeParameters(c) // for transformers before 5
	}
	switch {
	case c.QKNorm, c.QKVBias:
		if c.QKNorm {
			keys["model_type"], keys["architectures"] = typeQwen3, []string{"Qwen3ForCausalLM"}
			keys["attention_bias"] = attentionBias
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
		keys["attention_bias"], keys["mlp_bias"] = attentionBias, mlpBias
	}
	return keys, nil
}
