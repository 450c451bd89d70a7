package tokenizers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkoukk/tiktoken-go-loader/assets"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
)

// published are the tokenizers that this program carries: by the name that users know, the
// rank file of OpenAI's tiktoken and its encoding.
var published = []struct{ name, encoding string }{
	{"gpt2", "r50k_base"}, {"cl100k", "cl100k_base"}, {"o200k", "o200k_base"},
}

// Names are the tokenizers that [Named] knows: gpt2, the one of GPT-2 and GPT-3; cl100k,
// that of GPT-3.5 and GPT-4; o200k, that of GPT-4o.
func Names() []string {
	var names []string
	for _, p := range published {
		names = append(names, p.name)
	}
	return names
}

// IsName tells whether [Named] knows name.
func IsName(name string) bool { return slices.Contains(Names(), name) }

// Named returns a tokenizer that this program carries, so that it needs no network.
func Named(name string) (data.Tokenizer, error) {
	for _, p := range published {
		if p.name != name {
			continue
		}
		encoding, err := bpe.EncodingByName(p.encoding)
		if err != nil {
			return nil, err
		}
		file := p.encoding + ".tiktoken"
		ranks, err := assets.Assets.Open(file)
		if err != nil {
			return nil, err
		}
		defer ranks.Close()
		return bpe.ReadTiktoken(ranks, file, encoding)
	}
	return nil, fmt.Errorf("there is no tokenizer called %q; use one of %s", name, strings.Join(Names(), ", "))
}
