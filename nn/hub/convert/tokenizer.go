package convert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/spm"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// Token types of tokenizer.ggml.token_type.
const (
	normalToken  = 1
	controlToken = 3
	userToken    = 4
	unusedToken  = 5
	byteToken    = 6
)

// splitter pairs a name of tokenizer.ggml.pre with a split pattern.
type splitter struct {
	pre          string
	pattern      bpe.Pattern
	ignoreMerges bool // a pre-token that is in the vocabulary is that token
}

// addsBOS tells whether llama.cpp puts BOS before a text where a file does not say: it
// does for the patterns whose pre-tokens it looks up whole.
func (s splitter) addsBOS() bool { return s.ignoreMerges }

// splitters is the table of llama.cpp's src/llama-vocab.cpp as far as the patterns
// are known. The first row of a pattern is written; the last of its kind is read
// too.
var splitters = []splitter{
	{"gpt-2", bpe.GPT2, false},
	{"llama-bpe", bpe.GPT4, true},
	{"dbrx", bpe.GPT4, false},
	{"qwen2", bpe.Qwen2, false},
	{"qwen35", bpe.Qwen35, false},
	{"gpt-4o", bpe.O200K, false},
	{"tekken", bpe.Tekken, true},
	{"smollm", bpe.Digits, false},

	{"phi-2", bpe.GPT2, false},
	{"gpt-neox", bpe.GPT2, false},
	{"olmo", bpe.GPT2, false},
	{"llama3", bpe.GPT4, true},
	{"llama-v3", bpe.GPT4, true},
	{"smaug-bpe", bpe.GPT4, false},
	{"deepseek-r1-qwen", bpe.Qwen2, false},
	{"starcoder", bpe.Digits, false},
	{"refact", bpe.Digits, false},
	{"command-r", bpe.Digits, false},
	{"codeshell", bpe.Digits, false},
}

// tokenizerJSON is tokenizer.json.
type tokenizerJSON struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	Added         []hf.AddedJSON  `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  any             `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       any             `json:"decoder"`
	Model         bpeModel        `json:"model"`
}

type bpeModel struct {
	Type         string     `json:"type"`
	IgnoreMerges bool       `json:"ignore_merges"`
	Vocab        vocabulary `json:"vocab"`
	Merges       []merge    `json:"merges"`
}

// vocabulary maps tokens to ids.
type vocabulary map[string]int

// MarshalJSON writes the tokens in order of id.
func (v vocabulary) MarshalJSON() ([]byte, error) {
	tokens := slices.SortedFunc(maps.Keys(v), func(a, b string) int { return cmp.Compare(v[a], v[b]) })
	text := []byte{'{'}
	for i, token := range tokens {
		if i > 0 {
			text = append(text, ',')
		}
		name, err := json.Marshal(token)
		if err != nil {
			return nil, err
		}
		text = strconv.AppendInt(append(append(text, name...), ':'), int64(v[token]), 10)
	}
	return append(text, '}'), nil
}

// merge is "left right", which tokenizer.json also spells ["left", "right"].
type merge string

// UnmarshalJSON reads either spelling.
func (m *merge) UnmarshalJSON(text []byte) error {
	var pair [2]string
	if json.Unmarshal(text, &pair) == nil {
		*m = merge(pair[0] + " " + pair[1])
		return nil
	}
	return json.Unmarshal(text, (*string)(m))
}

// ggufTokenizer makes the Hugging Face files of the tokenizer in the metadata, for
// sequences of at most context tokens.
func ggufTokenizer(m gguf.Metadata, context int, special nn.SpecialTokens) (tokenizerFiles, error) {
	var files tokenizerFiles
	kind, ok, err := m.String("tokenizer.ggml.model")
	switch {
	case err != nil:
		return files, err
	case !ok:
		return files, errors.New("the file holds no tokenizer: name a directory that has it with --tokenizer")
	}
	var added []hf.AddedToken
	switch kind {
	case "gpt2":
		doc, err := ggufBPE(m, special)
		if err != nil {
			return files, err
		}
		if files.tokenizer, err = encodeJSON(doc, ""); err != nil {
			return files, err
		}
		for _, a := range doc.Added {
			added = append(added, hf.AddedToken{ID: int32(a.ID), Content: a.Content, Special: a.Special})
		}
	case ggufBPEModel, ggufUnigramModel:
		t, err := ggufPieces(m, kind, special)
		if err != nil {
			return files, err
		}
		files.tokenizer, added = t.AppendJSON(nil), t.Specials()
	default:
		return files, fmt.Errorf("key \"tokenizer.ggml.model\": tokenizers of kind %q are not read from GGUF, only gpt2 (byte-level BPE), llama and t5 (SentencePiece): name a directory that has the model's tokenizer.json with --tokenizer", kind)
	}
	files.config, err = ggufTokenizerConfig(m, added, context)
	return files, err
}

// ggufBPE makes the tokenizer.json of a byte-level BPE.
func ggufBPE(m gguf.Metadata, special nn.SpecialTokens) (tokenizerJSON, error) {
	var doc tokenizerJSON
	pre, _, err := m.String("tokenizer.ggml.pre")
	at := slices.IndexFunc(splitters, func(s splitter) bool { return s.pre == pre })
	if err == nil && at < 0 {
		err = fmt.Errorf("key \"tokenizer.ggml.pre\": pre-tokenizer %q is not known: name a directory that has the model's tokenizer.json with --tokenizer", pre)
	}
	if err != nil {
		return doc, err
	}
	tokens, _, err := m.Strings("tokenizer.ggml.tokens")
	if err != nil {
		return doc, err
	}
	types, ok, err := m.Ints("tokenizer.ggml.token_type")
	if err == nil && ok && len(types) != len(tokens) {
		err = fmt.Errorf("key \"tokenizer.ggml.token_type\" has %d elements for %d tokens", len(types), len(tokens))
	}
	if err != nil {
		return doc, err
	}
	merges, _, err := m.Strings("tokenizer.ggml.merges")
	if err != nil {
		return doc, err
	}
	doc = tokenizerJSON{Version: "1.0", Normalizer: normalizer(pre), PreTokenizer: preTokenizer(splitters[at].pattern), Decoder: byteLevel(true),
		Model: bpeModel{Type: "BPE", IgnoreMerges: splitters[at].ignoreMerges, Vocab: make(vocabulary, len(tokens))}}
	for id, token := range tokens {
		kind := normalToken
		if types != nil {
			kind = types[id]
		}
		if kind < normalToken || kind > byteToken {
			return doc, fmt.Errorf("key \"tokenizer.ggml.token_type\": token %d, %q, is of type %d; known are 1 … 6", id, token, kind)
		}
		if other, twice := doc.Model.Vocab[token]; twice {
			return doc, fmt.Errorf("key \"tokenizer.ggml.tokens\": ids %d and %d are both %q", other, id, token)
		}
		if kind != unusedToken {
			doc.Model.Vocab[token] = id
		}
		if kind == controlToken || kind == userToken {
			doc.Added = append(doc.Added, hf.AddedJSON{ID: int64(id), Content: token, Special: kind == controlToken})
		}
	}
	for _, pair := range merges {
		doc.Model.Merges = append(doc.Model.Merges, merge(pair))
	}
	doc.PostProcessor, err = frameProcessor(m, tokens, special, splitters[at].addsBOS())
	return doc, err
}

// normalizer is that of the model which a pre-tokenizer is named after.
func normalizer(pre string) json.RawMessage {
	if pre == "qwen2" || pre == "qwen35" {
		return json.RawMessage(`{"type": "NFC"}`)
	}
	return json.RawMessage("null")
}

// step is a part of a pre_tokenizer or decoder.
type step struct {
	Type       string         `json:"type"`
	Steps      []step         `json:"pretokenizers,omitempty"`
	Prefix     *bool          `json:"add_prefix_space,omitempty"`
	Trim       *bool          `json:"trim_offsets,omitempty"`
	UseRegex   *bool          `json:"use_regex,omitempty"`
	Digits     bool           `json:"individual_digits,omitempty"`
	Behavior   string         `json:"behavior,omitempty"`
	Invert     *bool          `json:"invert,omitempty"`
	SplitRegex map[string]any `json:"pattern,omitempty"`
}

// byteLevel spells bytes as printable characters, after splitting as GPT-2 does if
// regex is set.
func byteLevel(regex bool) step {
	return step{Type: "ByteLevel", Prefix: new(bool), Trim: new(bool), UseRegex: &regex}
}

// preTokenizer is the pre_tokenizer of a pattern.
func preTokenizer(p bpe.Pattern) step {
	switch p {
	case bpe.GPT2:
		return byteLevel(true)
	case bpe.Digits:
		return step{Type: "Sequence", Steps: []step{{Type: "Digits", Digits: true}, byteLevel(true)}}
	}
	split := step{Type: "Split", Behavior: "Isolated", Invert: new(bool), SplitRegex: map[string]any{"Regex": p.Regex()}}
	return step{Type: "Sequence", Steps: []step{split, byteLevel(false)}}
}

// frameProcessor is the post_processor that puts the BOS token before a text and the
// first EOS token behind it, as far as the metadata want it, null where they want neither.
// addBOS is what they want where they do not say.
func frameProcessor(m gguf.Metadata, tokens []string, special nn.SpecialTokens, addBOS bool) (json.RawMessage, error) {
	add, ok, err := m.Bool("tokenizer.ggml.add_bos_token")
	if err != nil {
		return nil, err
	}
	if !ok {
		add = addBOS
	}
	end, _, err := m.Bool("tokenizer.ggml.add_eos_token")
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	a, b := object{"Sequence": object{"id": "A", "type_id": 0}}, object{"Sequence": object{"id": "B", "type_id": 1}}
	single, pair, known := []object{a}, []object{a, b}, object{}
	token := func(id int) (object, error) {
		if id >= len(tokens) {
			return nil, fmt.Errorf("a key of \"tokenizer.ggml.*_token_id\" is %d, there are %d tokens", id, len(tokens))
		}
		known[tokens[id]] = object{"id": tokens[id], "ids": []int{id}, "tokens": []string{tokens[id]}}
		return object{"SpecialToken": object{"id": tokens[id], "type_id": 0}}, nil
	}
	if add && special.BOS >= 0 {
		first, err := token(special.BOS)
		if err != nil {
			return nil, err
		}
		single, pair = []object{first, a}, []object{first, a, first, b}
	}
	if end && len(special.EOS) > 0 {
		last, err := token(special.EOS[0])
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(pair, func(o object) bool { return o["Sequence"] != nil })
		single, pair = append(single, last), append(slices.Insert(pair, at+1, last), last)
	}
	if len(known) == 0 {
		return json.RawMessage("null"), nil
	}
	return encodeJSON(object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": known}, "")
}

// ggufTokenizerConfig is tokenizer_config.json with the roles that the metadata
// give to special tokens, and the chat template.
func ggufTokenizerConfig(m gguf.Metadata, added []hf.AddedToken, context int) ([]byte, error) {
	config := map[string]any{
		"tokenizer_class":              "PreTrainedTokenizerFast",
		"clean_up_tokenization_spaces": false,
		"model_max_length":             context,
	}
	for key, role := range map[string]string{"bos": "bos_token", "eos": "eos_token", "padding": "pad_token", "unknown": "unk_token"} {
		id, ok, err := tokenID(m, key, math.MaxInt)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(added, func(a hf.AddedToken) bool { return int(a.ID) == id && a.Special })
		if ok && at >= 0 {
			config[role] = added[at].Content
		}
	}
	template, _, err := m.String("tokenizer.chat_template")
	if err != nil {
		return nil, err
	}
	if template != "" {
		config["chat_template"] = template
	}
	return encodeJSON(config, "  ")
}

// tokenizerMetadata are the metadata of a tokenizer for a model of vocab tokens.
func tokenizerMetadata(files tokenizerFiles, vocab int, special nn.SpecialTokens) (gguf.Metadata, []string, error) {
	doc, err := hf.ReadDocument(bytes.NewReader(files.tokenizer))
	if err != nil {
		return nil, nil, hf.InFile(err, "tokenizer.json")
	}
	var t interface {
		Vocab() int
		Special(content string) (int32, bool)
	}
	var pieces *spm.Tokenizer
	var bytelevel *bpe.Tokenizer
	if doc.ByteLevel() {
		bytelevel, err = bpe.FromDocument(doc)
		t = bytelevel
	} else {
		pieces, err = spm.FromDocument(doc)
		t = pieces
	}
	if err != nil {
		return nil, nil, hf.InFile(err, "tokenizer.json")
	}
	if t.Vocab() > vocab {
		return nil, nil, fmt.Errorf("the tokenizer has %d tokens, the model %d; they do not belong together", t.Vocab(), vocab)
	}
	var m gguf.Metadata
	var notes []string
	if pieces != nil {
		m, notes, err = piecesMetadata(pieces, vocab)
	} else {
		m, notes, err = bpeMetadata(bytelevel, files.tokenizer, vocab)
	}
	if err != nil {
		return nil, nil, err
	}
	roles, err := roleMetadata(files.config, special, t.Special)
	for _, role := range roles {
		if _, there := m.Get(role.Key); !there {
			m = append(m, role)
		}
	}
	return m, notes, err
}

// bpeMetadata are the metadata of the byte-level BPE in the tokenizer.json text.
func bpeMetadata(t *bpe.Tokenizer, text []byte, vocab int) (gguf.Metadata, []string, error) {
	var doc struct {
		Added         []hf.AddedJSON  `json:"added_tokens"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Model         bpeModel        `json:"model"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	tokens, types := make([]string, vocab), make([]int32, vocab)
	for token, id := range doc.Model.Vocab {
		tokens[id], types[id] = token, normalToken
	}
	for _, a := range doc.Added {
		tokens[a.ID], types[a.ID] = a.Content, userToken
		if a.Special {
			types[a.ID] = controlToken
		}
	}
	for id := range tokens {
		if types[id] == 0 {
			tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), unusedToken
		}
	}
	merges := make([]string, len(doc.Model.Merges))
	for i, m := range doc.Model.Merges {
		merges[i] = string(m)
	}
	pre, notes, err := preName(t)
	if err != nil {
		return nil, nil, err
	}
	return gguf.Metadata{
		{Key: "tokenizer.ggml.model", Value: "gpt2"},
		{Key: "tokenizer.ggml.pre", Value: pre},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.merges", Value: merges},
		{Key: "tokenizer.ggml.add_bos_token", Value: addsBOS(doc.PostProcessor)},
		{Key: "tokenizer.ggml.add_space_prefix", Value: false},
	}, notes, nil
}

// preName gives the name of the tokenizer's split pattern in llama.cpp, and what
// differs there.
func preName(t *bpe.Tokenizer) (string, []string, error) {
	c := t.Config()
	var notes []string
	if c.Pattern == bpe.CL100K {
		c.Pattern = bpe.GPT4
		notes = append(notes, "llama.cpp has no pattern cl100k: it splits white space with line breaks at the very end of a text as pattern gpt4 does")
	}
	for _, s := range splitters {
		if s.pattern == c.Pattern && s.ignoreMerges == c.IgnoreMerges {
			return s.pre, notes, nil
		}
	}
	for _, s := range splitters {
		if s.pattern == c.Pattern {
			return s.pre, append(notes, fmt.Sprintf("llama.cpp's pre-tokenizer %s has ignore_merges %v, the tokenizer %v: rare words may become other tokens", s.pre, s.ignoreMerges, c.IgnoreMerges)), nil
		}
	}
	return "", nil, fmt.Errorf("the tokenizer's pattern %s has no counterpart in llama.cpp", c.Pattern)
}

// addsBOS tells whether a post_processor puts a special token before a text.
func addsBOS(processor json.RawMessage) bool {
	var p struct {
		Type       string            `json:"type"`
		Single     []json.RawMessage `json:"single"`
		Processors []json.RawMessage `json:"processors"`
	}
	if json.Unmarshal(processor, &p) != nil {
		return false
	}
	return len(p.Single) > 0 && strings.Contains(string(p.Single[0]), "SpecialToken") || slices.ContainsFunc(p.Processors, addsBOS)
}

// roleToken is the content of a token in tokenizer_config.json, which is a text or an
// object that has it; "" for null.
type roleToken string

// UnmarshalJSON reads either spelling.
func (r *roleToken) UnmarshalJSON(text []byte) error {
	var object struct{ Content string }
	if json.Unmarshal(text, &object) == nil {
		*r = roleToken(object.Content)
		return nil
	}
	return json.Unmarshal(text, (*string)(r))
}

// roleMetadata are the ids of special tokens and the chat template. The first of
// the end tokens is the one that tokenizer_config.json names, if it does.
func roleMetadata(config []byte, special nn.SpecialTokens, find func(content string) (int32, bool)) (gguf.Metadata, error) {
	var c struct {
		EOS roleToken `json:"eos_token"`
		UNK roleToken `json:"unk_token"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	ends := slices.Clone(special.EOS)
	if id, ok := find(string(c.EOS)); ok {
		ends = append([]int{int(id)}, slices.DeleteFunc(ends, func(e int) bool { return e == int(id) })...)
	}
	var m gguf.Metadata
	add := func(key string, id int) {
		if id >= 0 {
			m = append(m, gguf.KV{Key: "tokenizer.ggml." + key + "_token_id", Value: uint32(id)})
		}
	}
	add("bos", special.BOS)
	for i, key := range endKeys {
		if i < len(ends) {
			add(key, ends[i])
		}
	}
	add("padding", special.PAD)
	if id, ok := find(string(c.UNK)); ok {
		add("unknown", int(id))
	}
	template, err := chatTemplate(config)
	if template != "" {
		m = append(m, gguf.KV{Key: "tokenizer.chat_template", Value: template})
	}
	return m, err
}

// encodeJSON is json.Marshal that leaves <, > and & as they are.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}
