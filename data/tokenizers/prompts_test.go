package tokenizers

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

// prompted is a tokenizer with the files beside it, and what AutoTokenizer makes of them; see scripts/golden/prompts.py.
type prompted struct {
	Name      string
	Tokenizer json.RawMessage
	Files     map[string]json.RawMessage
	Roles     map[string]string
	Texts     [][2]json.RawMessage
	Pairs     [][3]json.RawMessage
}

// save writes the files of a tokenizer.
func save(t *testing.T, tokenizer json.RawMessage, files map[string]json.RawMessage) string {
	t.Helper()
	dir := t.TempDir()
	files = maps.Clone(files)
	files[File] = tokenizer
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func decode[T any](t *testing.T, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Prompts, and completions of them, have the tokens that transformers and lm-evaluation-harness give them: BOS where the
// post_processor puts it, special tokens found, tokens and flags that the files beside tokenizer.json name.
func TestPromptsAsTransformersDoes(t *testing.T) {
	raw, err := os.ReadFile("testdata/prompts.json")
	if err != nil {
		t.Fatal(err)
	}
	cases := decode[[]prompted](t, raw)
	for _, c := range cases {
		if string(c.Tokenizer) == "null" {
			c.Tokenizer = cases[0].Tokenizer
		}
		o, err := Open(save(t, c.Tokenizer, c.Files))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if len(o.Notes) > 0 {
			t.Errorf("%s: notes %q", c.Name, o.Notes)
		}
		if got := o.Roles.Tokens(); !maps.Equal(got, c.Roles) {
			t.Errorf("%s: roles %v, want %v", c.Name, got, c.Roles)
		}
		p := Prompts{Tokens: o.Tokenizer, Before: o.Tokenizer.Frame().Before}
		for _, role := range []string{o.Roles.BOS, o.Roles.EOS} {
			if id, ok := o.Tokenizer.ID([]byte(role)); ok && len(p.Empty) == 0 {
				p.Empty = []int32{id}
			}
		}
		for _, text := range c.Texts {
			s, want := decode[string](t, text[0]), decode[[]int32](t, text[1])
			if s == "" && len(want) == 0 {
				want = p.Empty
			}
			if got, err := p.Encode(s); !slices.Equal(got, want) || err != nil {
				t.Errorf("%s: %q: %v %v, want %v", c.Name, s, got, err, want)
			}
		}
		for _, pair := range c.Pairs {
			prompt, completion, want := decode[string](t, pair[0]), decode[string](t, pair[1]), decode[[2][]int32](t, pair[2])
			if before, after, err := p.Pair(prompt, completion); !slices.Equal(before, want[0]) || !slices.Equal(after, want[1]) || err != nil {
				t.Errorf("%s: %q %q: %v %v %v, want %v", c.Name, prompt, completion, before, after, err, want)
			}
		}
	}
}

// Where no token ends at the border of prompt and completion, each has tokens of its own; without BOS an empty prompt begins
// from the token that stands for it.
func TestPair(t *testing.T) {
	raw, err := os.ReadFile("testdata/prompts.json")
	if err != nil {
		t.Fatal(err)
	}
	c := decode[[]prompted](t, raw)[0]
	tokens, err := Read(strings.NewReader(string(c.Tokenizer)), "t")
	if err != nil {
		t.Fatal(err)
	}
	ids := func(text string) []int32 { return tokens.AppendEncode(nil, []byte(text)) }
	p := Prompts{Tokens: tokens, Before: []int32{0}, Empty: []int32{1}}
	for _, tt := range []struct {
		before             []int32
		prompt, completion string
		want, wantAfter    []int32
	}{
		{p.Before, "of lig", "ht", append([]int32{0}, ids("of lig")...), ids("ht")},
		{nil, "of lig", "ht", ids("of lig"), ids("ht")},
		{nil, "", "cat", []int32{1}, ids("cat")},
		{nil, "", "</s>cat", []int32{1}, ids("cat")},
		{p.Before, "", "<s>cat", []int32{0}, ids("cat")},
		{p.Before, " \n", "cat", []int32{0}, ids(" \ncat")},
	} {
		p.Before = tt.before
		if before, after, err := p.Pair(tt.prompt, tt.completion); !slices.Equal(before, tt.want) || !slices.Equal(after, tt.wantAfter) || err != nil {
			t.Errorf("%v %q %q: %v %v %v, want %v %v", tt.before, tt.prompt, tt.completion, before, after, err, tt.want, tt.wantAfter)
		}
	}
	p.Before, p.Empty = nil, nil
	if _, err := p.Encode(""); err != ErrNoBegin {
		t.Error(err)
	}
	if _, _, err := p.Pair("", "cat"); err != ErrNoBegin {
		t.Error(err)
	}
}

// What ends a text is said by eos_token, else by ids that a configuration names, else by a name that families of models use;
// a document begins with BOS where its tokenizer puts it.
func TestEndOfText(t *testing.T) {
	document := `{"added_tokens": [{"id": 0, "content": "</s>", "special": true}, {"id": 1, "content": "<|fin|>", "special": true}], "pre_tokenizer": {"type": "ByteLevel"},
		"decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"</s>": 0, "<|fin|>": 1, "a": 2}, "merges": []}}`
	tokens, err := Read(strings.NewReader(document), "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		roles hf.Roles
		ids   []int
		want  int32
	}{
		{hf.Roles{EOS: "<|fin|>"}, []int{0}, 1}, {hf.Roles{EOS: "<gone>"}, []int{9, 1}, 1}, {hf.Roles{}, []int{2}, 2}, {hf.Roles{}, nil, 0},
	} {
		if got, err := EndOfText(tokens, tt.roles, tt.ids...); got != tt.want || err != nil {
			t.Errorf("%+v %v: %d %v, want %d", tt.roles, tt.ids, got, err, tt.want)
		}
	}
	if r := RolesOf(tokens, hf.Roles{EOS: "<|fin|>", Pad: "<gone>", BOS: "a"}, 7); r.EOS != "<|fin|>" || r.Pad != "" || r.BOS != "" || r.MaxLength != 7 {
		t.Errorf("%+v", r)
	}
	if r := RolesOf(tokens, hf.Roles{}, 0); r.EOS != "</s>" || r.BOS != "</s>" {
		t.Errorf("%+v", r)
	}
	if r := RolesOf(tokens, hf.Roles{Pad: "</s>"}, 0); r.EOS != "</s>" || r.BOS != "" {
		t.Errorf("%+v", r)
	}
}

// Keys that nobody knows are noted by file and name; those that would alter ids are refused.
func TestConfigNotes(t *testing.T) {
	raw, err := os.ReadFile("testdata/prompts.json")
	if err != nil {
		t.Fatal(err)
	}
	tokenizer := decode[[]prompted](t, raw)[0].Tokenizer
	open := func(config string) (Opened, error) {
		return Open(save(t, tokenizer, map[string]json.RawMessage{hf.ConfigFile: json.RawMessage(config)}))
	}
	o, err := open(`{"eos_token": "</s>", "pad_token": "[PAD]", "mood": 1, "legacy": true}`)
	if want := []string{`tokenizer_config.json: key "mood" is not known: nothing reads it`, `tokenizer_config.json: pad_token "[PAD]" is not in the vocabulary: it is left out`}; err != nil || !slices.Equal(o.Notes, want) {
		t.Errorf("%q %v, want %q", o.Notes, err, want)
	}
	for config, want := range map[string]string{
		`{"split_special_tokens": true}`:       "split_special_tokens",
		`{"add_prefix_space": true}`:           "it is \"true\", but ByteLevel of tokenizer.json says \"false\"",
		`{"added_tokens_decoder": {"x": "y"}}`: `added_tokens_decoder: "x" is not the id of a token`,
		`{"bos_token": 7}`:                     "bos_token: neither a text nor a token",
	} {
		if _, err := open(config); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), hf.ConfigFile) {
			t.Errorf("%s: %v", config, err)
		}
	}
	if _, err := open(`{"split_special_tokens": false, "add_prefix_space": false, "do_lower_case": true}`); err != nil {
		t.Error(err)
	}
}
