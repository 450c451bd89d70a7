package clip

import (
	"math"
	"slices"

	"example.com/gotrain/nn"
)

// pairType is the model_type of a CLIPModel's config.json.
const pairType = "clip"

// HuggingFace returns the keys of transformers' CLIPConfig.
func (m *Pair) HuggingFace() (map[string]any, error) {
	c, p := m.config, m.config.Picture
	text := c.Text.keys()
	text["projection_dim"] = c.Projection
	return map[string]any{
		"architectures": []string{"CLIPModel"}, "model_type": pairType, "dtype": "float32", "projection_dim": c.Projection,
		"logit_scale_init_value": -math.Log(c.Temperature), "text_config": text,
		"vision_config": map[string]any{
			"model_type": "clip_vision_model", "hidden_size": p.Width, "intermediate_size": p.FFN, "num_hidden_layers": p.Layers, "num_attention_heads": p.Heads,
			"image_size": p.Size, "patch_size": p.Patch, "num_channels": p.Channels, "hidden_act": activationName(p.Activation), "layer_norm_eps": p.NormEps,
			"projection_dim": c.Projection,
		},
	}, nil
}

// pairKeys are those of config.json that the family knows.
var pairKeys = slices.Concat(nn.KeyRows(nn.Used, "", nil, "text_config", "vision_config", "projection_dim", "logit_scale_init_value"),
	nn.KeyRows(nn.Harmless, "it is of first weights alone", nil, "initializer_factor"),
	nn.KeyRows(nn.Harmless, "text_config says it", nil, "vocab_size"),
	nn.KeyRows(nn.Harmless, "there is no head whose weights could be those of tokens", nil, "tie_word_embeddings"))

// towerKeys are those of text_config and vision_config, before those that all configurations have.
var towerKeys = slices.Concat(nn.KeyRows(nn.Used, "", nil, "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
	"vocab_size", "hidden_act", "layer_norm_eps", "initializer_range", "image_size", "patch_size", "num_channels", "projection_dim"),
	nn.KeyRows(nn.Harmless, "attention weights are never dropped here, and only training would", nil, "attention_dropout"),
	nn.KeyRows(nn.Harmless, "it is of first weights alone", nil, "initializer_factor"), nn.CommonKeys)

// parsePair reads a config.json of model_type clip; see nn.Hub.
func parsePair(raw nn.HF) (any, error) {
	c := &PairConfig{Projection: raw.Int("projection_dim", 512), Temperature: math.Exp(-raw.Float("logit_scale_init_value", 2.6592))}
	t := raw.Object("text_config")
	c.Text = Config{Width: t.Int("hidden_size", 512), FFN: t.Int("intermediate_size", 2048), Layers: t.Int("num_hidden_layers", 12), Heads: t.Int("num_attention_heads", 8),
		Context: t.Int("max_position_embeddings", 77), Vocab: t.Int("vocab_size", 49408), Activation: activation(t), NormEps: t.Float("layer_norm_eps", 1e-5),
		InitStd: t.Float("initializer_range", 0.02)}
	p := raw.Object("vision_config")
	c.Picture = PictureConfig{Width: p.Int("hidden_size", 768), FFN: p.Int("intermediate_size", 3072), Layers: p.Int("num_hidden_layers", 12), Heads: p.Int("num_attention_heads", 12),
		Size: p.Int("image_size", 224), Patch: p.Int("patch_size", 32), Channels: p.Int("num_channels", 3), Activation: activation(p), NormEps: p.Float("layer_norm_eps", 1e-5)}
	t.Check(towerKeys, t.ModelType())
	p.Check(towerKeys, p.ModelType())
	return c, raw.Finish(c)
}

// activation reads hidden_act.
func activation(h nn.HF) string {
	if name := h.String("hidden_act", quickGELU); name != quickGELU {
		return h.Activation("hidden_act", quickGELU)
	}
	return quickGELU
}
