package hub

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/nn"
)

// TestBeginAndEnd: what texts begin and end with is told by the roles of the tokenizer, then by the ids of the configuration;
// the tokenizer's frame begins texts unless they are to be bare.
func TestBeginAndEnd(t *testing.T) {
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.Config()
	cfg.Added = append(cfg.Added, bpe.AddedToken{ID: 257, Content: "<s>", Special: true}, bpe.AddedToken{ID: 258, Content: "<|fin|>", Special: true})
	cfg.Tokens = append(slices.Clone(cfg.Tokens), "<s>", "<|fin|>")
	bare, err := bpe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Frame = hf.Frame{Before: []int32{257, 9}}
	framed, err := bpe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	none := nn.SpecialTokens{BOS: -1, PAD: -1}
	for _, tt := range []struct {
		tokens             *bpe.Tokenizer
		id                 Identity
		bos                bool
		begin, empty, ends []int32
		end                int32
	}{
		{bare, Identity{none, hf.Roles{}}, true, nil, []int32{256}, []int32{256}, 256},
		{bare, Identity{none, hf.Roles{BOS: "<s>", EOS: "<|fin|>"}}, true, nil, []int32{257}, []int32{258}, 258},
		{bare, Identity{nn.SpecialTokens{BOS: 7, PAD: -1, EOS: []int{8, 9}}, hf.Roles{}}, true, nil, []int32{7}, []int32{8, 9}, 8},
		{bare, Identity{nn.SpecialTokens{BOS: 0, PAD: -1, EOS: []int{8}}, hf.Roles{}}, true, nil, []int32{0}, []int32{8}, 8},
		{bare, Identity{nn.SpecialTokens{BOS: 7, PAD: -1, EOS: []int{8, 9}}, hf.Roles{BOS: "<s>", EOS: "<|fin|>"}}, true, nil, []int32{257}, []int32{8, 9}, 258},
		{bare, Identity{nn.SpecialTokens{BOS: -1, PAD: -1, Start: []int{5}, EOS: []int{8}}, hf.Roles{}}, true, nil, []int32{8}, []int32{8}, 8},
		{framed, Identity{none, hf.Roles{BOS: "<s>"}}, true, []int32{257, 9}, []int32{257}, []int32{256}, 256},
		{framed, Identity{none, hf.Roles{EOS: "<|fin|>"}}, false, nil, []int32{257}, []int32{258}, 258},
	} {
		enc, err := tt.id.Encoder(tt.tokens, tt.bos)
		if err != nil {
			t.Fatal(err)
		}
		p := tt.id.Prompts(tt.tokens, tt.bos)
		if ends := tt.id.Ends(tt.tokens); !slices.Equal(enc.BeginOfText(), tt.begin) || enc.EndOfText() != tt.end || !slices.Equal(p.Before, tt.begin) || !slices.Equal(p.Empty, tt.empty) || !slices.Equal(ends, tt.ends) {
			t.Errorf("%+v bos %t: documents %v … %d, prompts %v or %v, ends %v", tt.id, tt.bos, enc.BeginOfText(), enc.EndOfText(), p.Before, p.Empty, ends)
		}
	}
}

// TestIdentityOfBase: a base keeps what its files say, and gets no roles that they do not give.
func TestIdentityOfBase(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config, tokenizer, template string
		bos, eos, pad, chat         string
		ends                        int
	}{
		{`{}`, ``, ``, "", "", "", "", 0},
		{`{"eos_token_id": 256}`, `{"bos_token": null, "eos_token": {"content": "<|endoftext|>"}}`, ``, "", "<|endoftext|>", "", "", 1},
		{`{}`, `{"eos_token": "</s>", "pad_token": "<|endoftext|>", "chat_template": "key"}`, ``, "", "", "<|endoftext|>", "key", 0},
		{`{}`, `{"chat_template": [{"name": "default", "template": "key"}]}`, `file`, "", "", "", "file", 0},
		{`{}`, ``, `file`, "", "", "", "file", 0},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"config.json": c.config, "tokenizer_config.json": c.tokenizer, "chat_template.jinja": c.template} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		id, err := ReadIdentity(Place{Dir: dir, Base: dir}, tokens, 64)
		if err != nil {
			t.Fatal(err)
		}
		r := id.Roles
		if r.BOS != c.bos || r.EOS != c.eos || r.Pad != c.pad || r.ChatTemplate != c.chat || r.MaxLength != 64 {
			t.Errorf("%s %s: roles %+v", c.config, c.tokenizer, r)
		}
		if id.Special.BOS != -1 || len(id.Special.EOS) != c.ends {
			t.Errorf("%s: special tokens %+v", c.config, id.Special)
		}
	}
}
