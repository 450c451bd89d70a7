package bpe

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/hf"
)

// golden is one record of testdata/ids.json: the ids of Hugging Face tokenizers, with and without special tokens.
type golden struct {
	Pattern, Text     string
	Special, Ordinary []int32
}

func goldens(t *testing.T) []golden {
	data, err := os.ReadFile("testdata/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []golden
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// stringMerges turns ["a", "b"] of merges into "a b", the older spelling.
func stringMerges(file []byte) []byte {
	head, tail, _ := bytes.Cut(file, []byte(`"merges":[`))
	tail = regexp.MustCompile(`\["((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\]`).ReplaceAll(tail, []byte(`"$1 $2"`))
	return slices.Concat(head, []byte(`"merges":[`), tail)
}

// TestJSONMatchesHuggingFace: tokenizer.json files give the ids that tokenizers gives, in both spellings of merges, and
// after a round trip through our writer.
func TestJSONMatchesHuggingFace(t *testing.T) {
	list := goldens(t)
	for _, pattern := range []Pattern{GPT2, GPT4, O200K} {
		file, err := os.ReadFile("testdata/hf_" + pattern.String() + ".json")
		if err != nil {
			t.Fatal(err)
		}
		first, err := ReadJSON(bytes.NewReader(file), "hf")
		if err != nil {
			t.Fatal(err)
		}
		for name, spelling := range map[string][]byte{"arrays": file, "strings": stringMerges(file), "ours": first.AppendJSON(nil)} {
			tok, err := ReadJSON(bytes.NewReader(spelling), name)
			if err != nil {
				t.Fatal(err)
			}
			if tok.Fingerprint() != first.Fingerprint() || tok.Pattern() != pattern {
				t.Errorf("%v, %s: another tokenizer", pattern, name)
			}
			tried := 0
			for _, g := range list {
				if g.Pattern != pattern.String() {
					continue
				}
				tried++
				if got := tok.AppendEncodeSpecial(nil, []byte(g.Text)); !slices.Equal(got, g.Special) {
					t.Errorf("%v, %s: %q\n got %v\nwant %v", pattern, name, g.Text, got, g.Special)
				}
				if got := tok.AppendEncode(nil, []byte(g.Text)); !slices.Equal(got, g.Ordinary) {
					t.Errorf("%v, %s: ordinary %q\n got %v\nwant %v", pattern, name, g.Text, got, g.Ordinary)
				}
				if got := tok.EncodeParallel([]byte(g.Text), 2); !slices.Equal(got, g.Ordinary) {
					t.Errorf("%v, %s: parallel %q\n got %v\nwant %v", pattern, name, g.Text, got, g.Ordinary)
				}
			}
			if tried == 0 {
				t.Errorf("no goldens of %v", pattern)
			}
		}
	}
}

// TestSaveLoad: what Save writes, Load reads, from the file or its folder, and nothing else is left there.
func TestSaveLoad(t *testing.T) {
	dir := t.TempDir()
	chars, err := Characters([]byte("aé漢🙂"))
	if err != nil {
		t.Fatal(err)
	}
	if err := chars.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "tokenizer.json")} {
		back, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if back.Fingerprint() != chars.Fingerprint() {
			t.Errorf("%s: another tokenizer", path)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files left, %v", len(entries), err)
	}
	if err := chars.Save(filepath.Join(dir, "none", "tokenizer.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestPatternsSurviveJSON writes and reads a tokenizer of every pattern.
func TestPatternsSurviveJSON(t *testing.T) {
	plain, err := Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Patterns() {
		cfg := plain.Config()
		cfg.Pattern = p
		cfg.IgnoreMerges = true
		if cfg.Normalizer, err = hf.ParseNormalizer([]byte(`{"type": "NFC"}`)); err != nil {
			t.Fatal(err)
		}
		cfg.Frame = hf.Frame{Before: []int32{256}, After: []int32{256}}
		tok, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ReadJSON(bytes.NewReader(tok.AppendJSON(nil)), p.String())
		if err != nil {
			t.Fatal(err)
		}
		got := back.Config()
		if back.Fingerprint() != tok.Fingerprint() || !got.IgnoreMerges || !reflect.DeepEqual(got.Frame, cfg.Frame) {
			t.Errorf("%v: read back as %v", p, back.Pattern())
		}
		if q, err := ParsePattern(p.String()); err != nil || q != p {
			t.Errorf("ParsePattern(%q) = %v, %v", p, q, err)
		}
	}
	if _, err := ParsePattern("gpt9"); err == nil || !strings.Contains(err.Error(), "o200k") {
		t.Errorf("unknown pattern: %v", err)
	}
}

func TestConfigJSON(t *testing.T) {
	tok, err := Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data, err := tok.ConfigJSON(Roles{EOS: EndOfText, MaxLength: 1024, ChatTemplate: "{{ x }}"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Class    string `json:"tokenizer_class"`
		EOS      string `json:"eos_token"`
		Max      int    `json:"model_max_length"`
		Template string `json:"chat_template"`
		Added    map[string]struct{ Content string }
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Class != "PreTrainedTokenizerFast" || got.EOS != EndOfText || got.Max != 1024 || got.Template != "{{ x }}" {
		t.Errorf("got %+v", got)
	}
	if _, err := tok.ConfigJSON(Roles{BOS: "<s>"}); err == nil || !strings.Contains(err.Error(), "bos_token") {
		t.Errorf("unknown role: %v", err)
	}
}

// small is a tokenizer.json with the bytes as its vocabulary; replace pairs of old and new change it.
func small(t testing.TB, replace ...string) string {
	tok, err := Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(replace...).Replace(string(tok.AppendJSON(nil)))
}

func TestJSONErrors(t *testing.T) {
	const byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
	unsupported := map[string]string{
		`unsupported regular expression "(x)\\1"; at byte 3: back-references`: small(t, byteLevel, `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(x)\\1"}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}`),
		`pre_tokenizer "Whitespace"`:                                          small(t, byteLevel, `{"type": "Whitespace"}`),
		`pre_tokenizer ""`:                                                    small(t, byteLevel, `null`),
		`normalizer "Foo"`:                                                    small(t, `"normalizer": null`, `"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Foo"}]}`),
		`key "normalizer.cased"`:                                              small(t, `"normalizer": null`, `"normalizer": {"type": "NFC", "cased": true}`),
		`key "model.old"`:                                                     small(t, `"vocab": {`, `"old": 1, "vocab": {`),
		`model.dropout "0.1"`:                                                 small(t, `"dropout": null`, `"dropout": 0.1`),
		`key "added_tokens[0].rank"`:                                          small(t, `"id": 256`, `"rank": 3, "id": 256`),
	}
	for want, file := range unsupported {
		_, err := ReadJSON(strings.NewReader(file), "t.json")
		var e *UnsupportedError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.File != "t.json" {
			t.Errorf("got %v, want an UnsupportedError with %q", err, want)
		}
	}
	faults := map[string]string{
		"not JSON":                  `{"model": {`,
		"model: missing":            `{}`,
		"model.vocab: string where": small(t, `"vocab": {`, `"vocab": "x", "cache_capacity": {`),
		`model.vocab["x"]: id 4294967296 is outside`: small(t, `"x": 120`, `"x": 4294967296`),
		`id 65 is`: small(t, `"x": 120`, `"x": 65`),
		`merges[0]: "a" or "bc" is not in model.vocab`:         small(t, `"merges": [`, `"merges": ["a bc"`),
		`merge 0 makes "ab", which is not`:                     small(t, `"merges": [`, `"merges": ["a b"`),
		`"abc" is not two tokens`:                              small(t, `"merges": [`, `"merges": ["abc"`),
		`["a"]`:                                                small(t, `"merges": [`, `"merges": [["a"]`),
		`added_tokens[0].id: -1 for "<|endoftext|>", to which`: small(t, `"id": 256`, `"id": -1`),
		`tokenizers gives 256, whatever the file says`:         small(t, `"id": 256`, `"id": 65`),
	}
	for want, file := range faults {
		_, err := ReadJSON(strings.NewReader(file), "t.json")
		var e *FormatError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), strings.ReplaceAll(want, `["a"]`, "is not a pair")) || e.File != "t.json" {
			t.Errorf("got %v, want a FormatError with %q", err, want)
		}
	}
	_, err := ReadJSON(strings.NewReader(small(t, `"end_of_word_suffix": null`, `"end_of_word_suffix": "</w>"`)), "t.json")
	if !errors.Is(err, ErrCharacters) {
		t.Errorf("a suffix: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(small(f)))
	f.Add([]byte(small(f, `"merges": [`, `"merges": [["a", "b"]`, `"x": 120`, `"x": 120, "ab": 300`)))
	f.Add([]byte(`{"model": {"type": "BPE", "vocab": {"a": 1}, "merges": []}, "pre_tokenizer": {"type": "ByteLevel"}}`))
	f.Add([]byte(`{"added_tokens": [{"id": 9999999, "content": ""}], "model": null}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		tok, err := ReadJSON(bytes.NewReader(file), "fuzz")
		if err != nil {
			return
		}
		text := []byte("Hello, world <|endoftext|>\x00\xff 123")
		ids := tok.AppendEncodeSpecial(nil, text)
		back, err := ReadJSON(bytes.NewReader(tok.AppendJSON(nil)), "again")
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if again := back.AppendEncodeSpecial(nil, text); !slices.Equal(ids, again) {
			t.Fatalf("ids %v, after a round trip %v", ids, again)
		}
	})
}

// TestMissingByte: a byte that is no token is passed over, and what it parted may merge.
func TestMissingByte(t *testing.T) {
	tok, err := ReadJSON(strings.NewReader(small(t, `"x": 120`, `"ab": 120`, `"merges": [`, `"merges": ["a b"`)), "t.json")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from the cache
		if got := tok.AppendEncode(nil, []byte("axb x")); !slices.Equal(got, []int32{120, 32}) {
			t.Errorf("got %v", got)
		}
		if got := tok.AppendEncode(nil, []byte("xx\nxx")); !slices.Equal(got, []int32{'\n'}) {
			t.Errorf("words of nothing but missing bytes give %v", got)
		}
	}
}
