package gemma3

import (
	"fmt"
	"slices"

	"example.com/gotrain/nn"
)

// typeText is the model_type of Gemma3ForCausalLM.
const typeText = "gemma3_text"

// Kinds of layers in layer_types and rope_parameters, and types of rope_parameters.
const (
	local, global = "sliding_attention", "full_attention"
	ropeDefault   = "default"
	ropeLinear    = "linear"
)

// HuggingFace returns the keys of a Gemma3ForCausalLM's config.json.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := m.Config().(*Config)
	activation := nn.ActivationName(c.Activation)
	if c.Activation == "gelu_tanh" {
		activation = "gelu_pytorch_tanh" // as Gemma's files call it
	}
	types := make([]string, c.Layers)
	for i := range types {
		types[i] = local
		if c.global(i) {
			types[i] = global
		}
	}
	rope := map[string]any{"rope_type": ropeDefault, "rope_theta": c.RopeTheta}
	keys := map[string]any{
		"model_type":              typeText,
		"architectures":           []string{"Gemma3ForCausalLM"},
		"vocab_size":              c.Vocab,
		"max_position_embeddings": c.Context,
		"hidden_size":             c.Width,
		"intermediate_size":       c.FFN,
		"num_hidden_layers":       c.Layers,
		"num_attention_heads":     c.Heads,
		"num_key_value_heads":     c.KVHeads,
		"head_dim":                c.HeadDim,
		"hidden_activation":       activation,
		"rms_norm_eps":            c.NormEps,
		"initializer_range":       c.InitStd,
		"tie_word_embeddings":     nn.IsSet(c.Tied),
		"query_pre_attn_scalar":   scalar(c.QueryScale),
		"sliding_window":          c.SlidingWindow,
		"sliding_window_pattern":  c.GlobalEvery, // for transformers before layer_types
		"layer_types":             types,
		"rope_theta":              c.RopeTheta,
		"rope_local_base_freq":    c.LocalRopeTheta,
		"rope_parameters":         map[string]any{global: rope, local: map[string]any{"rope_type": ropeDefault, "rope_theta": c.LocalRopeTheta}},
		"attention_bias":          c.AttentionBias,
		"attention_dropout":       0.0,
		"attn_logit_softcapping":  nil,
		"final_logit_softcapping": nil,
		"use_cache":               true,
		"dtype":                   "float32",
	}
	if c.RopeFactor != 1 {
		rope["rope_type"], rope["factor"] = ropeLinear, c.RopeFactor
		keys["rope_scaling"] = map[string]any{"rope_type": ropeLinear, "factor": c.RopeFactor} // for transformers before 5
	}
	if c.QueryScale != float64(int(c.QueryScale)) {
		return nil, fmt.Errorf("%w: query_pre_attn_scalar of Gemma3ForCausalLM is a whole number: train with a whole model.query_scale", nn.ErrNoCounterpart)
	}
	return keys, nil
}

// scalar is a number as transformers wants it, without a fraction.
func scalar(x float64) int { return int(x) }

// keys are those of config.json that Gemma 3 knows.
var keys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_activation",
		"max_position_embeddings", "rms_norm_eps", "initializer_range", "query_pre_attn_scalar", "sliding_window", "sliding_window_pattern", "_sliding_window_pattern", "layer_types",
		"rope_theta", "rope_local_base_freq", "rope_parameters", "rope_scaling", "attention_bias"),
	nn.KeyRows(nn.Harmless, "hidden_activation says it", nil, "hidden_act"),
	nn.KeyRows(nn.Harmless, "attention weights are never dropped here, and only training would", nil, "attention_dropout"),
)

// ropeKeys are those of a part of rope_parameters, and of rope_scaling.
var ropeKeys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "rope_type", "type", "rope_theta", "factor"),
	nn.Keys{{Name: "partial_rotary_factor", Use: nn.Refused, Why: "rotary positions turn whole heads here", Off: []string{"1"}}},
)

// fromHuggingFace reads a config.json of model_type gemma3_text; see nn.Hub.
func fromHuggingFace(raw nn.HF) (any, error) {
	c := &Config{
		Vocab:         raw.Int("vocab_size", 262208),
		Context:       raw.Int("max_position_embeddings", 131072),
		Width:         raw.Int("hidden_size", 2304),
		FFN:           raw.Int("intermediate_size", 9216),
		Layers:        raw.Int("num_hidden_layers", 26),
		Heads:         raw.Int("num_attention_heads", 8),
		KVHeads:       raw.Int("num_key_value_heads", 4),
		HeadDim:       raw.Int("head_dim", 256),
		Activation:    raw.Activation("hidden_activation", "gelu_pytorch_tanh"),
		NormEps:       raw.Float("rms_norm_eps", 1e-6),
		InitStd:       raw.Float("initializer_range", 0.02),
		Tied:          nn.Bool(raw.Bool("tie_word_embeddings", true)),
		QueryScale:    raw.Float("query_pre_attn_scalar", 256),
		SlidingWindow: raw.Int("sliding_window", 4096),
		AttentionBias: raw.Bool("attention_bias", false),
	}
	if raw.IsNull("sliding_window") {
		raw.Fault("sliding_window", "null is not supported: local layers have a window; a model of global ones says so in layer_types")
	}
	readLayers(raw, c)
	readRope(raw, c)
	return c, raw.Finish(c)
}

// readLayers reads which layers are global: each of so many.
func readLayers(raw nn.HF, c *Config) {
	c.GlobalEvery = raw.Int("sliding_window_pattern", raw.Int("_sliding_window_pattern", 6))
	types := raw.Strings("layer_types")
	switch {
	case c.GlobalEvery < 1:
		raw.Fault("sliding_window_pattern", "%d is not above 0", c.GlobalEvery)
		return
	case types == nil:
		return
	case len(types) != c.Layers:
		raw.Fault("layer_types", "there are %d for %d layers", len(types), c.Layers)
		return
	}
	if first := slices.Index(types, global); first >= 0 {
		c.GlobalEvery = first + 1
	} else if c.GlobalEvery <= c.Layers {
		c.GlobalEvery = c.Layers + 1
	}
	for i, kind := range types {
		switch {
		case kind != local && kind != global:
			raw.Fault("layer_types", "%q is not supported: layers are %s or %s", kind, local, global)
			return
		case (kind == global) != c.global(i):
			raw.Fault("layer_types", "layer %d is %s, but here each %d. layer is %s and the others are not, as in Gemma 3", i, kind, c.GlobalEvery, global)
			return
		}
	}
}

// readRope reads the rotary positions of both kinds of layers as transformers 5 does:
// rope_scaling goes before rope_parameters, and these before the keys beside them.
func readRope(raw nn.HF, c *Config) {
	c.RopeTheta, c.LocalRopeTheta, c.RopeFactor = raw.Float("rope_theta", 1e6), raw.Float("rope_local_base_freq", 10000), 1
	parameters := raw.Object("rope_parameters")
	parameters.CheckStrictly(nn.KeyRows(nn.Used, "", nil, local, global), "local and global layers have their own, under "+local+" and "+global)
	readSection(parameters.Object(local), &c.LocalRopeTheta, nil)
	readSection(parameters.Object(global), &c.RopeTheta, &c.RopeFactor)
	readSection(raw.Object("rope_scaling"), &c.RopeTheta, &c.RopeFactor)
}

// readSection reads a base and a factor, nil where there may be none.
func readSection(section nn.HF, theta, factor *float64) {
	if section.Size() == 0 {
		return
	}
	section.Check(ropeKeys, "")
	*theta = section.Float("rope_theta", *theta)
	switch kind := section.String("rope_type", section.String("type", ropeDefault)); {
	case kind == ropeDefault:
	case kind == ropeLinear && factor != nil:
		if *factor = section.Float("factor", 0); !section.Has("factor") {
			section.Fault("factor", "is missing")
		}
	case factor == nil:
		section.Fault("rope_type", "%q is not supported: positions of local layers are not scaled", kind)
	default:
		section.Fault("rope_type", "%q is not supported: Gemma 3 has %s or %s", kind, ropeDefault, ropeLinear)
	}
}
