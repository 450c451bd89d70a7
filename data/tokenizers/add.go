package tokenizers

import (
	"bytes"
	"strings"

	"example.com/gotrain/data/hf"
)

// AddSpecial returns a tokenizer that finds the contents as special tokens, as transformers'
// add_special_tokens has them: one that is special already stays as it is, one that the
// vocabulary has gets special, and the others get the ids from Vocab on, in their order. A
// sentinel, <extra_id_N>, takes the space before it: the span that it stands for has its own.
func AddSpecial(o Opened, contents []string) (Opened, error) {
	var c hf.TokenizerConfig
	for _, content := range contents {
		if _, ok := o.Tokenizer.Special(content); !ok {
			c.Tokens = append(c.Tokens, hf.NamedToken{AddedToken: hf.AddedToken{Content: content, Special: true, LStrip: strings.HasPrefix(content, sentinel)}})
		}
	}
	if len(c.Tokens) == 0 {
		return o, nil
	}
	t, notes, err := read(bytes.NewReader(o.Tokenizer.AppendJSON(nil)), File, c)
	if err != nil {
		return o, err
	}
	o.Tokenizer, o.Notes = t, append(o.Notes, notes...)
	return o, nil
}

// sentinel is how the tokens of T5 begin that stand for a span of a text.
const sentinel = "<extra_id_"
