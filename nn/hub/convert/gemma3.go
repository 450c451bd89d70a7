package convert

import (
	"fmt"

	"example.com/gotrain/nn/hub/gguf"
)

// What llama.cpp's gemma3 has whatever a file says.
const (
	gemma3GlobalEvery = 6
	gemma3LocalTheta  = 10000
)

// gemma3Keys are the keys of a Gemma 3 of text.
func gemma3Keys(r *metadataReader, keys map[string]any) error {
	width, heads := r.int("embedding_length"), r.int("attention.head_count")
	if r.err != nil {
		return r.err
	}
	if heads < 1 {
		return fmt.Errorf("key %q is %d", r.prefix+"attention.head_count", heads)
	}
	headDim := r.int("attention.key_length", 256)
	for _, same := range []string{"rope.dimension_count", "attention.value_length"} {
		if n := r.int(same, headDim); n != headDim {
			return fmt.Errorf("key %q is %d: other sizes than that of a head, %d, are not supported", r.prefix+same, n, headDim)
		}
	}
	layers := r.int("block_count")
	keys["max_position_embeddings"] = r.int("context_length")
	keys["hidden_size"], keys["num_attention_heads"], keys["head_dim"] = width, heads, headDim
	keys["num_key_value_heads"] = r.int("attention.head_count_kv", heads)
	keys["intermediate_size"] = r.int("feed_forward_length")
	keys["num_hidden_layers"] = layers
	keys["rms_norm_eps"] = r.float("attention.layer_norm_rms_epsilon")
	keys["hidden_activation"] = "gelu_pytorch_tanh"
	keys["sliding_window"] = r.int("attention.sliding_window")
	keys["sliding_window_pattern"] = r.int("attention.sliding_window_pattern", gemma3GlobalEvery)
	keys["rope_theta"] = r.float("rope.freq_base", 1e6)
	keys["rope_local_base_freq"] = r.float("rope.freq_base_swa", gemma3LocalTheta)
	keys["query_pre_attn_scalar"] = gemma3QueryScale(layers, width, heads, headDim)
	kind, _, err := r.String(r.prefix + "rope.scaling.type")
	if err != nil {
		return err
	}
	switch factor := r.float("rope.scaling.factor", 1); {
	case kind == "none" || factor == 1 || factor == 0:
	case kind == "linear" || kind == "":
		keys["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": factor}
	default:
		return fmt.Errorf("key %q: %q is not supported", r.prefix+"rope.scaling.type", kind)
	}
	return nil
}

// gemma3QueryScale is what llama.cpp divides the squared scores by, which no key tells:
// that of Gemma 3 27B is another one.
func gemma3QueryScale(layers, width, heads, headDim int) int {
	if layers == 62 && heads > 0 {
		return width / heads
	}
	return headDim
}

// gemma3Metadata are the sizes of a Gemma 3, or the error of one that llama.cpp computes
// otherwise.
func (k hubKeys) gemma3Metadata() (gguf.Metadata, error) {
	if want := gemma3QueryScale(k.Layers, k.Width, k.Heads, k.HeadDim); k.QueryScale != float64(want) {
		return nil, fmt.Errorf("llama.cpp's gemma3 has query_pre_attn_scalar %d, this model %g: it cannot be written as GGUF", want, k.QueryScale)
	}
	if k.GlobalEvery != gemma3GlobalEvery {
		return nil, fmt.Errorf("llama.cpp's gemma3 has one global layer of %d, this model of %d: it cannot be written as GGUF", gemma3GlobalEvery, k.GlobalEvery)
	}
	if k.LocalTheta != gemma3LocalTheta {
		return nil, fmt.Errorf("llama.cpp's gemma3 turns the positions of local layers by the base %d, this model by %g: it cannot be written as GGUF", gemma3LocalTheta, k.LocalTheta)
	}
	m := k.sizes("gemma3")
	add := func(key string, value any) { m = append(m, gguf.KV{Key: "gemma3." + key, Value: value}) }
	add("attention.sliding_window", uint32(k.Window))
	add("rope.freq_base", float32(k.Theta))
	if k.OldRope.kind() == "linear" {
		add("rope.scaling.type", "linear")
		add("rope.scaling.factor", float32(k.OldRope.Factor))
	}
	return m, nil
}
