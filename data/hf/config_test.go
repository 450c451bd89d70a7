package hf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each key of tokenizer_config.json is what the table says: used ones are read, harmless ones pass, refused ones are an error by
// name unless they say nothing; one that is not in the table is noted.
func TestConfigKeys(t *testing.T) {
	token := `{"content": "<t>", "lstrip": true, "normalized": false, "rstrip": false, "single_word": false, "special": true}`
	for key, use := range configKeys {
		value := "7"
		switch {
		case key == "added_tokens_decoder":
			value = `{"3": ` + token + `}`
		case strings.HasSuffix(key, "_special_tokens") && use == Used:
			value = `[` + token + `]`
		case strings.HasSuffix(key, "_token") && use == Used:
			value = token
		case key == "chat_template":
			value = `"{{ x }}"`
		}
		empty, err := ParseConfig([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseConfig(fmt.Appendf(nil, `{%q: %s}`, key, value))
		changed := fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", empty)
		switch {
		case use == Refused && (err == nil || !strings.Contains(err.Error(), key)):
			t.Errorf("%s: %v", key, err)
		case use != Refused && err != nil:
			t.Errorf("%s: %v", key, err)
		case use == Used && !changed:
			t.Errorf("%s is used, and nothing reads it", key)
		case use == Harmless && changed:
			t.Errorf("%s is harmless, and gives %+v", key, got)
		}
		for _, nothing := range []string{"null", "false"} {
			if _, err := ParseConfig(fmt.Appendf(nil, `{%q: %s}`, key, nothing)); use == Refused && err != nil {
				t.Errorf("%s is %s: %v", key, nothing, err)
			}
		}
	}
	c, err := ParseConfig([]byte(`{"mood": null, "image_token": "<i>", "b": 1}`))
	if want := []string{`tokenizer_config.json: key "b" is not known: nothing reads it`, `tokenizer_config.json: key "mood" is not known: nothing reads it`}; err != nil || !slices.Equal(c.Notes, want) {
		t.Errorf("%q %v", c.Notes, err)
	}
	if c.Roles.Other["image_token"] != "<i>" || len(c.Tokens) != 1 || !c.Tokens[0].Special {
		t.Errorf("%+v", c)
	}
}

// The files of earlier versions of transformers count where tokenizer_config.json lists no tokens.
func TestConfigOfEarlierVersions(t *testing.T) {
	write := func(config string) string {
		dir := t.TempDir()
		for name, content := range map[string]string{
			ConfigFile: config, rolesFile: `{"eos_token": {"content": "<end>", "lstrip": false}, "additional_special_tokens": ["<a>"], "mood": 1}`,
			addedFile: `{"<b>": 9, "<end>": 8}`, templateFile: "{{ file }}",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	c, err := ReadConfig(write(`{"eos_token": "</s>", "bos_token": "<s>", "chat_template": "{{ config }}"}`))
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	for _, token := range c.Tokens {
		contents = append(contents, fmt.Sprintf("%s %t %t", token.Content, token.Key != "", token.Special))
	}
	if want := []string{"<end> false true", "<b> false false", "<s> true true", "<end> true true", "<a> true true"}; !slices.Equal(contents, want) {
		t.Errorf("%q, want %q", contents, want)
	}
	if c.Roles.EOS != "<end>" || c.Roles.BOS != "<s>" || c.Roles.ChatTemplate != "{{ file }}" {
		t.Errorf("%+v", c.Roles)
	}
	if want := []string{`special_tokens_map.json: key "mood" is not known: nothing reads it`}; !slices.Equal(c.Notes, want) {
		t.Errorf("%q", c.Notes)
	}
	c, err = ReadConfig(write(`{"eos_token": "</s>", "added_tokens_decoder": {}}`))
	if err != nil || c.Roles.EOS != "</s>" || len(c.Tokens) != 1 {
		t.Errorf("%+v %v", c, err)
	}
}

// Keys that must agree with tokenizer.json are compared with its parts, inside Sequences too.
func TestAgree(t *testing.T) {
	doc, err := ReadDocument(strings.NewReader(`{"normalizer": {"type": "Sequence", "normalizers": [{"type": "BertNormalizer", "lowercase": true, "strip_accents": null, "handle_chinese_chars": true, "clean_text": true}]},
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "model": {"type": "BPE"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		`{"do_lower_case": true, "strip_accents": true, "tokenize_chinese_chars": true, "add_prefix_space": false}`: "",
		`{"do_lower_case": false}`: "do_lower_case", `{"tokenize_chinese_chars": false}`: "tokenize_chinese_chars", `{"add_prefix_space": true}`: "add_prefix_space",
	} {
		c, err := ParseConfig([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Agree(c); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
