package bpe_test

import (
	"context"
	"fmt"

	"example.com/gotrain/data/bpe"
)

func Example() {
	documents := func(yield func([]byte, error) bool) {
		_ = yield([]byte("low low low lower newest newest widest"), nil)
	}
	tok, err := bpe.Train(context.Background(), documents, bpe.TrainConfig{
		Pattern: bpe.GPT2,
		Vocab:   262,
		Special: []string{bpe.EndOfText},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := tok.AppendEncode(nil, []byte("lowest"))
	for _, id := range ids {
		fmt.Printf("%q ", tok.TokenBytes(id))
	}
	fmt.Println(string(tok.AppendDecode(nil, ids)))
	// Output: "low" "est" lowest
}
