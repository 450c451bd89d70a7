package seq2seq

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/nn"
)

// gatedPrefix stands before the activation of a gated feed-forward layer.
const gatedPrefix = "gated-"

// t5Keys are the keys of the config.json of a T5ForConditionalGeneration.
func (c *Config) t5Keys() (map[string]any, error) {
	projection := nn.ActivationName(c.Activation)
	if c.Gated {
		switch c.Activation {
		case "gelu": // transformers takes the name for the other
			return nil, fmt.Errorf("%w: the gated GELU of T5ForConditionalGeneration is the one with tanh: train with model.activation gelu_tanh", nn.ErrNoCounterpart)
		case "gelu_tanh":
			projection = "gelu"
		}
		projection = gatedPrefix + projection
	}
	return map[string]any{
		"model_type":                      typeT5,
		"architectures":                   []string{"T5ForConditionalGeneration"},
		"vocab_size":                      c.Vocab,
		"n_positions":                     c.Context,
		"d_model":                         c.Width,
		"d_kv":                            c.HeadDim,
		"d_ff":                            c.FFN,
		"num_layers":                      c.Layers,
		"num_decoder_layers":              c.DecoderLayers,
		"num_heads":                       c.Heads,
		"relative_attention_num_buckets":  c.Buckets,
		"relative_attention_max_distance": c.MaxDistance,
		"dropout_rate":                    c.Dropout,
		"layer_norm_epsilon":              c.NormEps,
		"initializer_factor":              decimal(c.InitStd * math.Sqrt(float64(c.Width))),
		"feed_forward_proj":               projection,
		"is_encoder_decoder":              true,
		"tie_word_embeddings":             nn.IsSet(c.Tied),
		"scale_decoder_outputs":           nn.IsSet(c.ScaleLogits),
		"use_cache":                       true,
		"dtype":                           "float32",
	}, nil
}

// decimal is x with a point: transformers takes no whole number there.
func decimal(x float64) json.RawMessage {
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// t5KeyRows are the keys of config.json that T5 alone has.
var t5KeyRows = slices.Concat(
	nn.KeyRows(nn.Used, "", []string{typeT5}, "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads", "relative_attention_num_buckets", "relative_attention_max_distance",
		"dropout_rate", "layer_norm_epsilon", "initializer_factor", "feed_forward_proj", "n_positions", "scale_decoder_outputs"),
	nn.KeyRows(nn.Harmless, "feed_forward_proj says it", []string{typeT5}, "dense_act_fn", "is_gated_act"),
)

// fromT5 reads a config.json of model_type t5; see nn.Hub. Files that tell no n_positions
// are of models without a limit, which were trained on 512 tokens.
func fromT5(raw nn.HF) (any, error) {
	width := raw.Int("d_model", 512)
	tied := raw.Bool("tie_word_embeddings", true)
	c := &Config{
		Variant:       T5,
		Context:       raw.Int("n_positions", 512),
		Vocab:         raw.Int("vocab_size", 32128),
		Width:         width,
		HeadDim:       raw.Int("d_kv", 64),
		FFN:           raw.Int("d_ff", 2048),
		Layers:        raw.Int("num_layers", 6),
		Heads:         raw.Int("num_heads", 8),
		Buckets:       raw.Int("relative_attention_num_buckets", 32),
		MaxDistance:   raw.Int("relative_attention_max_distance", 128),
		Dropout:       raw.Float("dropout_rate", 0.1),
		NormEps:       raw.Float("layer_norm_epsilon", 1e-6),
		InitStd:       raw.Float("initializer_factor", 1) / math.Sqrt(float64(max(width, 1))),
		Tied:          nn.Bool(tied),
		ScaleLogits:   nn.Bool(raw.Bool("scale_decoder_outputs", tied)),
		DecoderLayers: raw.Int("num_decoder_layers", 0),
	}
	name, gated := strings.CutPrefix(raw.String("feed_forward_proj", "relu"), gatedPrefix)
	if gated && name == "gelu" {
		name = "gelu_new"
	}
	c.Gated, c.Activation = gated, nn.ActivationOf(name)
	if c.Activation == "" {
		raw.Fault("feed_forward_proj", "activation %q is not supported", name)
	}
	return c, raw.Finish(c)
}
