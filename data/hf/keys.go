package hf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Use is what becomes of a key of a file.
type Use uint8

const (
	// Used keys are read.
	Used Use = iota
	// Harmless keys alter no id and no text.
	Harmless
	// Refused keys would alter ids in a way that is not known here; they are an error unless their value is null or false.
	Refused
)

// documentKeys are the keys of tokenizer.json that are known: those of the whole, and those of each part by its section and
// type. A key that is not here is an error, for nobody knows what it does.
var documentKeys = map[string]map[string]Use{
	"": {"version": Harmless, "truncation": Harmless, "padding": Harmless, // transformers sets both itself
		"added_tokens": Used, "normalizer": Used, "pre_tokenizer": Used, "post_processor": Used, "decoder": Used, "model": Used},
	"added_tokens": {"id": Used, "content": Used, "single_word": Used, "lstrip": Used, "rstrip": Used, "normalized": Used, "special": Used},

	"normalizer.Sequence": {"normalizers": Used}, "normalizer.NFC": {}, "normalizer.NFD": {}, "normalizer.NFKC": {}, "normalizer.NFKD": {},
	"normalizer.Lowercase": {}, "normalizer.StripAccents": {}, "normalizer.Nmt": {}, "normalizer.ByteLevel": {},
	"normalizer.Strip":          {"strip_left": Used, "strip_right": Used},
	"normalizer.Replace":        {"pattern": Used, "content": Used},
	"normalizer.Prepend":        {"prepend": Used},
	"normalizer.Precompiled":    {"precompiled_charsmap": Used},
	"normalizer.BertNormalizer": {"clean_text": Used, "handle_chinese_chars": Used, "strip_accents": Used, "lowercase": Used},

	"pre_tokenizer.Sequence": {"pretokenizers": Used}, "pre_tokenizer.BertPreTokenizer": {}, "pre_tokenizer.Whitespace": {}, "pre_tokenizer.WhitespaceSplit": {},
	"pre_tokenizer.ByteLevel":          {"add_prefix_space": Used, "use_regex": Used, "trim_offsets": Harmless},
	"pre_tokenizer.Metaspace":          {"replacement": Used, "prepend_scheme": Used, "add_prefix_space": Used, "split": Used, "str_rep": Harmless},
	"pre_tokenizer.Split":              {"pattern": Used, "behavior": Used, "invert": Used},
	"pre_tokenizer.Digits":             {"individual_digits": Used},
	"pre_tokenizer.Punctuation":        {"behavior": Used},
	"pre_tokenizer.CharDelimiterSplit": {"delimiter": Used},
	"pre_tokenizer.FixedLength":        {"length": Used},

	"post_processor.Sequence":           {"processors": Used},
	"post_processor.ByteLevel":          {"add_prefix_space": Harmless, "trim_offsets": Harmless, "use_regex": Harmless},
	"post_processor.TemplateProcessing": {"single": Used, "special_tokens": Used, "pair": Harmless},
	"post_processor.BertProcessing":     {"cls": Used, "sep": Used},
	"post_processor.RobertaProcessing":  {"cls": Used, "sep": Used, "trim_offsets": Harmless, "add_prefix_space": Harmless},

	"decoder.Sequence": {"decoders": Used}, "decoder.ByteFallback": {}, "decoder.Fuse": {},
	"decoder.ByteLevel":  {"add_prefix_space": Harmless, "trim_offsets": Harmless, "use_regex": Harmless},
	"decoder.Metaspace":  {"replacement": Used, "prepend_scheme": Used, "add_prefix_space": Used, "split": Harmless, "str_rep": Harmless},
	"decoder.Replace":    {"pattern": Used, "content": Used},
	"decoder.Strip":      {"content": Used, "start": Used, "stop": Used},
	"decoder.WordPiece":  {"prefix": Used, "cleanup": Used},
	"decoder.BPEDecoder": {"suffix": Used},

	"model.BPE": {"vocab": Used, "merges": Used, "unk_token": Used, "fuse_unk": Used, "byte_fallback": Used, "ignore_merges": Used,
		"continuing_subword_prefix": Used, "end_of_word_suffix": Used, "dropout": Used, "cache_capacity": Harmless},
	"model.Unigram":   {"vocab": Used, "unk_id": Used, "byte_fallback": Used, "cache_capacity": Harmless},
	"model.WordPiece": {"vocab": Used, "unk_token": Used, "continuing_subword_prefix": Used, "max_input_chars_per_word": Used},
	"model.WordLevel": {"vocab": Used, "unk_token": Used},
}

// children are the keys under which a Sequence of a section holds its parts.
var children = map[string]string{"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors", "decoder": "decoders"}

// checkKeys reports a key that no table has, in a whole tokenizer.json.
func (d *Document) checkKeys(whole json.RawMessage) error {
	if err := checkObject(whole, "", documentKeys[""]); err != nil {
		return err
	}
	var doc struct {
		Added []json.RawMessage `json:"added_tokens"`
	}
	if json.Unmarshal(whole, &doc) == nil {
		for i, raw := range doc.Added {
			if err := checkObject(raw, fmt.Sprintf("added_tokens[%d].", i), documentKeys["added_tokens"]); err != nil {
				return err
			}
		}
	}
	for section, raw := range map[string]json.RawMessage{"normalizer": d.Normalizer, "pre_tokenizer": d.PreTokenizer, "post_processor": d.PostProcessor,
		"decoder": d.Decoder, "model": d.Model} {
		if err := checkPart(raw, section, 0); err != nil {
			return err
		}
	}
	return nil
}

// checkPart checks a part of a section and those in it. A type that nobody knows is left to who reads the section.
func checkPart(raw json.RawMessage, section string, depth int) error {
	var part struct {
		Type string `json:"type"`
	}
	if IsNull(raw) || json.Unmarshal(raw, &part) != nil || depth > maxNesting {
		return nil
	}
	if part.Type == "" && section == "model" {
		part.Type = "BPE"
	}
	keys, known := documentKeys[section+"."+part.Type]
	if !known {
		return nil
	}
	if err := checkObject(raw, section+".", keys, "type"); err != nil {
		return err
	}
	var object map[string]json.RawMessage
	if part.Type != "Sequence" || json.Unmarshal(raw, &object) != nil {
		return nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(object[children[section]], &parts) != nil {
		return nil
	}
	for _, inner := range parts {
		if err := checkPart(inner, section, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkObject reports the first key, in order of their names, that is not among keys or more and says something.
func checkObject(raw json.RawMessage, place string, keys map[string]Use, more ...string) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil // whoever reads it says so
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		use, known := keys[key]
		if (known && use != Refused) || slices.Contains(more, key) || valueOf(object[key]) == "" {
			continue
		}
		return &UnsupportedError{What: "key", Value: place + key, Cure: fmt.Sprintf("nobody knows what %s means for the ids; take it out if it means nothing", valueOf(object[key]))}
	}
	return nil
}

// valueOf returns a value as far as it may mean something: "" for null, false and what is empty.
func valueOf(value json.RawMessage) string {
	text := strings.TrimSpace(string(value))
	switch text {
	case "null", "false", `""`, "[]", "{}":
		return ""
	}
	return Quote(text)
}
