package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// MaxJSONBytes is the most that a tokenizer.json may hold; the largest in use have 35 MB.
const MaxJSONBytes = 256 << 20

// MaxVocab bounds ids, so that a file of a few bytes cannot ask for gigabytes. The largest vocabularies in use have
// 262,144 tokens.
const MaxVocab = 1 << 21

// A Document is a tokenizer.json. What is raw in it is decoded by its type.
type Document struct {
	Added         []AddedJSON     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`

	beside []NamedToken // see Amend
	notes  []string
}

// Amend adds the tokens that a TokenizerConfig names, as transformers does: those of added_tokens_decoder, and those that play
// a part where the vocabulary has them. Call it before a tokenizer is made of d.
func (d *Document) Amend(c TokenizerConfig) error {
	d.beside = append(d.beside, c.Tokens...)
	return d.Agree(c)
}

// Notes tell what was left out of the tokenizer that was made of d.
func (d *Document) Notes() []string { return d.notes }

// An AddedJSON is an AddedToken as tokenizer.json has it.
type AddedJSON struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// ReadDocument reads the outer part of a tokenizer.json.
func ReadDocument(r io.Reader) (*Document, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxJSONBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxJSONBytes {
		return nil, &FormatError{Offset: MaxJSONBytes, Fault: "file too large", Cure: "a tokenizer.json has at most " + strconv.Itoa(MaxJSONBytes>>20) + " MiB"}
	}
	doc := new(Document)
	if err := json.Unmarshal(data, doc); err != nil {
		return nil, jsonFault(err)
	}
	if IsNull(doc.Model) {
		return nil, &FormatError{Key: "model", Offset: -1, Fault: "missing", Cure: "is this a tokenizer.json?"}
	}
	return doc, doc.checkKeys(data)
}

// ModelType returns the type of the model: "BPE", "Unigram", … A model without one, from the time before there were
// several, is BPE if it has merges.
func (d *Document) ModelType() (string, error) {
	var model struct {
		Type   string          `json:"type"`
		Merges json.RawMessage `json:"merges"`
	}
	if err := d.DecodeModel(&model); err != nil {
		return "", err
	}
	if model.Type == "" && !IsNull(model.Merges) {
		return "BPE", nil
	}
	return model.Type, nil
}

// ByteLevel reports whether the pre_tokenizer spells bytes as printable characters, once.
func (d *Document) ByteLevel() bool {
	steps, err := PreTokenizerSteps(d.PreTokenizer)
	spelled := 0
	for _, s := range steps {
		if s.Type == "ByteLevel" {
			spelled++
		}
	}
	return err == nil && spelled == 1
}

// DecodeModel decodes the model into out.
func (d *Document) DecodeModel(out any) error {
	if err := json.Unmarshal(d.Model, out); err != nil {
		fault := jsonFault(err)
		var f *FormatError
		if errors.As(fault, &f) && len(f.Key) < len("model") || f != nil && f.Key[:5] != "model" {
			return keyed(fault, "model")
		}
		return fault
	}
	return nil
}

// AddedTokens returns the added tokens in order of id. in says which id the model's vocabulary has for a text; entries is how
// many it has.
func (d *Document) AddedTokens(in func(text string) (int64, bool), entries int) ([]AddedToken, error) {
	var added []AddedToken
	next := int64(entries)
	numbered := map[string]int64{}
	for i, a := range d.Added {
		if a.Content == "" {
			continue // tokenizers passes it over
		}
		// tokenizers takes the vocabulary's id, else it numbers by itself, whatever the file says.
		id, known := in(a.Content)
		if !known {
			if id, known = numbered[a.Content]; !known {
				id = next
			}
		}
		numbered[a.Content] = id
		if next = max(next, id+1); id != a.ID {
			return nil, Faultf("added_tokens["+strconv.Itoa(i)+"].id", "%d for %s, to which Hugging Face tokenizers gives %d, whatever the file says", a.ID, Quote(a.Content), id)
		}
		if a.ID < 0 || a.ID >= MaxVocab {
			return nil, Faultf("added_tokens["+strconv.Itoa(i)+"].id", "%d is outside 0 … %d", a.ID, MaxVocab-1)
		}
		added = append(added, AddedToken{ID: int32(a.ID), Content: a.Content, Special: a.Special,
			SingleWord: a.SingleWord, LStrip: a.LStrip, RStrip: a.RStrip, Normalized: a.Normalized})
	}
	added, err := d.amend(added, in, numbered, next)
	sort.SliceStable(added, func(i, j int) bool { return added[i].ID < added[j].ID })
	return added, err
}

// amend adds the tokens beside the document to those of it. A token that is there has the flags that it was last given; one
// that names a part keeps those that it has.
func (d *Document) amend(added []AddedToken, in func(text string) (int64, bool), numbered map[string]int64, next int64) ([]AddedToken, error) {
	for _, token := range d.beside {
		if token.Content == "" {
			continue
		}
		id, known := in(token.Content)
		if !known {
			id, known = numbered[token.Content]
		}
		at := slices.IndexFunc(added, func(a AddedToken) bool { return a.Content == token.Content })
		switch {
		case token.Key != "" && at >= 0:
			continue
		case token.Key != "" && !known:
			d.notes = append(d.notes, fmt.Sprintf("%s: %s %s is not in the vocabulary: it is left out", ConfigFile, token.Key, Quote(token.Content)))
			continue
		case !known:
			id = next
		}
		if id >= MaxVocab {
			return nil, Faultf("added_tokens_decoder", "id %d is outside 0 … %d", id, MaxVocab-1)
		}
		next, numbered[token.Content], token.ID = max(next, id+1), id, int32(id)
		if at >= 0 {
			added[at] = token.AddedToken
		} else {
			added = append(added, token.AddedToken)
		}
	}
	return added, nil
}

// jsonFault turns an error of encoding/json into ours.
func jsonFault(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var ours *FormatError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &syntax):
		cure := "is the file complete?"
		if syntax.Offset == 1 && strings.Contains(syntax.Error(), "'v'") {
			cure = "if it begins with \"version https://git-lfs\", it is a pointer of Git LFS: run `git lfs pull` in its folder"
		}
		return &FormatError{Offset: syntax.Offset, Fault: "not JSON: " + syntax.Error(), Cure: cure}
	case errors.As(err, &kind):
		return &FormatError{Key: kind.Field, Offset: kind.Offset, Fault: kind.Value + " where " + jsonType(kind.Type) + " belongs"}
	}
	return &FormatError{Offset: -1, Fault: err.Error()}
}

// jsonType is what JSON calls the values that t is read from.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a number"
}

// DecodeStep decodes a part of tokenizer.json, whose key names it in errors.
func DecodeStep(raw json.RawMessage, key string, out any) error {
	if err := json.Unmarshal(raw, out); err != nil {
		return keyed(jsonFault(err), key)
	}
	return nil
}

// IsNull reports whether a key is missing or null.
func IsNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// AppendHead appends tokenizer.json up to the pre_tokenizer's value.
func AppendHead(dst []byte, added []AddedToken, n Normalizer) []byte {
	dst = append(dst, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": ["...)
	dst = appendAdded(dst, added)
	dst = append(dst, "],\n  \"normalizer\": "...)
	dst = n.AppendJSON(dst)
	return append(dst, ",\n  \"pre_tokenizer\": "...)
}

// AppendRaw appends raw, or null.
func AppendRaw(dst []byte, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, raw...)
}

// appendAdded appends the elements of added_tokens.
func appendAdded(dst []byte, added []AddedToken) []byte {
	added = append([]AddedToken(nil), added...)
	sort.SliceStable(added, func(i, j int) bool { return added[i].ID < added[j].ID })
	separator := "\n    "
	for _, a := range added {
		dst = append(append(dst, separator...), `{"id": `...)
		separator = ",\n    "
		dst = strconv.AppendInt(dst, int64(a.ID), 10)
		dst = AppendString(append(dst, `, "content": `...), a.Content)
		dst = strconv.AppendBool(append(dst, `, "single_word": `...), a.SingleWord)
		dst = strconv.AppendBool(append(dst, `, "lstrip": `...), a.LStrip)
		dst = strconv.AppendBool(append(dst, `, "rstrip": `...), a.RStrip)
		dst = strconv.AppendBool(append(dst, `, "normalized": `...), a.Normalized)
		dst = append(strconv.AppendBool(append(dst, `, "special": `...), a.Special), '}')
	}
	if len(added) > 0 {
		dst = append(dst, "\n  "...)
	}
	return dst
}

// AppendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] >= ' ' && s[i] < 0x7F && s[i] != '"' && s[i] != '\\'
	}
	if plain {
		return append(append(append(dst, '"'), s...), '"')
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil { // a string always encodes
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
