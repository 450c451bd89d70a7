package clip

import (
	"encoding/json"
	"fmt"

	"example.com/gotrain/nn"
)

// modelType is that of a CLIPTextModel's config.json.
const modelType = "clip_text_model"

// Parse reads the config.json of a CLIPTextModel. Absent keys take transformers' defaults.
func Parse(text []byte) (Config, error) {
	h := struct {
		Type       string  `json:"model_type"`
		Layers     int     `json:"num_hidden_layers"`
		Heads      int     `json:"num_attention_heads"`
		Width      int     `json:"hidden_size"`
		FFN        int     `json:"intermediate_size"`
		Context    int     `json:"max_position_embeddings"`
		Vocab      int     `json:"vocab_size"`
		Activation string  `json:"hidden_act"`
		NormEps    float64 `json:"layer_norm_eps"`
	}{Layers: 12, Heads: 8, Width: 512, FFN: 2048, Context: 77, Vocab: 49408, Activation: quickGELU, NormEps: 1e-5}
	if err := json.Unmarshal(text, &h); err != nil {
		return Config{}, err
	}
	if h.Type != modelType {
		return Config{}, fmt.Errorf("model_type is %q: the text encoder of a pipeline is a %s here", h.Type, modelType)
	}
	c := Config{Layers: h.Layers, Heads: h.Heads, Width: h.Width, FFN: h.FFN, Context: h.Context, Vocab: h.Vocab, Activation: h.Activation, NormEps: h.NormEps}
	if h.Activation != quickGELU {
		if c.Activation = nn.ActivationOf(h.Activation); c.Activation == "" {
			return c, fmt.Errorf("hidden_act is %q, which is not known here", h.Activation)
		}
	}
	return c, c.Validate()
}
