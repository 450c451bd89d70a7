package hub

import (
	"os"
	"path/filepath"
	"testing"

	"gotrain/data/bpe"
)

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
		id, err := ReadIdentity(dir, tokens, 64)
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
