package spm

import (
	"bytes"
	"slices"
	"testing"

	"example.com/gotrain/data/hf"
)

// TestFingerprint: whatever alters ids alters the fingerprint, of sentencepiece's rules
// and of a tokenizer.json.
func TestFingerprint(t *testing.T) {
	seen := map[string]string{}
	record := func(name string, c Config) {
		t.Helper()
		tok, err := New(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other, ok := seen[tok.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[tok.Fingerprint()] = name
	}
	rules := func(c *Config) *Rules { r := *c.Rules; c.Rules = &r; return &r }
	pieces := func(c *Config) []Piece { c.Pieces = slices.Clone(c.Pieces); return c.Pieces }
	for _, model := range []string{"bpe", "unigram", "unigram_bytes", "unigram_defined"} {
		base := load(t, model).Config()
		record(model, base)
		last := len(base.Pieces) - 1
		for name, change := range map[string]func(*Config){
			"a prefix":     func(c *Config) { r := rules(c); r.DummyPrefix = !r.DummyPrefix },
			"extra spaces": func(c *Config) { r := rules(c); r.RemoveExtraSpace = !r.RemoveExtraSpace },
			"spaces":       func(c *Config) { r := rules(c); r.KeepSpaces = !r.KeepSpaces },
			"a score":      func(c *Config) { pieces(c)[last].Score -= 0.5 },
			"a piece":      func(c *Config) { pieces(c)[last].Text = "another piece" },
			"a type":       func(c *Config) { pieces(c)[last].Type = Unused },
			"another type": func(c *Config) { pieces(c)[last].Type = UserDefined },
			"fallback":     func(c *Config) { c.ByteFallback = !c.ByteFallback },
			"an added token": func(c *Config) {
				c.Added = append(slices.Clone(c.Added), hf.AddedToken{ID: int32(last) + 1, Content: "<new>"})
			},
			"what it strips": func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[0].LStrip = !c.Added[0].LStrip },
			"which words":    func(c *Config) { c.Added = slices.Clone(c.Added); c.Added[0].SingleWord = !c.Added[0].SingleWord },
		} {
			c := base
			change(&c)
			record(model+" with another "+name, c)
		}
		if base.Rules.Charsmap != nil {
			c := base
			rules(&c).Charsmap = nil
			record(model+" without charsmap", c)
		}
	}
	text := load(t, "bpe").AppendJSON(nil)
	for name, change := range map[string][2]string{
		"as it is":             {"", ""},
		"that fuses nothing":   {`"fuse_unk": true`, `"fuse_unk": false`},
		"without merges":       {`"ignore_merges": false`, `"ignore_merges": true`},
		"without fallback":     {`"byte_fallback": true`, `"byte_fallback": false`},
		"that prepends spaces": {`"prepend": "▁"`, `"prepend": "▁▁"`},
		"with suffixes":        {`"end_of_word_suffix": null`, `"end_of_word_suffix": "</w>"`},
		"that drops unknown":   {`"unk_token": "<unk>"`, `"unk_token": null`},
	} {
		changed := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if name == "as it is" {
			changed = text
		} else if bytes.Equal(changed, text) {
			t.Fatalf("%s: nothing changes", name)
		}
		doc, err := hf.ReadDocument(bytes.NewReader(changed))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := FromDocument(doc)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other, ok := seen[tok.Fingerprint()]; ok {
			t.Errorf("a file %s has the fingerprint of %s", name, other)
		}
		seen[tok.Fingerprint()] = name
	}
}
