package pairs

import "example.com/gotrain/data"

// Encoder turns pairs into tokens, as transformers does when its tokenizer is called: with
// what the tokenizer puts around a text on both sides. A target ends with End.
type Encoder struct {
	Tokens data.Tokenizer
	Start  int32 // what a decoder begins from
	End    int32 // ends a target
}

// Source are the tokens of a source. Special tokens that it spells are text.
func (e Encoder) Source(text string) []int32 {
	frame := e.Tokens.Frame()
	ids := e.Tokens.AppendEncode(append([]int32{}, frame.Before...), []byte(text))
	return append(ids, frame.After...)
}

// Prompt is Source of a text in which special tokens are found, such as the sentinels of T5.
func (e Encoder) Prompt(text string) []int32 {
	frame := e.Tokens.Frame()
	ids := e.Tokens.AppendEncodeSpecial(append([]int32{}, frame.Before...), []byte(text))
	return append(ids, frame.After...)
}

// Target are the tokens that a decoder is to give for a text, its end with them.
func (e Encoder) Target(text string) []int32 {
	ids := e.Source(text)
	if len(ids) == 0 || ids[len(ids)-1] != e.End {
		ids = append(ids, e.End)
	}
	return ids
}

// Text is the text of target tokens, without those that frame it.
func (e Encoder) Text(target []int32) string {
	special := map[int32]bool{e.Start: true, e.End: true}
	for _, t := range e.Tokens.Specials() {
		special[t.ID] = true
	}
	kept := make([]int32, 0, len(target))
	for _, id := range target {
		if !special[id] {
			kept = append(kept, id)
		}
	}
	return string(e.Tokens.AppendDecode(nil, kept))
}

// Lengths are the bytes that each token adds to a text, 0 for special ones.
func (e Encoder) Lengths() []int32 {
	lengths := make([]int32, e.Tokens.Vocab())
	for id := range lengths {
		lengths[id] = int32(len(e.Tokens.TokenBytes(int32(id))))
	}
	for _, token := range e.Tokens.Specials() {
		lengths[token.ID] = 0
	}
	return lengths
}
