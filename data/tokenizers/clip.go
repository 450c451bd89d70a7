package tokenizers

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
)

// Special tokens of CLIP.
const (
	clipStart = "<|startoftext|>"
	clipEnd   = "<|endoftext|>"
)

// CLIP returns the tokenizer of CLIP (Radford et al. 2021) of a vocabulary and merges, lines of
// two tokens, as in vocab.json and merges.txt: lower-case byte-level BPE whose tokens tell the end
// of a word by </w>, and a caption stands between its start and end tokens.
func CLIP(vocab map[string]int64, merges []string) (data.Tokenizer, error) {
	start, ok := vocab[clipStart]
	end, ok2 := vocab[clipEnd]
	if !ok || !ok2 {
		return nil, hf.Faultf("vocab", "%s or %s is missing", clipStart, clipEnd)
	}
	added := func(content string, id int64) map[string]any {
		return map[string]any{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	type object = map[string]any
	text, err := json.Marshal(object{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens": []any{added(clipStart, start), added(clipEnd, end)},
		"normalizer": object{"type": "Sequence", "normalizers": []any{
			object{"type": "NFC"}, object{"type": "Replace", "pattern": object{"Regex": `\s+`}, "content": " "}, object{"type": "Lowercase"}}},
		"pre_tokenizer": object{"type": "Sequence", "pretokenizers": []any{
			object{"type": "Split", "pattern": object{"Regex": `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`}, "behavior": "Removed", "invert": true},
			object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}}},
		"post_processor": object{"type": "RobertaProcessing", "sep": []any{clipEnd, end}, "cls": []any{clipStart, start}, "trim_offsets": false, "add_prefix_space": false},
		"decoder":        object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": object{"type": "BPE", "dropout": nil, "unk_token": clipEnd, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges},
	})
	if err != nil {
		return nil, err
	}
	return Read(bytes.NewReader(text), File)
}

// maxWord is the longest word, in bytes, of which WordsCLIP makes a token.
const maxWord = 32

// WordsCLIP returns a tokenizer of CLIP's kind whose merges spell the words of texts, the most
// frequent first, up to about so many tokens; what it does not know it spells in bytes.
func WordsCLIP(texts []string, tokens int) (data.Tokenizer, error) {
	vocab, merges := WordVocabulary(texts, tokens)
	return CLIP(vocab, merges)
}

// WordVocabulary is the vocabulary of WordsCLIP, and its merges.
func WordVocabulary(texts []string, tokens int) (vocab map[string]int64, merges []string) {
	counts := map[string]int{}
	for _, text := range texts {
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			if len(word) <= maxWord && utf8.ValidString(word) {
				counts[word]++
			}
		}
	}
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	vocab = map[string]int64{}
	add := func(token string) {
		if _, ok := vocab[token]; !ok {
			vocab[token] = int64(len(vocab))
		}
	}
	for _, suffix := range []string{"", "</w>"} {
		for b := range 256 {
			add(string(hf.CharOfByte(byte(b))) + suffix)
		}
	}
	merged := map[string]bool{}
	for _, word := range words {
		if len(vocab) >= tokens-2 {
			break
		}
		joined := ""
		for i := range len(word) {
			next := string(hf.CharOfByte(word[i]))
			if i == len(word)-1 {
				next += "</w>"
			}
			if joined != "" {
				if line := joined + " " + next; !merged[line] {
					merged[line] = true
					merges = append(merges, line)
				}
				add(joined + next)
			}
			joined += next
		}
	}
	add(clipStart)
	add(clipEnd)
	return vocab, merges
}

// Caption returns the tokens of a caption, length of them: between start and end, cut where it is
// longer, pad behind it.
func Caption(t data.Tokenizer, text string, length int, pad int32) []int32 {
	frame := t.Frame()
	ids := t.AppendEncode(slices.Clone(frame.Before), []byte(text))
	ids = append(ids[:min(len(ids), max(length-len(frame.After), 0))], frame.After...)
	for len(ids) < length {
		ids = append(ids, pad)
	}
	return ids[:length]
}
