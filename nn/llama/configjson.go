package llama

import (
	"slices"

	"example.com/gotrain/nn"
)

// of are lists of model_type.
var (
	ofLlama    = []string{typeLlama}
	ofMistral  = []string{typeMistral}
	ofQwen2    = []string{typeQwen2}
	ofQwen     = []string{typeQwen2, typeQwen3}
	ofBias     = []string{typeLlama, typeQwen3}
	ofNoWindow = []string{typeLlama, typeMistral}
)

// keys are those of config.json that Llama and its relatives know.
var keys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act",
		"max_position_embeddings", "original_max_position_embeddings", "rms_norm_eps", "initializer_range", "rope_theta", "rope_parameters", "rope_scaling", "layer_types"),
	nn.KeyRows(nn.Used, "", ofBias, "attention_bias"),
	nn.KeyRows(nn.Used, "", ofLlama, "mlp_bias"),
	nn.KeyRows(nn.Used, "", ofMistral, "sliding_window"),
	nn.KeyRows(nn.Used, "", ofQwen, "sliding_window", "use_sliding_window", "max_window_layers"),
	nn.KeyRows(nn.Refused, "transformers' model of this type has none", ofMistral, "attention_bias"),
	nn.KeyRows(nn.Harmless, "queries, keys and values always have one", ofQwen2, "attention_bias"),
	nn.KeyRows(nn.Refused, "transformers' model of this type has none", nil, "mlp_bias"),
	nn.KeyRows(nn.Refused, "transformers' LlamaForCausalLM has no window: model_type mistral has", ofLlama, "sliding_window"),
	nn.KeyRows(nn.Refused, "transformers' model of this type has no such switch", ofNoWindow, "use_sliding_window"),
	nn.KeyRows(nn.Harmless, "it means nothing without use_sliding_window", ofNoWindow, "max_window_layers"),
	nn.KeyRows(nn.Used, "", nil, "attention_dropout"),
	nn.KeyRows(nn.Harmless, "attention_dropout says it", nil, "attn_pdrop"),
	nn.KeyRows(nn.Harmless, "it cuts the same product into parts", nil, "pretraining_tp"),
)

// defaults are those of transformers for the keys whose defaults differ by type.
type defaults struct{ vocab, ffn, context, kvHeads, headDim int }

var defaultsOf = map[string]defaults{
	typeLlama:   {vocab: 32000, ffn: 11008, context: 2048},
	typeMistral: {vocab: 32000, ffn: 14336, context: 4096 * 32, kvHeads: 8},
	typeQwen2:   {vocab: 151936, ffn: 22016, context: 32768, kvHeads: 32},
	typeQwen3:   {vocab: 151936, ffn: 22016, context: 32768, kvHeads: 32, headDim: 128},
}

// fromHuggingFace reads a config.json of llama or a relative; see nn.Hub. Layers
// with different windows are among what is not computed.
func fromHuggingFace(raw nn.HF) (any, error) {
	absent := defaultsOf[raw.ModelType()]
	c := &Config{
		Vocab:            raw.Int("vocab_size", absent.vocab),
		Context:          raw.Int("max_position_embeddings", absent.context),
		Width:            raw.Int("hidden_size", 4096),
		FFN:              raw.Int("intermediate_size", absent.ffn),
		Layers:           raw.Int("num_hidden_layers", 32),
		Heads:            raw.Int("num_attention_heads", 32),
		HeadDim:          raw.Int("head_dim", absent.headDim),
		Activation:       raw.Activation("hidden_act", "silu"),
		NormEps:          raw.Float("rms_norm_eps", 1e-6),
		AttentionDropout: raw.Float("attention_dropout", 0),
		InitStd:          raw.Float("initializer_range", 0.02),
		Tied:             nn.Bool(raw.Bool("tie_word_embeddings", false)),
		QKVBias:          raw.ModelType() == typeQwen2,
		QKNorm:           raw.ModelType() == typeQwen3,
	}
	c.KVHeads = c.Heads
	if absent.kvHeads > 0 && !raw.IsNull("num_key_value_heads") {
		c.KVHeads = absent.kvHeads
	}
	c.KVHeads = raw.Int("num_key_value_heads", c.KVHeads)
	readRope(raw, c)
	readBiases(raw, c)
	readWindow(raw, c)
	return c, raw.Finish(c)
}

// readBiases reads which linear layers have a bias.
func readBiases(raw nn.HF, c *Config) {
	var attention, mlp bool
	if slices.Contains(ofBias, raw.ModelType()) {
		attention = raw.Bool("attention_bias", false)
	}
	if slices.Contains(ofLlama, raw.ModelType()) {
		mlp = raw.Bool("mlp_bias", false)
	}
	c.Bias = nn.Bool(attention && mlp)
	if !nn.IsSet(c.Bias) {
		c.AttentionBias, c.MLPBias = attention, mlp
	}
}

// readWindow reads the window, which all layers have or none.
func readWindow(raw nn.HF, c *Config) {
	const full, sliding = "full_attention", "sliding_attention"
	switch raw.ModelType() {
	case typeMistral:
		c.SlidingWindow = window(raw)
	case typeQwen2, typeQwen3:
		if !raw.Bool("use_sliding_window", false) {
			break
		}
		size, from := window(raw), raw.Int("max_window_layers", 28)
		layers := raw.Strings("layer_types")
		switch {
		case size == 0 || layers != nil && !slices.Contains(layers, sliding) || layers == nil && from >= c.Layers:
		case layers != nil || from <= 0:
			c.SlidingWindow = size
		default:
			raw.Fault("max_window_layers", "%d is not supported: of %d layers those from this one on have the window, but here all have it or none", from, c.Layers)
		}
	}
	want := full
	if c.SlidingWindow > 0 {
		want = sliding
	}
	types := raw.Strings("layer_types")
	for _, kind := range types {
		if kind != want {
			raw.Fault("layer_types", "%q is not supported beside the sliding window of %d tokens, which all layers have or none", kind, c.SlidingWindow)
			return
		}
	}
	if types != nil && len(types) != c.Layers {
		raw.Fault("layer_types", "there are %d for %d layers", len(types), c.Layers)
	}
}

// window reads sliding_window, where null means none.
func window(raw nn.HF) int {
	if raw.IsNull("sliding_window") {
		return 0
	}
	return raw.Int("sliding_window", 4096)
}
