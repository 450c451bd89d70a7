package bert

import (
	"fmt"
	"slices"
	"strconv"

	"example.com/gotrain/nn"
)

// class is one of transformers, and what its models tell of a text.
type class struct {
	name    string
	outputs nn.Outputs
	labels  bool
}

var classes = []class{
	{"BertForPreTraining", nn.Outputs{Masked: true, Pooled: true, Next: true}, false},
	{"BertForMaskedLM", nn.Outputs{Masked: true}, false},
	{"BertModel", nn.Outputs{Pooled: true}, false},
	{"BertForNextSentencePrediction", nn.Outputs{Pooled: true, Next: true}, false},
	{"BertForSequenceClassification", nn.Outputs{Pooled: true}, true},
}

// architecture is the class that has the heads of c.
func (c *Config) architecture() (string, error) {
	o := c.Outputs()
	if !o.Masked && !o.Next && len(o.Labels) == 0 {
		return "BertModel", nil // with a pooled state or without one
	}
	for _, a := range classes {
		if a.outputs.Masked == o.Masked && a.outputs.Pooled == o.Pooled && a.outputs.Next == o.Next && a.labels == (len(o.Labels) > 0) {
			return a.name, nil
		}
	}
	return "", fmt.Errorf("%w: no class of BERT has these heads together: masked %t, pooled %t, next %t, %d labels", nn.ErrNoCounterpart, o.Masked, o.Pooled, o.Next, len(o.Labels))
}

// HuggingFace returns the keys of the config.json of the class that has the model's
// heads.
func (m *Model) HuggingFace() (map[string]any, error) {
	c := &m.config
	if c.Attention != nil {
		return nil, fmt.Errorf("%w: BERT has no attention of kind %s", nn.ErrNoCounterpart, c.Attention.Kind)
	}
	name, err := c.architecture()
	if err != nil {
		return nil, err
	}
	keys := map[string]any{
		"model_type":                   "bert",
		"architectures":                []string{name},
		"vocab_size":                   c.Vocab,
		"max_position_embeddings":      c.Context,
		"type_vocab_size":              c.Kinds,
		"hidden_size":                  c.Width,
		"num_hidden_layers":            c.Layers,
		"num_attention_heads":          c.Heads,
		"intermediate_size":            c.FFN,
		"hidden_act":                   nn.ActivationName(c.Activation),
		"hidden_dropout_prob":          c.Dropout,
		"attention_probs_dropout_prob": 0.0,
		"layer_norm_eps":               c.NormEps,
		"initializer_range":            c.InitStd,
		"tie_word_embeddings":          nn.IsSet(c.Tied),
		"position_embedding_type":      "absolute",
		"dtype":                        "float32",
	}
	if len(c.Labels) > 0 {
		names, numbers := map[string]string{}, map[string]int{}
		for i, label := range c.Labels {
			names[strconv.Itoa(i)], numbers[label] = label, i
		}
		keys["id2label"], keys["label2id"], keys["problem_type"] = names, numbers, "single_label_classification"
	}
	return keys, nil
}

// keys are those of config.json that BERT knows.
var keys = slices.Concat(
	nn.KeyRows(nn.Used, "", nil, "architectures", "max_position_embeddings", "type_vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
		"intermediate_size", "hidden_act", "hidden_dropout_prob", "layer_norm_eps", "initializer_range", "id2label", "num_labels"),
	nn.KeyRows(nn.Harmless, "hidden_dropout_prob is the dropout of a model", nil, "classifier_dropout"),
	nn.KeyRows(nn.Harmless, "attention weights are never dropped here, and only training would", nil, "attention_probs_dropout_prob"),
	nn.KeyRows(nn.Harmless, "id2label says it", nil, "label2id"),
	nn.KeyRows(nn.Harmless, "it is of TensorFlow's BERT, and no code reads it", nil, "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
		"pooler_size_per_head", "pooler_type"),
	nn.Keys{
		{Name: "is_decoder", Use: nn.Refused, Why: "each token sees all others here"},
		{Name: "is_causal", Use: nn.Refused, Why: "each token sees all others here", On: []string{"true"}},
		{Name: "position_embedding_type", Use: nn.Refused, Why: "positions are a table of learned rows here", Off: []string{`"absolute"`}},
		{Name: "problem_type", Use: nn.Refused, Why: "a text has one class of several here", Off: []string{`"single_label_classification"`}},
	},
)

// fromHuggingFace reads a config.json of model_type bert; see nn.Hub. Which heads there
// are is that of the class that it names, of BertForPreTraining where it names none;
// weights tell more (Config.Stored).
func fromHuggingFace(raw nn.HF) (any, error) {
	c := &Config{
		Vocab:      raw.Int("vocab_size", 30522),
		Context:    raw.Int("max_position_embeddings", 512),
		Kinds:      raw.Int("type_vocab_size", 2),
		Width:      raw.Int("hidden_size", 768),
		Layers:     raw.Int("num_hidden_layers", 12),
		Heads:      raw.Int("num_attention_heads", 12),
		FFN:        raw.Int("intermediate_size", 3072),
		Activation: raw.Activation("hidden_act", "gelu"),
		Dropout:    raw.Float("hidden_dropout_prob", 0.1),
		NormEps:    raw.Float("layer_norm_eps", 1e-12),
		InitStd:    raw.Float("initializer_range", 0.02),
		Tied:       nn.Bool(raw.Bool("tie_word_embeddings", true)),
	}
	is := classes[0]
	if names := raw.Strings("architectures"); len(names) > 0 {
		i := slices.IndexFunc(classes, func(a class) bool { return a.name == names[0] })
		if i < 0 {
			raw.Fault("architectures", "%q is not supported: of BERT there are BertModel, BertForMaskedLM, BertForPreTraining, BertForNextSentencePrediction and BertForSequenceClassification", names[0])
			return c, raw.Err()
		}
		is = classes[i]
	}
	c.SetOutputs(is.outputs)
	if is.labels {
		c.Labels = labels(raw)
	}
	return c, raw.Finish(c)
}

// labels reads the classes: id2label, else so many without names, two where nothing says.
func labels(raw nn.HF) []string {
	var names map[string]string
	raw.Value("id2label", &names)
	if len(names) == 0 {
		return unnamed(raw.Int("num_labels", 2))
	}
	all := make([]string, len(names))
	for id, name := range names {
		i, err := strconv.Atoi(id)
		if err != nil || i < 0 || i >= len(all) {
			raw.Fault("id2label", "%q is not one of the numbers 0 to %d", id, len(all)-1)
			return nil
		}
		all[i] = name
	}
	return all
}

// unnamed are the names that transformers gives to n classes without names.
func unnamed(n int) []string {
	var names []string
	for i := range min(max(n, 0), nn.MaxLayers) {
		names = append(names, "LABEL_"+strconv.Itoa(i))
	}
	return names
}
