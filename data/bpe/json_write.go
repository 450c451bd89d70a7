package bpe

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
)

// Save writes t as tokenizer.json to path, atomically.
func (t *Tokenizer) Save(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(t.AppendJSON(nil)); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// AppendJSON appends t in the format of tokenizer.json, which Hugging Face tokenizers and transformers load to the same
// ids.
func (t *Tokenizer) AppendJSON(dst []byte) []byte {
	dst = append(dst, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": ["...)
	dst = t.appendAdded(dst)
	dst = append(dst, "],\n  \"normalizer\": "...)
	if t.cfg.NFC {
		dst = append(dst, `{"type": "NFC"}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, ",\n  \"pre_tokenizer\": "...)
	dst = t.cfg.Pattern.appendPreTokenizer(dst)
	dst = append(dst, ",\n  \"post_processor\": "...)
	if len(t.cfg.PostProcessor) > 0 {
		dst = append(dst, t.cfg.PostProcessor...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, ",\n  \"decoder\": "+`{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}`...)
	return append(t.appendModel(append(dst, ",\n  \"model\": "...)), "\n}\n"...)
}

// appendAdded appends the elements of added_tokens.
func (t *Tokenizer) appendAdded(dst []byte) []byte {
	added := append([]AddedToken(nil), t.cfg.Added...)
	sort.Slice(added, func(i, j int) bool { return added[i].ID < added[j].ID })
	separator := "\n    "
	for _, a := range added {
		dst = append(append(dst, separator...), `{"id": `...)
		separator = ",\n    "
		dst = strconv.AppendInt(dst, int64(a.ID), 10)
		dst = appendString(append(dst, `, "content": `...), a.Content)
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

// appendPreTokenizer appends the pre_tokenizer of p.
func (p Pattern) appendPreTokenizer(dst []byte) []byte {
	const byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": `
	switch p {
	case GPT2:
		return append(dst, byteLevel+"true}"...)
	case Digits:
		return append(dst, `{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, `+byteLevel+"true}]}"...)
	}
	dst = append(dst, `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": `...)
	dst = appendString(dst, p.Regex())
	return append(dst, `}, "behavior": "Isolated", "invert": false}, `+byteLevel+"false}]}"...)
}

// appendModel appends the model: vocabulary in order of id, merges in order of rank.
func (t *Tokenizer) appendModel(dst []byte) []byte {
	dst = append(dst, `{"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": `...)
	dst = strconv.AppendBool(dst, t.cfg.IgnoreMerges)
	raw := make(map[int32]bool) // tokens spelled as they are, not in the byte alphabet
	for _, a := range t.cfg.Added {
		raw[a.ID] = true
	}
	gaps := t.needsVocab()
	var spelling []byte
	spell := func(id int32) string {
		if raw[id] {
			return t.cfg.Tokens[id]
		}
		spelling = appendChars(spelling[:0], t.cfg.Tokens[id])
		return string(spelling)
	}
	dst = append(dst, ",\n    \"vocab\": {"...)
	separator := "\n      "
	for id := range int32(t.Vocab()) {
		key := ""
		if int(id) < len(t.cfg.Tokens) && t.cfg.Tokens[id] != "" {
			key = spell(id)
		} else if gaps {
			key = t.vocab.text(id)
		}
		if key == "" {
			continue
		}
		dst = appendString(append(dst, separator...), key)
		dst = strconv.AppendInt(append(dst, ": "...), int64(id), 10)
		separator = ",\n      "
	}
	dst = append(dst, "\n    },\n    \"merges\": ["...)
	separator = "\n      "
	for _, m := range t.cfg.Merges {
		dst = appendString(append(append(dst, separator...), '['), spell(m.Left))
		dst = append(appendString(append(dst, ", "...), spell(m.Right)), ']')
		separator = ",\n      "
	}
	return append(dst, "\n    ]\n  }"...)
}

// needsVocab reports whether the added tokens must be in the vocabulary to keep their ids: tokenizers numbers those that
// are not by itself, from the number of entries on.
func (t *Tokenizer) needsVocab() bool {
	next := int32(0)
	for _, token := range t.cfg.Tokens {
		if token != "" {
			next++
		}
	}
	var ids []int32
	for _, a := range t.cfg.Added {
		if int(a.ID) >= len(t.cfg.Tokens) || t.cfg.Tokens[a.ID] == "" {
			ids = append(ids, a.ID)
		}
	}
	slices.Sort(ids)
	for i, id := range ids {
		if id != next+int32(i) {
			return true
		}
	}
	return false
}

// appendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
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

// A Roles says which special tokens play which part; "" for none.
type Roles struct {
	BOS, EOS, Pad, Unknown string
	MaxLength              int    // longest sequence in tokens, 0 for no limit
	ChatTemplate           string // Jinja, "" for none
}

// ConfigJSON returns the content of tokenizer_config.json, with which transformers' AutoTokenizer loads the
// tokenizer.json beside it. Roles that are not special tokens of t are an error.
func (t *Tokenizer) ConfigJSON(r Roles) ([]byte, error) {
	out := map[string]any{
		"tokenizer_class":              "PreTrainedTokenizerFast",
		"clean_up_tokenization_spaces": false,
		"model_max_length":             json.Number("1000000000000000019884624838656"), // what transformers writes for no limit
	}
	if r.MaxLength > 0 {
		out["model_max_length"] = r.MaxLength
	}
	if r.ChatTemplate != "" {
		out["chat_template"] = r.ChatTemplate
	}
	for key, content := range map[string]string{"bos_token": r.BOS, "eos_token": r.EOS, "pad_token": r.Pad, "unk_token": r.Unknown} {
		if content == "" {
			continue
		}
		if _, ok := t.Special(content); !ok {
			return nil, &FormatError{Key: key, Offset: -1, Fault: quote(content) + " is not a special token", Cure: "use one of Specials"}
		}
		out[key] = content
	}
	added := map[string]any{}
	for _, a := range t.cfg.Added {
		added[strconv.Itoa(int(a.ID))] = map[string]any{"content": a.Content, "lstrip": a.LStrip, "normalized": a.Normalized,
			"rstrip": a.RStrip, "single_word": a.SingleWord, "special": a.Special}
	}
	out["added_tokens_decoder"] = added
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(out)
	return b.Bytes(), err
}
