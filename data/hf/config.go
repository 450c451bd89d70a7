package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Roles says which special tokens play which part; "" for none.
type Roles struct {
	BOS, EOS, Pad, Unknown string
	MaxLength              int    // longest sequence in tokens, 0 for no limit
	ChatTemplate           string // Jinja, "" for none
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
	for key, content := range map[string]string{"bos_token": r.BOS, "eos_token": r.EOS, "pad_token": r.Pad, "unk_token": r.Unknown} {
		if content == "" {
			continue
		}
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

// A roleJSON is a special token in either spelling: "<s>" or {"content": "<s>", …}; null is "".
type roleJSON string

func (t *roleJSON) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return json.Unmarshal(data, (*string)(t))
	}
	var token struct {
		Content string `json:"content"`
	}
	err := json.Unmarshal(data, &token)
	*t = roleJSON(token.Content)
	return err
}

// A templateJSON is a chat template, or a list of named ones, of which it is the one named default.
type templateJSON string

func (t *templateJSON) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return json.Unmarshal(data, (*string)(t))
	}
	var list []struct {
		Name, Template string
	}
	err := json.Unmarshal(data, &list)
	for _, named := range list {
		if named.Name == "default" {
			*t = templateJSON(named.Template)
		}
	}
	return err
}

// maxConfigBytes is the most that a tokenizer_config.json or a chat template may hold.
const maxConfigBytes = 16 << 20

// ReadRoles reads the roles of the tokenizer in dir: tokenizer_config.json, and chat_template.jinja, whose template goes
// before that of the former, as in transformers. A file that is not there says nothing.
func ReadRoles(dir string) (Roles, error) {
	path := filepath.Join(dir, "tokenizer_config.json")
	text, err := readSmall(path)
	if err != nil {
		return Roles{}, err
	}
	var r Roles
	if text != nil {
		if r, err = ParseRoles(text); err != nil {
			return r, InFile(err, path)
		}
	}
	template, err := readSmall(filepath.Join(dir, "chat_template.jinja"))
	if template != nil {
		r.ChatTemplate = string(template)
	}
	return r, err
}

// readSmall reads a file of at most maxConfigBytes, nil for one that is not there.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > maxConfigBytes:
		return nil, fmt.Errorf("tokenizer: %s: %d bytes, more than %d; is this the file of a tokenizer?", path, info.Size(), maxConfigBytes)
	}
	return os.ReadFile(path)
}

// ParseRoles reads the text of a tokenizer_config.json.
func ParseRoles(text []byte) (Roles, error) {
	var doc struct {
		BOS       roleJSON     `json:"bos_token"`
		EOS       roleJSON     `json:"eos_token"`
		Pad       roleJSON     `json:"pad_token"`
		Unknown   roleJSON     `json:"unk_token"`
		MaxLength json.Number  `json:"model_max_length"`
		Template  templateJSON `json:"chat_template"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return Roles{}, jsonFault(err)
	}
	r := Roles{BOS: string(doc.BOS), EOS: string(doc.EOS), Pad: string(doc.Pad), Unknown: string(doc.Unknown), ChatTemplate: string(doc.Template)}
	if n, err := doc.MaxLength.Float64(); err == nil && n > 0 && n < 1<<31 {
		r.MaxLength = int(n)
	}
	return r, nil
}
