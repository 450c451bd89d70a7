package hf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// configKeys are the keys of tokenizer_config.json that are known; more are those of ownToken. A key that is not here is named
// in [TokenizerConfig.Notes]: transformers hands each key on to the class of the tokenizer.
var configKeys = map[string]Use{
	"bos_token": Used, "eos_token": Used, "unk_token": Used, "sep_token": Used, "pad_token": Used, "cls_token": Used, "mask_token": Used,
	"added_tokens_decoder": Used, "extra_special_tokens": Used, "additional_special_tokens": Used, "model_max_length": Used, "chat_template": Used,

	// They must agree with tokenizer.json: some classes of transformers follow one of them, some the other.
	"add_prefix_space": Used, "do_lower_case": Used, "strip_accents": Used, "tokenize_chinese_chars": Used,

	"split_special_tokens": Refused, // special tokens are never found
	"fix_mistral_regex":    Refused, // another pre_tokenizer than tokenizer.json has
	"src_lang":             Refused, // another post_processor
	"tgt_lang":             Refused,
	"target_lang":          Refused,

	// With a tokenizer.json transformers leaves them out: its post_processor says what is added.
	"add_bos_token": Harmless, "add_eos_token": Harmless, "sp_model_kwargs": Harmless, "legacy": Harmless, "from_slow": Harmless, "use_fast": Harmless,
	"vocab_file": Harmless, "merges_file": Harmless, "tokenizer_file": Harmless, "special_tokens_map_file": Harmless, "init_inputs": Harmless,
	"extra_ids":         Harmless, // sentinels, which stand among the added tokens
	"do_basic_tokenize": Harmless, "never_split": Harmless, "errors": Harmless,

	// Which class loads the files and where they are from: the ids are tokenizer.json's.
	"tokenizer_class": Harmless, "backend": Harmless, "auto_map": Harmless, "processor_class": Harmless, "name_or_path": Harmless, "model_type": Harmless,
	"is_local": Harmless, "local_files_only": Harmless, "trust_remote_code": Harmless, "transformers_version": Harmless, "device_map": Harmless,

	// How batches are cut and filled, and what is given beside the ids.
	"padding_side": Harmless, "truncation_side": Harmless, "pad_to_multiple_of": Harmless, "padding": Harmless, "truncation": Harmless, "max_length": Harmless,
	"stride": Harmless, "truncation_strategy": Harmless, "pad_token_type_id": Harmless, "return_token_type_ids": Harmless, "model_input_names": Harmless,

	// How ids are shown: text of WordPiece is tidied up, which that of no other model is.
	"clean_up_tokenization_spaces": Harmless, "spaces_between_special_tokens": Harmless,

	"use_default_system_prompt": Harmless,                                // from a time when templates stood in the code
	"response_schema":           Harmless, "response_template": Harmless, // how answers are read back
	"bos_token_id": Harmless, "eos_token_id": Harmless, "pad_token_id": Harmless, "unk_token_id": Harmless, // the tokens say it
}

// unknownKey is the note on a key of a file.
func unknownKey(file, key string) string {
	return fmt.Sprintf("%s: key %q is not known: nothing reads it", file, key)
}

// checkConfig refuses keys whose meaning is not followed, and returns the values of those that must agree with tokenizer.json
// and a note on each that is not known.
func checkConfig(keys map[string]json.RawMessage) (says map[string]json.RawMessage, notes []string, err error) {
	says = map[string]json.RawMessage{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		use, known := configKeys[key]
		switch {
		case !known && ownToken(key):
		case !known:
			notes = append(notes, unknownKey(ConfigFile, key))
		case use == Refused && valueOf(keys[key]) != "":
			return nil, nil, &UnsupportedError{What: "key", Value: key, Cure: fmt.Sprintf("with %s the ids are others than tokenizer.json's; take it out, or save the tokenizer as it is then", Quote(string(keys[key])))}
		case slices.Contains([]string{"add_prefix_space", "do_lower_case", "strip_accents", "tokenize_chinese_chars"}, key) && !IsNull(keys[key]):
			says[key] = keys[key]
		}
	}
	return says, notes, nil
}

// Agree reports a key of tokenizer_config.json that says another thing than this tokenizer.json: which of them holds depends on
// the class of transformers.
func (d *Document) Agree(c TokenizerConfig) error {
	bert := map[string]string{"do_lower_case": "lowercase", "strip_accents": "strip_accents", "tokenize_chinese_chars": "handle_chinese_chars"}
	for _, key := range slices.Sorted(maps.Keys(c.Says)) {
		section, kind, inside := d.Normalizer, "BertNormalizer", bert[key]
		if key == "add_prefix_space" {
			section, kind, inside = d.PreTokenizer, "ByteLevel", key
		}
		for _, part := range partsOf(section, kind) {
			var object map[string]json.RawMessage
			if json.Unmarshal(part, &object) != nil || IsNull(object[inside]) || strings.TrimSpace(string(object[inside])) == strings.TrimSpace(string(c.Says[key])) {
				continue
			}
			return &UnsupportedError{File: ConfigFile, What: "key", Value: key, Cure: fmt.Sprintf("it is %s, but %s of tokenizer.json says %s; make them agree", Quote(string(c.Says[key])), kind, Quote(string(object[inside])))}
		}
	}
	return nil
}

// partsOf returns the parts of a section that are of a kind.
func partsOf(raw json.RawMessage, kind string) (parts []json.RawMessage) {
	var part struct {
		Type          string
		Normalizers   []json.RawMessage
		PreTokenizers []json.RawMessage `json:"pretokenizers"`
	}
	if IsNull(raw) || json.Unmarshal(raw, &part) != nil {
		return nil
	}
	if part.Type == kind {
		parts = append(parts, raw)
	}
	for _, inner := range append(part.Normalizers, part.PreTokenizers...) {
		parts = append(parts, partsOf(inner, kind)...)
	}
	return parts
}
