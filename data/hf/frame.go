package hf

import (
	"encoding/json"
	"slices"
	"strconv"
)

// A Frame is the special tokens that the original puts around a single sequence: BOS before it, EOS behind it.
type Frame struct {
	Before, After []int32
	// Pair is how two sequences stand in one row; nil is each in a frame of its own, with the kinds 0 and 1.
	Pair []Part
}

// A Part is an element of the template of two sequences.
type Part struct {
	ID   int32 // of a special token, or First or Second
	Kind int32 // token_type_id
}

// The sequences of a template.
const (
	First  int32 = -1
	Second int32 = -2
)

// BertPair is BERT's template of two sequences: [CLS] A [SEP] B [SEP], of which the last two are of kind 1.
func BertPair(cls, sep int32) []Part {
	return []Part{{cls, 0}, {First, 0}, {sep, 0}, {Second, 1}, {sep, 1}}
}

// pair is the template of two sequences, whatever is left out.
func (f Frame) pair() []Part {
	if f.Pair != nil {
		return f.Pair
	}
	var parts []Part
	for kind, sequence := range []int32{First, Second} {
		for _, ids := range [][]int32{f.Before, {sequence}, f.After} {
			for _, id := range ids {
				parts = append(parts, Part{id, int32(kind)})
			}
		}
	}
	return parts
}

// Row returns the row of one text, whose second is nil, or of two, with the kind of each token.
func (f Frame) Row(first, second []int32) (ids, kinds []int32) {
	if second == nil {
		ids = append(append(append(ids, f.Before...), first...), f.After...)
		return ids, make([]int32, len(ids))
	}
	for _, p := range f.pair() {
		switch p.ID {
		case First:
			ids = append(ids, first...)
		case Second:
			ids = append(ids, second...)
		default:
			ids = append(ids, p.ID)
		}
		for len(kinds) < len(ids) {
			kinds = append(kinds, p.Kind)
		}
	}
	return ids, kinds
}

// Around is the number of special tokens that Row adds to one text, or to two.
func (f Frame) Around(two bool) int {
	if !two {
		return len(f.Before) + len(f.After)
	}
	return len(f.pair()) - 2
}

// Check reports an id of the frame that a vocabulary of that many tokens has not.
func (f Frame) Check(vocab int) error {
	for _, id := range f.special() {
		if id < 0 || int(id) >= vocab {
			return Faultf("post_processor", "id %d is outside the vocabulary of %d", id, vocab)
		}
	}
	return nil
}

// special are the ids of the frame, each as often as it stands there.
func (f Frame) special() []int32 {
	all := append(append([]int32(nil), f.Before...), f.After...)
	for _, p := range f.Pair {
		if p.ID != First && p.ID != Second {
			all = append(all, p.ID)
		}
	}
	return all
}

// ParseFrame reads the post_processor of a tokenizer.json: TemplateProcessing, BertProcessing and RobertaProcessing give a
// frame, ByteLevel none; the last of a Sequence that gives one counts.
func ParseFrame(raw json.RawMessage) (Frame, error) {
	return parseFrame(raw, 0)
}

func parseFrame(raw json.RawMessage, depth int) (Frame, error) {
	if IsNull(raw) {
		return Frame{}, nil
	}
	var p struct {
		Type       string                 `json:"type"`
		Processors []json.RawMessage      `json:"processors"`
		Single     []pieceJSON            `json:"single"`
		Pair       []pieceJSON            `json:"pair"`
		Special    map[string]specialJSON `json:"special_tokens"`
		CLS, SEP   json.RawMessage
	}
	const key = "post_processor"
	if err := DecodeStep(raw, key, &p); err != nil {
		return Frame{}, err
	}
	var f Frame
	switch p.Type {
	case "ByteLevel":
	case "Sequence":
		if depth == maxNesting {
			return f, Faultf(key, "Sequences lie more than %d deep in each other", maxNesting)
		}
		for _, inner := range p.Processors {
			g, err := parseFrame(inner, depth+1)
			if err != nil {
				return f, err
			}
			f.Before, f.After = append(g.Before, f.Before...), append(f.After, g.After...)
			if g.Pair != nil {
				f.Pair = g.Pair
			}
		}
	case "TemplateProcessing":
		side := &f.Before
		for i, piece := range p.Single {
			switch {
			case piece.Sequence != nil:
				side = &f.After
			case piece.SpecialToken != nil:
				ids, err := specialIDs(p.Special, piece.SpecialToken.ID, key+".single["+strconv.Itoa(i)+"]")
				if err != nil {
					return f, err
				}
				*side = append(*side, ids...)
			}
		}
		return f, f.readPair(p.Pair, p.Special)
	case "BertProcessing", "RobertaProcessing":
		cls, err := pairID(p.CLS, key+".cls")
		if err != nil {
			return f, err
		}
		sep, err := pairID(p.SEP, key+".sep")
		if err != nil {
			return f, err
		}
		f = Frame{Before: []int32{cls}, After: []int32{sep}, Pair: BertPair(cls, sep)}
		if p.Type == "RobertaProcessing" {
			f.Pair = []Part{{cls, 0}, {First, 0}, {sep, 0}, {sep, 0}, {Second, 0}, {sep, 0}}
		}
	default:
		return f, &UnsupportedError{What: key, Value: p.Type, Cure: "known are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence"}
	}
	return f, nil
}

// A pieceJSON is an element of a template.
type pieceJSON struct {
	Sequence, SpecialToken *struct {
		ID   string `json:"id"`
		Kind int32  `json:"type_id"`
	}
}

// A specialJSON is a special token of a template.
type specialJSON struct {
	IDs []int64 `json:"ids"`
}

// specialIDs are the ids of a special token that a template names at key.
func specialIDs(special map[string]specialJSON, name, key string) ([]int32, error) {
	s, ok := special[name]
	if !ok {
		return nil, Faultf(key, "%s is not in special_tokens", Quote(name))
	}
	var ids []int32
	for _, id := range s.IDs {
		if id < 0 || id >= MaxVocab {
			return nil, Faultf("post_processor.special_tokens["+Quote(name)+"]", "id %d is outside 0 … %d", id, MaxVocab-1)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// readPair reads the template of two sequences where it is another than that of a frame
// which says nothing.
func (f *Frame) readPair(pieces []pieceJSON, special map[string]specialJSON) error {
	var parts []Part
	sequences := 0
	for i, piece := range pieces {
		switch {
		case piece.Sequence != nil && (piece.Sequence.ID == "A" || piece.Sequence.ID == "B"):
			sequences++
			parts = append(parts, Part{map[string]int32{"A": First, "B": Second}[piece.Sequence.ID], piece.Sequence.Kind})
		case piece.SpecialToken != nil:
			ids, err := specialIDs(special, piece.SpecialToken.ID, "post_processor.pair["+strconv.Itoa(i)+"]")
			if err != nil {
				return err
			}
			for _, id := range ids {
				parts = append(parts, Part{id, piece.SpecialToken.Kind})
			}
		}
	}
	if sequences == 2 && !slices.Equal(parts, f.pair()) {
		f.Pair = parts
	}
	return nil
}

// pairID reads ["<s>", 0].
func pairID(raw json.RawMessage, key string) (int32, error) {
	var pair []json.RawMessage
	if err := DecodeStep(raw, key, &pair); err != nil {
		return 0, err
	}
	var id int64
	if len(pair) != 2 || json.Unmarshal(pair[1], &id) != nil || id < 0 || id >= MaxVocab {
		return 0, Faultf(key, "not a token and its id")
	}
	return int32(id), nil
}

// AppendTemplate appends the post_processor of a frame; name gives the content of its tokens.
func (f Frame) AppendTemplate(dst []byte, name func(id int32) string) []byte {
	if len(f.special()) == 0 {
		return append(dst, "null"...)
	}
	piece := func(dst []byte, content string, sequence int) []byte {
		dst = AppendString(append(dst, `{"SpecialToken": {"id": `...), content)
		return append(append(strconv.AppendInt(append(dst, `, "type_id": `...), int64(sequence), 10), "}}"...), ", "...)
	}
	template := func(dst []byte, parts []Part) []byte {
		for _, p := range parts {
			if p.ID >= 0 {
				dst = piece(dst, name(p.ID), int(p.Kind))
				continue
			}
			dst = append(append(append(dst, `{"Sequence": {"id": "`...), "AB"[First-p.ID]), `", "type_id": `...)
			dst = append(strconv.AppendInt(dst, int64(p.Kind), 10), "}}, "...)
		}
		return dst[:len(dst)-2]
	}
	parts := f.pair()
	single := make([]Part, 0, len(f.Before)+1+len(f.After))
	for _, ids := range [][]int32{f.Before, {First}, f.After} {
		for _, id := range ids {
			single = append(single, Part{id, 0})
		}
	}
	dst = template(append(dst, `{"type": "TemplateProcessing", "single": [`...), single)
	dst = template(append(dst, `], "pair": [`...), parts)
	dst = append(dst, `], "special_tokens": {`...)
	seen := map[int32]bool{}
	for _, id := range f.special() {
		if seen[id] {
			continue
		}
		if len(seen) > 0 {
			dst = append(dst, ", "...)
		}
		seen[id] = true
		content := name(id)
		dst = append(AppendString(dst, content), `: {"id": `...)
		dst = append(AppendString(dst, content), `, "ids": [`...)
		dst = append(strconv.AppendInt(dst, int64(id), 10), `], "tokens": [`...)
		dst = append(AppendString(dst, content), "]}"...)
	}
	return append(dst, "}}"...)
}
