package convert

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
)

// openGGUF opens a GGUF file.
func openGGUF(path string, deps Deps) (*source, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, closer: f.Close}
	if err := s.readGGUF(f, deps.Families); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return s, nil
}

func (s *source) readGGUF(f *gguf.File, families nn.Families) error {
	m := f.Metadata()
	name, _, err := m.String("general.architecture")
	if err != nil {
		return err
	}
	at := slices.IndexFunc(architectures, func(a architecture) bool { return a.name == name })
	if at < 0 {
		var known []string
		for _, a := range architectures {
			known = append(known, a.name)
		}
		return fmt.Errorf("key \"general.architecture\": %q is not one of %q", name, known)
	}
	a := architectures[at]
	s.metadata, s.architecture = m, name
	for _, t := range f.Tensors() {
		s.stored = append(s.stored, t.Name)
	}
	note, err := checkMetadata(m, a.name, s.path)
	if err != nil {
		return err
	}
	if note != "" {
		s.notes = append(s.notes, note)
	}
	tied, err := isTied(f)
	if err != nil {
		return err
	}
	keys, err := configKeys(f, a, tied)
	if err != nil {
		return err
	}
	text, err := encodeJSON(keys, "")
	if err != nil {
		return err
	}
	if err := s.build(text, families); err != nil {
		return fmt.Errorf("the model that the metadata describe: %w", err)
	}
	headDim, _ := keys["head_dim"].(int)
	if err := s.takeGGUFTensors(f, a, tied, headDim); err != nil {
		return err
	}
	if s.special, err = ggufSpecial(m, s.vocab()); err != nil {
		return err
	}
	s.tokenizer, err = ggufTokenizer(m, s.context(), s.special)
	s.tokenizer.err = err
	return nil
}

// isTied tells whether the head is the token table: it is not stored, or as a copy.
func isTied(f *gguf.File) (bool, error) {
	table, ok := f.Tensor("token_embd.weight")
	if !ok {
		return false, errors.New("there is no tensor \"token_embd.weight\"")
	}
	head, ok := f.Tensor("output.weight")
	return !ok || head.Type == table.Type && bytes.Equal(head.Data, table.Data), nil
}

// metadataReader reads keys of one architecture; the first fault sticks.
type metadataReader struct {
	gguf.Metadata
	prefix string
	err    error
}

// int reads a whole number; a missing one without default is a fault.
func (r *metadataReader) int(key string, absent ...int) int {
	n, ok, err := r.Int(r.prefix + key)
	return orAbsent(r, key, n, ok, err, absent)
}

// float reads a number; see int.
func (r *metadataReader) float(key string, absent ...float64) float64 {
	x, ok, err := r.Float(r.prefix + key)
	if v, _ := r.Get(r.prefix + key); ok && err == nil {
		if single, is := v.(float32); is { // 1e-5 rather than 9.999999747378752e-06
			x, err = strconv.ParseFloat(strconv.FormatFloat(float64(single), 'g', -1, 32), 64)
		}
	}
	return orAbsent(r, key, x, ok, err, absent)
}

func orAbsent[T any](r *metadataReader, key string, v T, ok bool, err error, absent []T) T {
	if err == nil && !ok {
		if len(absent) > 0 {
			return absent[0]
		}
		err = fmt.Errorf("key %q is missing", r.prefix+key)
	}
	if r.err == nil {
		r.err = err
	}
	return v
}

// configKeys are the keys of a config.json that says what the metadata say.
func configKeys(f *gguf.File, a architecture, tied bool) (map[string]any, error) {
	r := &metadataReader{Metadata: f.Metadata(), prefix: a.name + "."}
	table, _ := f.Tensor("token_embd.weight")
	if len(table.Shape) != 2 {
		return nil, fmt.Errorf("tensor \"token_embd.weight\" has shape %v, want a matrix", table.Shape)
	}
	keys := map[string]any{
		"model_type":          a.modelTypes[0],
		"vocab_size":          table.Shape[0],
		"tie_word_embeddings": tied,
	}
	switch a.name {
	case "gpt2":
		gpt2Keys(r, keys)
		return keys, r.err
	case "gemma3":
		return keys, errors.Join(gemma3Keys(r, keys), r.err)
	}
	return keys, errors.Join(llamaKeys(r, f, a, keys), r.err)
}

func gpt2Keys(r *metadataReader, keys map[string]any) {
	keys["n_positions"] = r.int("context_length")
	keys["n_embd"] = r.int("embedding_length")
	keys["n_layer"] = r.int("block_count")
	keys["n_head"] = r.int("attention.head_count")
	keys["n_inner"] = r.int("feed_forward_length")
	keys["layer_norm_epsilon"] = r.float("attention.layer_norm_epsilon")
	keys["resid_pdrop"], keys["attn_pdrop"] = 0.0, 0.0
}

// llamaKeys are the keys of Llama and its relatives.
func llamaKeys(r *metadataReader, f *gguf.File, a architecture, keys map[string]any) error {
	width, heads := r.int("embedding_length"), r.int("attention.head_count")
	if r.err != nil {
		return r.err
	}
	if heads < 1 {
		return fmt.Errorf("key %q is %d", r.prefix+"attention.head_count", heads)
	}
	headDim := r.int("attention.key_length", width/heads)
	for _, same := range []string{"rope.dimension_count", "attention.value_length"} {
		if n := r.int(same, headDim); n != headDim {
			return fmt.Errorf("key %q is %d: other sizes than that of a head, %d, are not supported", r.prefix+same, n, headDim)
		}
	}
	theta := r.float("rope.freq_base", 10000)
	keys["max_position_embeddings"] = r.int("context_length")
	keys["hidden_size"], keys["num_attention_heads"], keys["head_dim"] = width, heads, headDim
	keys["num_key_value_heads"] = r.int("attention.head_count_kv", heads)
	keys["intermediate_size"] = r.int("feed_forward_length")
	keys["num_hidden_layers"] = r.int("block_count")
	keys["rms_norm_eps"] = r.float("attention.layer_norm_rms_epsilon")
	keys["rope_theta"] = theta
	keys["hidden_act"] = "silu"
	window := r.int("attention.sliding_window", 0)
	switch {
	case a.name != "llama" && window > 0:
		keys["use_sliding_window"], keys["max_window_layers"], keys["sliding_window"] = true, 0, window
	case a.name == "llama":
		_, outputBias := f.Tensor("blk.0.attn_output.bias")
		_, mlpBias := f.Tensor("blk.0.ffn_down.bias")
		keys["attention_bias"], keys["mlp_bias"] = outputBias, mlpBias
		if window > 0 {
			keys["model_type"], keys["sliding_window"] = "mistral", window
		}
	}
	scaling, err := readScaling(r, f, theta)
	if err == nil && scaling.kind() != "" {
		keys["rope_scaling"] = scaling
	}
	return err
}

// readScaling reads the scaling of rotary positions, with llama.cpp's defaults: a factor
// without type is linear, and the context the one before the scaling.
func readScaling(r *metadataReader, f *gguf.File, theta float64) (rope, error) {
	key := r.prefix + "rope.scaling.type"
	kind, ok, err := r.String(key)
	if err != nil {
		return rope{}, err
	}
	if !ok {
		kind = "linear"
	}
	factor := r.float("rope.scaling.factor", r.float("rope.scale_linear", 0))
	if factor == 0 || kind == "none" || kind == "linear" && factor == 1 {
		kind = ""
	}
	if t, ok := f.Tensor(ropeFactors); ok {
		if kind != "" {
			return rope{}, fmt.Errorf("key %q: %s by %g beside the tensor %q, which scales rotary positions too, is not supported", key, kind, factor, t.Name)
		}
		return recoverLlama3(t, theta)
	}
	s := rope{Type: kind, Factor: factor}
	switch kind {
	case "":
		return rope{}, nil
	case "linear":
	case "yarn":
		s.Original = r.int("rope.scaling.original_context_length", r.int("context_length"))
		s.BetaFast, s.BetaSlow = r.float("rope.scaling.yarn_beta_fast", 0), r.float("rope.scaling.yarn_beta_slow", 0)
	default:
		return rope{}, fmt.Errorf("key %q: %q is not supported", key, kind)
	}
	return s, nil
}

// takeGGUFTensors finds the tensor of each parameter, and a use for each tensor.
// headDim is the width of a head that is interleaved.
func (s *source) takeGGUFTensors(f *gguf.File, a architecture, tied bool, headDim int) error {
	used := map[string]bool{}
	if _, there := f.Tensor(ropeFactors); there && a.name != "gpt2" {
		used[ropeFactors] = true
		s.left = append(s.left, hub.LeftOut{Tensor: ropeFactors, Why: "Llama 3's scaling of rotary positions, which rope_parameters say"})
	}
	if _, stored := f.Tensor("output.weight"); tied && stored {
		used["output.weight"] = true
		s.left = append(s.left, hub.LeftOut{Tensor: "output.weight", Why: "a copy of token_embd.weight, to which the head is tied"})
	}
	for _, p := range s.model.Params() {
		name := a.ggufName(p.Name)
		stored, ok := f.Tensor(name)
		if !ok {
			return fmt.Errorf("there is no tensor %q for parameter %q %s", name, p.Name, p.Shape)
		}
		used[name] = true
		t := tensor{stored: name, shape: stored.Shape, typ: stored.Type, data: stored.Data}
		if a.transposes(p) && len(t.shape) == 2 {
			t.shape, t.transposed = []int{t.shape[1], t.shape[0]}, true
		}
		if a.interleaves(p) {
			t.order = fromGGUF(headDim)
		}
		if offset := a.offset(p); offset != 0 {
			t.change = shifted(nil, -offset)
		}
		if err := s.add(p, t); err != nil {
			return err
		}
	}
	for _, t := range f.Tensors() {
		switch {
		case used[t.Name]:
		case strings.Contains(t.Name, ".attn_rot_embd"):
			s.left = append(s.left, hub.LeftOut{Tensor: t.Name, Why: "the frequencies of rotary positions, which the metadata tell"})
		default:
			return fmt.Errorf("tensor %q %v belongs to no parameter of this %s: the file is of a variant that is not supported", t.Name, t.Shape, a.name)
		}
	}
	return nil
}

// absentSpecial are the ids that llama.cpp takes where a file names none, by
// tokenizer.ggml.model and key. Those of gpt2, 11, are of Falcon alone.
var absentSpecial = map[string]map[string]int{
	ggufBPEModel:     {"bos": 1, "eos": 2, "unknown": 0},
	ggufUnigramModel: {"eos": 1, "unknown": 2, "padding": 0},
}

// ggufSpecial reads the special tokens' ids of a model of vocab tokens. All that end a
// turn or a text are EOS.
func ggufSpecial(m gguf.Metadata, vocab int) (nn.SpecialTokens, error) {
	s := nn.SpecialTokens{BOS: -1, PAD: -1}
	for _, key := range endKeys {
		id, ok, err := tokenID(m, key, vocab)
		if err != nil {
			return s, err
		}
		if ok && !slices.Contains(s.EOS, id) {
			s.EOS = append(s.EOS, id)
		}
	}
	for key, to := range map[string]*int{"bos": &s.BOS, "padding": &s.PAD} {
		id, ok, err := tokenID(m, key, vocab)
		if err != nil {
			return s, err
		}
		if ok {
			*to = id
		}
	}
	return s, nil
}

// endKeys name the tokens at which a text ends: end of sequence, turn, message.
var endKeys = []string{"eos", "eot", "eom"}

// tokenID reads tokenizer.ggml.KEY_token_id of a model of vocab tokens; 2³²−1 stands for
// none.
func tokenID(m gguf.Metadata, key string, vocab int) (id int, ok bool, err error) {
	name := "tokenizer.ggml." + key + "_token_id"
	id, ok, err = m.Int(name)
	if err == nil && !ok {
		kind, _, _ := m.String("tokenizer.ggml.model")
		id, ok = absentSpecial[kind][key]
		return id, ok && id < vocab, nil
	}
	if err != nil || id < 0 || id == math.MaxUint32 {
		return id, false, err
	}
	if id >= vocab {
		return id, false, fmt.Errorf("key %q: %d is outside the vocabulary of %d tokens: correct it, or take it out", name, id, vocab)
	}
	return id, true, nil
}
