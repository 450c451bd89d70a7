package bpe

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"example.com/gotrain/data/hf"
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
	dst = hf.AppendHead(dst, t.cfg.Added, t.cfg.Normalizer)
	if p := t.cfg.PreTokenizer; p != nil {
		dst = p.AppendJSON(dst)
	} else {
		dst = t.cfg.Pattern.appendPreTokenizer(dst)
	}
	dst = append(dst, ",\n  \"post_processor\": "...)
	dst = t.cfg.Frame.AppendTemplate(dst, t.vocab.text)
	dst = append(dst, ",\n  \"decoder\": "+`{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}`...)
	return append(t.appendModel(append(dst, ",\n  \"model\": "...)), "\n}\n"...)
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
	dst = hf.AppendString(dst, p.Regex())
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
		spelling = hf.AppendSpelled(spelling[:0], t.cfg.Tokens[id])
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
		dst = hf.AppendString(append(dst, separator...), key)
		dst = strconv.AppendInt(append(dst, ": "...), int64(id), 10)
		separator = ",\n      "
	}
	dst = append(dst, "\n    },\n    \"merges\": ["...)
	separator = "\n      "
	for _, m := range t.cfg.Merges {
		dst = hf.AppendString(append(append(dst, separator...), '['), spell(m.Left))
		dst = append(hf.AppendString(append(dst, ", "...), spell(m.Right)), ']')
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

// ConfigJSON returns the content of tokenizer_config.json, with which transformers' AutoTokenizer loads the
// tokenizer.json beside it. Roles that are not special tokens of t are an error.
func (t *Tokenizer) ConfigJSON(r Roles) ([]byte, error) { return hf.ConfigJSON(t.cfg.Added, r) }
