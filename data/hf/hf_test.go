package hf

import (
	"errors"
	"slices"
	"testing"
)

// TestRegexFindAll: matches as Oniguruma gives them, anchors and the look-ahead for white space included.
func TestRegexFindAll(t *testing.T) {
	for _, c := range []struct {
		regex, text string
		want        []string
	}{
		{`\A `, "   a", []string{" "}},
		{` {2,}`, "a  b   c d", []string{"  ", "   "}},
		{`\p{L}+|\s+(?!\S)|\s+`, "a  b c  ", []string{"a", " ", " ", "b", " ", "c", "  "}},
		{`[^\s\p{L}]+`, "a.\u00a0,b", []string{".", ","}},
	} {
		re, err := CompileRegex(c.regex)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range re.FindAll([]byte(c.text)) {
			got = append(got, c.text[m[0]:m[1]])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: %q, want %q", c.regex, c.text, got, c.want)
		}
	}
	for _, regex := range []string{`(?<=a)b`, `a++`, `(a)\1`, `a(?!b)`, `(`} {
		var unsupported *UnsupportedError
		if _, err := CompileRegex(regex); !errors.As(err, &unsupported) {
			t.Errorf("%s: %v", regex, err)
		}
	}
}

// TestFrame: a post_processor and what is written of its frame give the same tokens.
func TestFrame(t *testing.T) {
	raw := `{"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing", "single": [
		{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
		"special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}]}`
	for range 2 {
		f, err := ParseFrame([]byte(raw))
		if err != nil || !slices.Equal(f.Before, []int32{1}) || !slices.Equal(f.After, []int32{2}) {
			t.Fatalf("%+v, %v", f, err)
		}
		raw = string(f.AppendTemplate(nil, func(id int32) string { return []string{"", "<s>", "</s>"}[id] }))
	}
}

// TestNormalizer runs a chain of steps.
func TestNormalizer(t *testing.T) {
	n, err := ParseNormalizer([]byte(`{"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
		{"type": "Strip"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}, {"type": "Prepend", "prepend": "_"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(n.Apply([]byte("  Él ﬁ\xff "))); got != "_el_fi\xff" {
		t.Errorf("got %q", got)
	}
}

// FuzzParseCharsmap: no map makes matching panic or run on.
func FuzzParseCharsmap(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x00\x04\x00\x00a\x01\x00\x00b\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseCharsmap(raw)
		if err != nil {
			return
		}
		m.ByGraphemes([]byte("Hello e\u0301\xff"))
		for text := []byte("aé\xff"); len(text) > 0; {
			_, size := m.Next(text)
			text = text[size:]
		}
	})
}
