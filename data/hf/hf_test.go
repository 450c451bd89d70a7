package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
		{`(?<=a)b`, "abb", []string{"b"}},
		{`[\w&&[^\d_]]++`, "ab12_é", []string{"ab", "é"}},
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
	for _, regex := range []string{`(?<=\R)b`, `(a)\1`, `(?~b)`, `\p{Foo}`, `(`} {
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
// TestUnicodeOfTokenizers: what tokenizers 0.23 makes of code points that Go's Unicode treats in another way, and of long
// runs of marks. parity_tokenizers.py found them.
func TestUnicodeOfTokenizers(t *testing.T) {
	marks := strings.Repeat("\u0301", 40)
	for _, c := range []struct{ steps, text, want string }{
		{"NFC", "a\u07fd\u0323\u0301", "a\u07fd\u0323\u0301"}, // U+07FD is a mark since Unicode 11
		{"NFC", "a\u0323\u07fd\u0301", "\u1ea1\u07fd\u0301"},
		{"NFD", "a\u0301\u0323\U00010efe\u0301\u0323", "a\u0323\u0301\U00010efe\u0323\u0301"},
		{"NFC", "a" + marks, "á" + marks[2:]},
		{"NFC", marks + "\n" + marks, marks + "\n" + marks},
		{"NFD", "\u00e1" + marks + "\u0323", "a\u0323\u0301" + marks},
		{"NFC", "\U00011935\U00011930", "\U00011935\U00011930"},  // composes since Unicode 13
		{"NFKC", "\U0001078a\U0001fbf8", "\U0001078a\U0001fbf8"}, // decompose since 14 and 13
		{"NFKC", "\u1112\u1161\u11ab\ufb01\u3392", "한fiMHz"},
		{"NFKD", "한\u212b", "\u1112\u1161\u11abA\u030a"},
		{"NFC", "\u0344\u0958\u2126", "\u0308\u0301\u0915\u093c\u03a9"},
		{"NFC", "e\xff\u0301e\u0301\xc3", "e\xff\u0301é\xc3"},
		{"Lowercase", "\u1c89\ua7dc\U00010d50\U00016eb8İΣ", "\u1c8a\u019b\U00010d70\U00016ed3i\u0307σ"},
		{"StripAccents", "a\u0301\u07fd\u0cf3\U00011a01\u0488", "a\u07fd\u0cf3\U00011a01"},
	} {
		n, err := ParseNormalizer([]byte(`{"type": "` + c.steps + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(n.Apply([]byte(c.text))); got != c.want {
			t.Errorf("%s of %+q: %+q, want %+q", c.steps, c.text, got, c.want)
		}
	}
}

// TestFirstCluster: marks of Unicode 16 join a grapheme cluster, and what joins them does, but not a control character.
func TestFirstCluster(t *testing.T) {
	for text, want := range map[string]string{
		"A\U000113e2b": "A\U000113e2", "A\U000113e2\u0301\u0897b": "A\U000113e2\u0301\u0897", "\n\u0897": "\n", "\r\nx": "\r\n", "e\u0301x": "e\u0301",
		"\u0897": "\u0897", "\xff\u0897": "\xff\u0897",
	} {
		if got := firstCluster([]byte(text)); string(got) != want {
			t.Errorf("%+q begins with the cluster %+q, want %+q", text, got, want)
		}
	}
}

// TestClassesOfTokenizers: members of Oniguruma's classes, of Punctuation and of Digits where Go has others.
func TestClassesOfTokenizers(t *testing.T) {
	for _, c := range []struct{ regex, in, out string }{
		{`\p{L}`, "a汉\u1c89\U00016d40\U00013460", "1\u0301\u0897"},
		{`\p{Lu}`, "A\ua7da\U00010d50", "a\ua7db"},
		{`[\p{M}x]`, "\u0301\u0897\U000113c2x", "a"},
		{`\p{Han}`, "汉\U0002ebf0", "a가"},
		{`\P{N}`, "a ", "1½\U00010d40\U0001ccf0"},
		{`\d`, "1٣\U00010d40", "½²"},
		{`\w`, "a1_²½\u0301Ⓐ\U0001f130Ⅷ\u1c89", "-\u09f4\u2074\u2460"},
		{`[\w-]`, "a-Ⓐ", ".\u2074"},
		{`[\p{P}\p{S}]`, "!+\U0001cc00\U000113d4", "a"},
	} {
		re, err := CompileRegex(c.regex)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.in + c.out {
			if in := strings.ContainsRune(c.in, r); in != (len(re.FindAll([]byte(string(r)))) == 1) {
				t.Errorf("%s matches %U: %t, want %t", c.regex, r, !in, in)
			}
		}
	}
	for r, want := range map[rune]bool{'!': true, '$': true, '。': true, 0x166D: true, 0x111C9: true, 0x61D: false, 0x2E52: false, 'a': false} {
		if IsPunctuation(r) != want {
			t.Errorf("%U is punctuation: %t", r, !want)
		}
	}
	if !IsLaterNumber(0x11DE0) || IsLaterNumber('1') {
		t.Error("numbers of Unicode 17")
	}
}

func FuzzParseCharsmap(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x00\x00\x04\x00\x00a\x01\x00\x00b\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseCharsmap(raw)
		if err != nil {
			return
		}
		m.byGraphemes(NewText([]byte("Hello e\u0301\xff")))
		for text := []byte("aé\xff"); len(text) > 0; {
			_, size := m.Next(text)
			text = text[size:]
		}
	})
}

// TestTemplate: what is written of a frame is what tokenizers' TemplateProcessing writes.
func TestTemplate(t *testing.T) {
	names := map[int32]string{1: "<s>", 2: "<a>", 3: "</s>", 4: "<b>"}
	got := Frame{Before: []int32{1, 2}, After: []int32{3, 4, 1}}.AppendTemplate(nil, func(id int32) string { return names[id] })
	token := func(id int32, sequence int) string {
		return fmt.Sprintf(`{"SpecialToken": {"id": %q, "type_id": %d}}`, names[id], sequence)
	}
	text := func(id string, sequence int) string {
		return fmt.Sprintf(`{"Sequence": {"id": %q, "type_id": %d}}`, id, sequence)
	}
	side := func(id string, n int) []string {
		return []string{token(1, n), token(2, n), text(id, n), token(3, n), token(4, n), token(1, n)}
	}
	special := func(id int32) string {
		return fmt.Sprintf(`%q: {"id": %q, "ids": [%d], "tokens": [%q]}`, names[id], names[id], id, names[id])
	}
	want := `{"type": "TemplateProcessing", "single": [` + strings.Join(side("A", 0), ", ") + `], "pair": [` + strings.Join(append(side("A", 0), side("B", 1)...), ", ") +
		`], "special_tokens": {` + strings.Join([]string{special(1), special(2), special(3), special(4)}, ", ") + `}}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSequenceOfFrames: of two frames the later lies outside.
func TestSequenceOfFrames(t *testing.T) {
	f, err := ParseFrame([]byte(`{"type": "Sequence", "processors": [{"type": "BertProcessing", "cls": ["a", 1], "sep": ["b", 2]}, {"type": "ByteLevel"}, {"type": "RobertaProcessing", "cls": ["c", 3], "sep": ["d", 4]}]}`))
	if err != nil || !slices.Equal(f.Before, []int32{3, 1}) || !slices.Equal(f.After, []int32{2, 4}) {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestRoles writes each role and flag of tokenizer_config.json under its name, and reads
// the roles back.
func TestRoles(t *testing.T) {
	var added []AddedToken
	for i, content := range []string{"<s>", "</s>", "<pad>", "<unk>", "left", "right", "word", "cooked", "plain"} {
		added = append(added, AddedToken{ID: int32(10 + i), Content: content, Special: i < 4,
			LStrip: content == "left", RStrip: content == "right", SingleWord: content == "word", Normalized: content == "cooked"})
	}
	roles := Roles{BOS: "<s>", EOS: "</s>", Pad: "<pad>", Unknown: "<unk>", MaxLength: 77, ChatTemplate: "{{ <x> & y }}"}
	text, err := ConfigJSON(added, roles)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		BOS      string               `json:"bos_token"`
		EOS      string               `json:"eos_token"`
		Pad      string               `json:"pad_token"`
		Unknown  string               `json:"unk_token"`
		Max      int                  `json:"model_max_length"`
		Template string               `json:"chat_template"`
		Class    string               `json:"tokenizer_class"`
		Clean    *bool                `json:"clean_up_tokenization_spaces"`
		Added    map[string]AddedJSON `json:"added_tokens_decoder"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.BOS != "<s>" || got.EOS != "</s>" || got.Pad != "<pad>" || got.Unknown != "<unk>" || got.Max != 77 || got.Template != roles.ChatTemplate ||
		got.Class != "PreTrainedTokenizerFast" || got.Clean == nil || *got.Clean {
		t.Errorf("%+v", got)
	}
	if len(got.Added) != len(added) {
		t.Errorf("%d added tokens", len(got.Added))
	}
	for _, a := range added {
		want := AddedJSON{Content: a.Content, SingleWord: a.SingleWord, LStrip: a.LStrip, RStrip: a.RStrip, Normalized: a.Normalized, Special: a.Special}
		if got.Added[strconv.Itoa(int(a.ID))] != want {
			t.Errorf("token %d is %+v, want %+v", a.ID, got.Added[strconv.Itoa(int(a.ID))], want)
		}
	}
	if back, err := ParseConfig(text); err != nil || !reflect.DeepEqual(back.Roles, roles) {
		t.Errorf("read back %+v, %v", back.Roles, err)
	}
	for text, want := range map[string]Roles{
		`{"model_max_length": 1000000000000000019884624838656}`: {},
		`{"model_max_length": 2147483648}`:                      {}, `{"model_max_length": 2147483647}`: {MaxLength: 1<<31 - 1},
		`{"model_max_length": null, "bos_token": null}`:                                                    {},
		`{"pad_token": {"content": "p", "lstrip": true}, "unk_token": "u"}`:                                {Pad: "p", Unknown: "u"},
		`{"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}]}`: {ChatTemplate: "d"},
		`{"chat_template": [{"name": "tool_use", "template": "t"}]}`:                                       {},
	} {
		if got, err := ParseConfig([]byte(text)); err != nil || !reflect.DeepEqual(got.Roles, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got.Roles, err, want)
		}
	}
}

// TestDecoders decodes tokens by the steps that tokenizers has.
func TestDecoders(t *testing.T) {
	for _, c := range []struct {
		decoder string
		tokens  []string
		want    string
	}{
		{`null`, []string{"a", "b"}, "a b"},
		{`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}`, []string{"▁▁a", "▁b▁", "c"}, "a b c"},
		{`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"}`, []string{"▁a", "▁b"}, " a b"},
		{`{"type": "BPEDecoder", "suffix": "</w>"}`, []string{"a", "b</w>", "c</w>"}, "ab c"},
		{`{"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}`,
			[]string{"  ", "<0xC3>", "<0xA9>", "<0x4A>", "<0x4a>"}, " éJ<0x4a>"},
		{`{"type": "WordPiece", "prefix": "##", "cleanup": true}`, []string{"un", "##able", ",", "do", "n't", "##"}, "unable, don't"},
		{`{"type": "ByteLevel"}`, []string{"Ġa", "Ã", "©", "Ċ"}, " aé\n"},
	} {
		d, err := ParseDecoder([]byte(c.decoder))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.Append(nil, c.tokens)); got != c.want {
			t.Errorf("%s: %q is %q, want %q", c.decoder, c.tokens, got, c.want)
		}
	}
}

// TestLongestAddedToken: of added tokens that begin alike the longest wins, and one that
// is special hides what begins inside it.
func TestLongestAddedToken(t *testing.T) {
	tokens := []AddedToken{{ID: 1, Content: "<a"}, {ID: 2, Content: "<a>"}, {ID: 3, Content: "<a><b>", Special: true}, {ID: 4, Content: "b>", Normalized: true}, {ID: 5, Content: "b", Normalized: true}}
	for text, want := range map[string][]int32{
		"<a": {1}, "<a>": {2}, "<a><a": {2, 1}, "x<a><b>y": {-1, 3, -1}, "<a><c>b>b": {2, -1, 4, 5}, "b<a": {5, 1},
	} {
		var got []int32
		NewSegmenter(tokens, Normalizer{}).Cut(NewText([]byte(text)), nil, func(p Piece) { got = append(got, p.ID) })
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
