package hf

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"
)

// Roles says which special tokens play which part; "" for none.
type Roles struct {
	BOS, EOS, Unknown, Sep, Pad, CLS, Mask string

	Other        map[string]string // tokens that a model names beside these, by key, as image_token
	Kinds        bool              // tells the kinds of two texts apart (token_type_ids); only written
	MaxLength    int               // longest sequence in tokens, 0 for no limit
	ChatTemplate string            // Jinja, "" for none
}

// A role is a key of tokenizer_config.json and the token that it names.
type role struct {
	key   string
	token *string
}

// named are the parts that every tokenizer may have, in transformers' order.
func (r *Roles) named() []role {
	return []role{{"bos_token", &r.BOS}, {"eos_token", &r.EOS}, {"unk_token", &r.Unknown}, {"sep_token", &r.Sep}, {"pad_token", &r.Pad},
		{"cls_token", &r.CLS}, {"mask_token", &r.Mask}}
}

// Tokens returns the tokens by their keys, as chat templates know them.
func (r Roles) Tokens() map[string]string {
	tokens := map[string]string{}
	for _, role := range r.named() {
		if *role.token != "" {
			tokens[role.key] = *role.token
		}
	}
	maps.Copy(tokens, r.Other)
	return tokens
}

// Only returns the roles of tokens that known tells of.
func (r Roles) Only(known func(content string) bool) Roles {
	for _, role := range r.named() {
		if !known(*role.token) {
			*role.token = ""
		}
	}
	other := map[string]string{}
	for key, content := range r.Other {
		if known(content) {
			other[key] = content
		}
	}
	r.Other = other
	return r
}

// noLimit is what transformers writes as model_max_length where there is none.
const noLimit = json.Number("1000000000000000019884624838656")

// ConfigJSON returns the content of tokenizer_config.json, with which transformers' AutoTokenizer loads the
// tokenizer.json beside it. Roles that are not among the added tokens are an error.
func ConfigJSON(added []AddedToken, r Roles) ([]byte, error) {
	out := map[string]any{
		"tokenizer_class":              "PreTrainedTokenizerFast",
		"clean_up_tokenization_spaces": false,
		"model_max_length":             noLimit,
	}
	if r.MaxLength > 0 {
		out["model_max_length"] = r.MaxLength
	}
	if r.Kinds {
		out["model_input_names"] = []string{"input_ids", "token_type_ids", "attention_mask"}
	}
	if r.ChatTemplate != "" {
		out["chat_template"] = r.ChatTemplate
	}
	decoder := map[string]any{}
	special := map[string]bool{}
	for _, a := range added {
		special[a.Content] = a.Special
		decoder[strconv.Itoa(int(a.ID))] = map[string]any{"content": a.Content, "lstrip": a.LStrip, "normalized": a.Normalized,
			"rstrip": a.RStrip, "single_word": a.SingleWord, "special": a.Special}
	}
	for key, content := range r.Tokens() {
		if !special[content] {
			return nil, &FormatError{Key: key, Offset: -1, Fault: Quote(content) + " is not a special token", Cure: "use one of Specials"}
		}
		out[key] = content
	}
	out["added_tokens_decoder"] = decoder
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(out)
	return b.Bytes(), err
}
