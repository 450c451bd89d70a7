package spm

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/data/hf"
)

// AppendJSON appends t in the format of tokenizer.json. Hugging Face tokenizers and transformers load it to the same ids,
// but for what a tokenizer.json cannot say: the rounding of sentencepiece's sums of scores, which piece of a charsmap
// matches inside a grapheme cluster, and that no space comes behind a user-defined piece that begins a text.
func (t *Tokenizer) AppendJSON(dst []byte) []byte {
	h := t.cfg.Hub
	added := t.cfg.Added
	if h == nil {
		h, added = t.hubOfRules()
	}
	dst = hf.AppendHead(dst, added, h.Normalizer)
	dst = h.PreTokenizer.AppendJSON(dst)
	dst = append(dst, ",\n  \"post_processor\": "...)
	dst = t.cfg.Frame.AppendTemplate(dst, t.content)
	dst = append(dst, ",\n  \"decoder\": "...)
	dst = h.Decoder.AppendJSON(dst)
	dst = append(dst, ",\n  \"model\": "...)
	if t.cfg.Algorithm == BPE {
		dst = t.appendBPE(dst, h)
	} else {
		dst = t.appendUnigram(dst, h)
	}
	return append(dst, "\n}\n"...)
}

// hubOfRules says in the terms of tokenizers what sentencepiece's rules do.
func (t *Tokenizer) hubOfRules() (*Hub, []hf.AddedToken) {
	r := t.cfg.Rules
	h := &Hub{Unknown: t.unknown, FuseUnknown: true}
	added := slices.Clone(t.cfg.Added)
	defined := false
	for id, p := range t.cfg.Pieces {
		if p.Type == UserDefined {
			defined = true
			added = append(added, hf.AddedToken{ID: int32(id), Content: p.Text, Normalized: true})
		}
	}
	var steps []string
	if r.Charsmap != nil {
		steps = append(steps, `{"type": "Precompiled", "precompiled_charsmap": "`+base64.StdEncoding.EncodeToString(r.Charsmap.Raw())+`"}`)
	}
	metaspace := r.DummyPrefix && defined && !r.KeepSpaces
	if r.RemoveExtraSpace {
		steps = append(steps, replaceRegex(" {2,}", " "), replaceRegex(` \z`, ""))
	}
	switch { // Metaspace puts no ▁ before text that begins with one
	case r.RemoveExtraSpace && metaspace:
		steps = append(steps, replaceRegex(`\A `, space))
	case r.RemoveExtraSpace:
		steps = append(steps, replaceRegex(`\A `, ""))
	case metaspace:
		steps = append(steps, replaceRegex(`\A `, space+space))
	}
	prefix := " "
	if !r.KeepSpaces {
		prefix = space
	}
	if r.DummyPrefix && !metaspace {
		steps = append(steps, `{"type": "Prepend", "prepend": "`+prefix+`"}`)
	}
	if !r.KeepSpaces {
		steps = append(steps, `{"type": "Replace", "pattern": {"String": " "}, "content": "`+space+`"}`)
		if metaspace {
			raw := []byte(`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}`)
			h.PreTokenizer, _ = hf.ParsePreTokenizer(raw, false, nil) // of a step that it knows
		}
	}
	h.Decoder, _ = hf.ParseDecoder(t.decoderOfRules())
	if len(steps) > 0 {
		raw := `{"type": "Sequence", "normalizers": [` + strings.Join(steps, ", ") + `]}`
		h.Normalizer, _ = hf.ParseNormalizer([]byte(raw)) // of steps that it knows
	}
	for i, a := range added { // one that normalizing alters would never be found, or everywhere
		added[i].Normalized = a.Normalized && string(h.Normalizer.Apply([]byte(a.Content))) == a.Content
	}
	if t.cfg.Algorithm == BPE {
		h.Merges = t.bpe.list()
	}
	return h, added
}

// replaceRegex is a step of a normalizer.
func replaceRegex(regex, content string) string {
	step := hf.AppendString([]byte(`{"type": "Replace", "pattern": {"Regex": `), regex)
	return string(append(hf.AppendString(append(step, `}, "content": `...), content), '}'))
}

// list returns the merges of sentencepiece's scores: each way to join two pieces to a third, best score first.
func (m *merges) list() []Merge {
	type ranked struct {
		Merge
		rank uint32
	}
	var all []ranked
	for id, p := range m.t.cfg.Pieces {
		if m.ranks[id] == noRank || p.Type != Normal {
			continue
		}
		for at := range p.Text {
			if at == 0 {
				continue
			}
			left, right := m.part([]byte(p.Text[:at])), m.part([]byte(p.Text[at:]))
			if left >= 0 && right >= 0 && m.t.cfg.Pieces[left].Type != UserDefined && m.t.cfg.Pieces[right].Type != UserDefined {
				all = append(all, ranked{Merge{left, right}, m.ranks[id]})
			}
		}
	}
	length := func(id int32) int { return len(m.t.cfg.Pieces[id].Text) }
	slices.SortStableFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(length(b.Left), length(a.Left)))
	})
	list := make([]Merge, len(all))
	for i, r := range all {
		list[i] = r.Merge
	}
	return list
}

// decoderOfRules is the decoder of tokenizers that does what sentencepiece does, but for special tokens.
func (t *Tokenizer) decoderOfRules() []byte {
	steps := []string{`{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}`}
	if t.cfg.ByteFallback {
		steps = append(steps, `{"type": "ByteFallback"}`)
	}
	steps = append(steps, `{"type": "Fuse"}`)
	if r := t.cfg.Rules; r.DummyPrefix || r.RemoveExtraSpace {
		steps = append(steps, `{"type": "Strip", "content": " ", "start": 1, "stop": 0}`)
	}
	return []byte(`{"type": "Sequence", "decoders": [` + strings.Join(steps, ", ") + `]}`)
}

func (t *Tokenizer) appendBPE(dst []byte, h *Hub) []byte {
	dst = append(dst, `{"type": "BPE", "dropout": null, "unk_token": `...)
	if h.Unknown >= 0 {
		dst = hf.AppendString(dst, t.cfg.Pieces[h.Unknown].Text)
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendOptional(append(dst, `, "continuing_subword_prefix": `...), h.Continuing)
	dst = appendOptional(append(dst, `, "end_of_word_suffix": `...), h.Suffix)
	dst = append(dst, `, "fuse_unk": `...)
	dst = strconv.AppendBool(dst, h.FuseUnknown)
	dst = strconv.AppendBool(append(dst, `, "byte_fallback": `...), t.cfg.ByteFallback)
	dst = strconv.AppendBool(append(dst, `, "ignore_merges": `...), h.IgnoreMerges)
	dst = append(dst, ",\n    \"vocab\": {"...)
	separator := "\n      "
	for id, p := range t.cfg.Pieces {
		if p.Text == "" {
			continue
		}
		dst = hf.AppendString(append(dst, separator...), p.Text)
		dst = strconv.AppendInt(append(dst, ": "...), int64(id), 10)
		separator = ",\n      "
	}
	dst = append(dst, "\n    },\n    \"merges\": ["...)
	separator = "\n      "
	for _, m := range h.Merges {
		dst = hf.AppendString(append(append(dst, separator...), '['), t.cfg.Pieces[m.Left].Text)
		dst = append(hf.AppendString(append(dst, ", "...), t.cfg.Pieces[m.Right].Text), ']')
		separator = ",\n      "
	}
	return append(dst, "\n    ]\n  }"...)
}

// content is the spelling of a token, "" for an id that is unused or out of range.
func (t *Tokenizer) content(id int32) string {
	if content, ok := t.added[id]; ok {
		return content
	}
	if uint(id) < uint(len(t.cfg.Pieces)) {
		return t.cfg.Pieces[id].Text
	}
	return ""
}

// appendOptional appends a text, null for "".
func appendOptional(dst []byte, text string) []byte {
	if text == "" {
		return append(dst, "null"...)
	}
	return hf.AppendString(dst, text)
}

func (t *Tokenizer) appendUnigram(dst []byte, h *Hub) []byte {
	dst = append(dst, `{"type": "Unigram", "unk_id": `...)
	if h.Unknown >= 0 {
		dst = strconv.AppendInt(dst, int64(h.Unknown), 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = strconv.AppendBool(append(dst, `, "byte_fallback": `...), t.cfg.ByteFallback)
	dst = append(dst, ",\n    \"vocab\": ["...)
	separator := "\n      "
	for _, p := range t.cfg.Pieces {
		dst = hf.AppendString(append(append(dst, separator...), '['), p.Text)
		dst = append(strconv.AppendFloat(append(dst, ", "...), p.Score, 'g', -1, 64), ']')
		separator = ",\n      "
	}
	return append(dst, "\n    ]\n  }"...)
}
