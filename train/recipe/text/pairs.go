package text

import (
	"example.com/gotrain/data"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
)

// PairEncoder is how the texts of pairs become tokens of a model of that identity. A model that
// names no token for its decoder to begin from begins from the one that ends a text.
func PairEncoder(tokens data.Tokenizer, id *hub.Identity) (pairs.Encoder, error) {
	ends := id.Ends(tokens)
	if len(ends) == 0 {
		return pairs.Encoder{}, config.Faultf("the tokenizer has no token that ends a text (add one with tokenizer.add_special_tokens, or name another tokenizer)")
	}
	enc := pairs.Encoder{Tokens: tokens, Start: ends[0], End: ends[0]}
	if len(id.Special.Start) > 0 {
		enc.Start = int32(id.Special.Start[0])
	}
	id.Special.Start, id.Special.EOS = []int{int(enc.Start)}, toInts(ends)
	if id.Special.PAD < 0 {
		id.Special.PAD = int(enc.End)
	}
	return enc, nil
}

func toInts(ids []int32) []int {
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = int(id)
	}
	return out
}
