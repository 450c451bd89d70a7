package seq2seq

import (
	"fmt"
	"slices"

	"example.com/gotrain/nn"
)

// Values of model_type.
const (
	typeMarian = "marian"
	typeBART   = "bart"
	typeT5     = "t5"
)

// HuggingFace returns the keys of the config.json of a MarianMTModel, of a
// BartForConditionalGeneration or of a T5ForConditionalGeneration.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := &m.config
	switch c.Variant {
	case T5:
		return c.t5Keys()
	case LSTM:
		return nil, fmt.Errorf("%w: transformers has no encoder and decoder of LSTMs: train with model.variant %s, %s or %s", nn.ErrNoCounterpart, Transformer, BART, T5)
	}
	if !nn.IsSet(c.Tied) {
		return nil, fmt.Errorf("%w: MarianMTModel and BartForConditionalGeneration have a head that is the table of tokens: train with model.tied true", nn.ErrNoCounterpart)
	}
	if c.NormEps != 1e-5 {
		return nil, fmt.Errorf("%w: the norms of MarianMTModel and BartForConditionalGeneration have an epsilon of 1e-5: train with model.norm_eps 1e-5", nn.ErrNoCounterpart)
	}
	keys := map[string]any{
		"model_type":              typeMarian,
		"architectures":           []string{"MarianMTModel"},
		"vocab_size":              c.Vocab,
		"max_position_embeddings": c.Context,
		"d_model":                 c.Width,
		"encoder_layers":          c.Layers,
		"decoder_layers":          c.DecoderLayers,
		"encoder_attention_heads": c.Heads,
		"decoder_attention_heads": c.Heads,
		"encoder_ffn_dim":         c.FFN,
		"decoder_ffn_dim":         c.FFN,
		"activation_function":     nn.ActivationName(c.Activation),
		"scale_embedding":         nn.IsSet(c.ScaleEmbeddings),
		"dropout":                 c.Dropout,
		"attention_dropout":       0.0,
		"activation_dropout":      0.0,
		"encoder_layerdrop":       0.0,
		"decoder_layerdrop":       0.0,
		"init_std":                c.InitStd,
		"is_encoder_decoder":      true,
		"tie_word_embeddings":     true,
		// What is forced on the last place and on the first are matters of a checkpoint.
		"forced_eos_token_id": nil,
		"use_cache":           true,
		"dtype":               "float32",
	}
	if c.Variant == BART {
		keys["model_type"], keys["architectures"] = typeBART, []string{"BartForConditionalGeneration"}
		return keys, nil
	}
	keys["decoder_vocab_size"] = c.Vocab
	keys["share_encoder_decoder_embeddings"] = true
	return keys, nil
}

// keys are those of config.json that the family knows.
var keys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "d_model"),
	nn.KeyRows(nn.Used, "", []string{typeMarian, typeBART}, "encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_attention_heads", "encoder_ffn_dim", "decoder_ffn_dim",
		"activation_function", "scale_embedding", "dropout", "init_std", "max_position_embeddings"),
	nn.KeyRows(nn.Used, "", []string{typeMarian}, "decoder_vocab_size"),
	t5KeyRows,
	nn.KeyRows(nn.Harmless, "encoder_layers says it", []string{typeMarian, typeBART}, "num_hidden_layers"),
	nn.KeyRows(nn.Harmless, "attention weights, activations and layers are never dropped here, and only training would", nil,
		"attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop", "classifier_dropout", "classif_dropout"),
	nn.KeyRows(nn.Harmless, "the model_type decides what is computed", nil, "is_encoder_decoder", "add_bias_logits", "add_final_layer_norm", "classifier_head", "normalize_embedding", "static_position_embeddings",
		"extra_pos_embeddings", "force_bos_token_to_be_generated"),
	nn.Keys{
		{Name: "share_encoder_decoder_embeddings", Use: nn.Refused, Why: "both sides have one table of tokens here", On: []string{"false"}, Off: []string{"true"}, Types: []string{typeMarian}},
		{Name: "normalize_before", Use: nn.Refused, Why: "norms stand behind the branches here"},
	},
)

// fromHuggingFace reads a config.json of model_type marian, bart or t5; see nn.Hub.
func fromHuggingFace(raw nn.HF) (any, error) {
	if raw.ModelType() == typeT5 {
		return fromT5(raw)
	}
	c := &Config{
		Variant:         Transformer,
		Context:         raw.Int("max_position_embeddings", 1024),
		Width:           raw.Int("d_model", 1024),
		Layers:          raw.Int("encoder_layers", 12),
		DecoderLayers:   raw.Int("decoder_layers", 12),
		Heads:           raw.Int("encoder_attention_heads", 16),
		FFN:             raw.Int("encoder_ffn_dim", 4096),
		Activation:      raw.Activation("activation_function", "gelu"),
		Dropout:         raw.Float("dropout", 0.1),
		InitStd:         raw.Float("init_std", 0.02),
		ScaleEmbeddings: nn.Bool(raw.Bool("scale_embedding", false)),
		Tied:            nn.Bool(raw.Bool("tie_word_embeddings", true)),
		LogitsBias:      nn.Bool(true), // the weights tell whether it is there
	}
	vocab := 58101
	if raw.ModelType() == typeBART {
		c.Variant, vocab = BART, 50265
	}
	c.Vocab = raw.Int("vocab_size", vocab)
	if n := raw.Int("decoder_vocab_size", c.Vocab); raw.ModelType() == typeMarian && n != c.Vocab {
		raw.Fault("decoder_vocab_size", "%d differs from vocab_size, which is %d: both sides have one table of tokens here", n, c.Vocab)
	}
	for _, same := range []struct {
		key  string
		want int
	}{{"decoder_attention_heads", c.Heads}, {"decoder_ffn_dim", c.FFN}} {
		if n := raw.Int(same.key, same.want); n != same.want {
			raw.Fault(same.key, "%d is not supported: encoder and decoder have the same width of layers here, which is %d", n, same.want)
		}
	}
	return c, raw.Finish(c)
}
