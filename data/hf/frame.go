package hf

import (
	"encoding/json"
	"strconv"
)

// A Frame is the special tokens that the original puts around a single sequence: BOS before it, EOS behind it.
type Frame struct{ Before, After []int32 }

// Check reports an id of the frame that a vocabulary of that many tokens has not.
func (f Frame) Check(vocab int) error {
	for _, id := range append(append([]int32(nil), f.Before...), f.After...) {
		if id < 0 || int(id) >= vocab {
			return Faultf("post_processor", "id %d is outside the vocabulary of %d", id, vocab)
		}
	}
	return nil
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
		Type       string            `json:"type"`
		Processors []json.RawMessage `json:"processors"`
		Single     []pieceJSON       `json:"single"`
		Special    map[string]struct {
			IDs []int64 `json:"ids"`
		} `json:"special_tokens"`
		CLS, SEP json.RawMessage
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
		}
	case "TemplateProcessing":
		side := &f.Before
		for i, piece := range p.Single {
			switch {
			case piece.Sequence != nil:
				side = &f.After
			case piece.SpecialToken != nil:
				special, ok := p.Special[piece.SpecialToken.ID]
				if !ok {
					return f, Faultf(key+".single["+strconv.Itoa(i)+"]", "%s is not in special_tokens", Quote(piece.SpecialToken.ID))
				}
				for _, id := range special.IDs {
					if id < 0 || id >= MaxVocab {
						return f, Faultf(key+".special_tokens["+Quote(piece.SpecialToken.ID)+"]", "id %d is outside 0 … %d", id, MaxVocab-1)
					}
					*side = append(*side, int32(id))
				}
			}
		}
	case "BertProcessing", "RobertaProcessing":
		cls, err := pairID(p.CLS, key+".cls")
		if err != nil {
			return f, err
		}
		sep, err := pairID(p.SEP, key+".sep")
		if err != nil {
			return f, err
		}
		f = Frame{[]int32{cls}, []int32{sep}}
	default:
		return f, &UnsupportedError{What: key, Value: p.Type, Cure: "known are TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence"}
	}
	return f, nil
}

// A pieceJSON is an element of a template.
type pieceJSON struct {
	Sequence     *struct{}
	SpecialToken *struct {
		ID string `json:"id"`
	}
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
	if len(f.Before)+len(f.After) == 0 {
		return append(dst, "null"...)
	}
	piece := func(dst []byte, content string, sequence int) []byte {
		dst = AppendString(append(dst, `{"SpecialToken": {"id": `...), content)
		return append(append(strconv.AppendInt(append(dst, `, "type_id": `...), int64(sequence), 10), "}}"...), ", "...)
	}
	template := func(dst []byte, sequences ...string) []byte {
		for i, s := range sequences {
			for _, id := range f.Before {
				dst = piece(dst, name(id), i)
			}
			dst = append(append(append(dst, `{"Sequence": {"id": "`...), s...), `", "type_id": `...)
			dst = append(strconv.AppendInt(dst, int64(i), 10), "}}, "...)
			for _, id := range f.After {
				dst = piece(dst, name(id), i)
			}
		}
		return dst[:len(dst)-2]
	}
	dst = template(append(dst, `{"type": "TemplateProcessing", "single": [`...), "A")
	dst = template(append(dst, `], "pair": [`...), "A", "B")
	dst = append(dst, `], "special_tokens": {`...)
	seen := map[int32]bool{}
	for _, id := range append(append([]int32(nil), f.Before...), f.After...) {
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
