package convert

import (
	"encoding/json"
	"fmt"
	"slices"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// hubKeys are the keys of a config.json that GGUF's metadata say too: those of
// Llama and its relatives, then those of GPT-2.
type hubKeys struct {
	ModelType string `json:"model_type"`
	Vocab     int    `json:"vocab_size"`

	Layers     int     `json:"num_hidden_layers"`
	Context    int     `json:"max_position_embeddings"`
	Width      int     `json:"hidden_size"`
	FFN        int     `json:"intermediate_size"`
	Heads      int     `json:"num_attention_heads"`
	KVHeads    int     `json:"num_key_value_heads"`
	HeadDim    int     `json:"head_dim"`
	Eps        float64 `json:"rms_norm_eps"`
	Activation string  `json:"hidden_act"`
	HiddenAct  string  `json:"hidden_activation"` // Gemma's
	Theta      float64 `json:"rope_theta"`
	Window     int     `json:"sliding_window"` // 0 for null
	Rope       rope    `json:"rope_parameters"`
	Bias       bool    `json:"attention_bias"`

	LocalTheta  float64 `json:"rope_local_base_freq"`
	QueryScale  float64 `json:"query_pre_attn_scalar"`
	GlobalEvery int     `json:"sliding_window_pattern"`
	OldRope     rope    `json:"rope_scaling"`

	NLayer      int     `json:"n_layer"`
	NPositions  int     `json:"n_positions"`
	NEmbd       int     `json:"n_embd"`
	NInner      int     `json:"n_inner"`
	NHead       int     `json:"n_head"`
	LayerEps    float64 `json:"layer_norm_epsilon"`
	ActFunction string  `json:"activation_function"`
}

// hubKeysOf reads the config.json of a model that transformers computes.
func hubKeysOf(m nn.Model) (hubKeys, error) {
	var k hubKeys
	values, err := m.HuggingFace()
	if err != nil {
		return k, fmt.Errorf("llama.cpp knows what transformers knows: %w", err)
	}
	text, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	return k, err
}

// architecture finds the one that computes the model.
func (k hubKeys) architecture() (architecture, error) {
	i := slices.IndexFunc(architectures, func(a architecture) bool { return slices.Contains(a.modelTypes, k.ModelType) })
	if i < 0 {
		return architecture{}, fmt.Errorf("GGUF has no architecture that this program writes for model_type %q", k.ModelType)
	}
	a, activation := architectures[i], k.Activation+k.HiddenAct+k.ActFunction
	if activation != a.activation {
		return a, fmt.Errorf("llama.cpp's %s has the activation %s, this model %s: it cannot be written as GGUF", a.name, a.activation, activation)
	}
	if k.Bias && a.name != "llama" {
		return a, fmt.Errorf("llama.cpp's %s has no biases of this model's attention (attention_bias): it cannot be written as GGUF", a.name)
	}
	return a, nil
}

// gpt2Metadata are the sizes of a GPT-2.
func (k hubKeys) gpt2Metadata() gguf.Metadata {
	return gguf.Metadata{
		{Key: "gpt2.block_count", Value: uint32(k.NLayer)},
		{Key: "gpt2.context_length", Value: uint32(k.NPositions)},
		{Key: "gpt2.embedding_length", Value: uint32(k.NEmbd)},
		{Key: "gpt2.feed_forward_length", Value: uint32(k.NInner)},
		{Key: "gpt2.attention.head_count", Value: uint32(k.NHead)},
		{Key: "gpt2.attention.layer_norm_epsilon", Value: float32(k.LayerEps)},
	}
}

// sizes are those that llama.cpp has of Llama, its relatives and Gemma alike, under the name
// of an architecture.
func (k hubKeys) sizes(architecture string) gguf.Metadata {
	var m gguf.Metadata
	add := func(key string, value any) { m = append(m, gguf.KV{Key: architecture + "." + key, Value: value}) }
	add("vocab_size", uint32(k.Vocab))
	add("block_count", uint32(k.Layers))
	add("context_length", uint32(k.Context))
	add("embedding_length", uint32(k.Width))
	add("feed_forward_length", uint32(k.FFN))
	add("attention.head_count", uint32(k.Heads))
	add("attention.head_count_kv", uint32(k.KVHeads))
	add("attention.key_length", uint32(k.HeadDim))
	add("attention.value_length", uint32(k.HeadDim))
	add("attention.layer_norm_rms_epsilon", float32(k.Eps))
	return m
}

// llamaMetadata are the sizes of Llama and its relatives.
func (k hubKeys) llamaMetadata(a architecture, scaling rope, r *Report) (gguf.Metadata, error) {
	m := k.sizes(a.name)
	add := func(key string, value any) { m = append(m, gguf.KV{Key: a.name + "." + key, Value: value}) }
	add("rope.dimension_count", uint32(k.HeadDim))
	add("rope.freq_base", float32(k.Theta))
	if k.Window > 0 {
		add("attention.sliding_window", uint32(k.Window))
		r.Notes = append(r.Notes, fmt.Sprintf("llama.cpp's %s ignores the sliding window of %d tokens: longer texts come out differently there", a.name, k.Window))
	}
	more, err := scaling.metadata(a.name + ".")
	return append(m, more...), err
}
