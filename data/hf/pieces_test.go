package hf

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPiecesOfTokenizers: where added tokens of each kind are found, and what is between
// them, as tokenizers 0.23 has ids (0 for text) and offsets in bytes.
func TestPiecesOfTokenizers(t *testing.T) {
	added := []AddedToken{{ID: 1, Content: "<a>", Special: true, LStrip: true}, {ID: 2, Content: "<b>", Special: true, RStrip: true}, {ID: 3, Content: "bar", SingleWord: true},
		{ID: 4, Content: "AB", Normalized: true}, {ID: 5, Content: "<ab>", LStrip: true, RStrip: true}, {ID: 6, Content: "é", Special: true, SingleWord: true}}
	lower, err := ParseNormalizer([]byte(`{"type":"Lowercase"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		lower      bool
		text, want string
	}{
		{false, "x <a> y", "0:0-1 1:1-5 0:5-7"},
		{false, "x <b>  y", "0:0-2 2:2-7 0:7-8"},
		{false, "x  <ab> <a> <b> <b>y", "0:0-1 5:1-8 1:8-11 0:11-12 2:12-16 2:16-19 0:19-20"},
		{false, "bar barn rebar bar", "3:0-3 0:3-15 3:15-18"},
		{false, "AB ab aB", "4:0-2 0:2-8"},
		{false, "é eé é.é", "6:0-2 0:2-7 6:7-9 0:9-10 6:10-12"},
		{false, "<a><b><ab>", "1:0-3 2:3-6 5:6-10"},
		{false, " <a> <b> ", "1:0-4 0:4-5 2:5-9"},
		{false, "", ""},
		{false, "bar_bar bar-bar 1bar", "0:0-8 3:8-11 0:11-12 3:12-15 0:15-20"},
		{false, "　<a> <b> é", "1:0-6 0:6-8 2:8-13 6:13-15"},
		{true, "x <a> y", "0:0-1 1:1-5 0:5-7"},
		{true, "x <b>  y", "0:0-2 2:2-7 0:7-8"},
		{true, "x  <ab> <a> <b> <b>y", "0:0-1 5:1-8 1:8-11 0:11-12 2:12-16 2:16-19 0:19-20"},
		{true, "bar barn rebar bar", "3:0-3 0:3-15 3:15-18"},
		{true, "AB ab aB", "4:0-2 0:2-3 4:3-5 0:5-6 4:6-8"},
		{true, "é eé é.é", "6:0-2 0:2-7 6:7-9 0:9-10 6:10-12"},
		{true, "<a><b><ab>", "1:0-3 2:3-6 5:6-10"},
		{true, " <a> <b> ", "1:0-4 0:4-5 2:5-9"},
		{true, "", ""},
		{true, "bar_bar bar-bar 1bar", "0:0-8 3:8-11 0:11-12 3:12-15 0:15-20"},
		{true, "　<a> <b> é", "1:0-6 0:6-8 2:8-13 6:13-15"},
	} {
		n := Normalizer{}
		if tc.lower {
			n = lower
		}
		var got []string
		NewSegmenter(added, n).Cut(TracedText([]byte(tc.text)), nil, func(p Piece) {
			span := p.Span
			if p.ID < 0 {
				if len(p.Text.Bytes) == 0 {
					return
				}
				span = p.Text.Span(0, len(p.Text.Bytes))
			}
			got = append(got, fmt.Sprintf("%d:%d-%d", max(p.ID, 0), span.Begin, span.End))
		})
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%t, %q: %s, want %s", tc.lower, tc.text, strings.Join(got, " "), tc.want)
		}
	}
	// All tokens of one first byte, and tokens of which one begins the other.
	one := NewSegmenter([]AddedToken{{ID: 1, Content: "<"}, {ID: 2, Content: "<<"}}, Normalizer{})
	var ids []int32
	one.Cut(NewText([]byte("a<<<b<")), nil, func(p Piece) { ids = append(ids, p.ID) })
	if !slices.Equal(ids, []int32{-1, 2, 1, -1, 1}) {
		t.Error(ids)
	}
}

// charsmap builds the double array of replacements: the children of each node lie in 256
// units of their own.
func charsmap(pairs [][2]string) []byte {
	var texts []byte
	values, prefixes := map[string]uint32{}, map[string]bool{"": true}
	for _, p := range pairs {
		values[p[0]] = uint32(len(texts))
		texts = append(append(texts, p[1]...), 0)
		for i := range len(p[0]) {
			prefixes[p[0][:i+1]] = true
		}
	}
	units := make([]uint32, 256*(len(prefixes)+1))
	place, base := map[string]uint32{}, uint32(256)
	var nodes []string
	for p := range prefixes {
		nodes = append(nodes, p)
	}
	slices.SortFunc(nodes, func(a, b string) int { return len(a) - len(b) })
	for _, node := range nodes {
		at := place[node]
		units[at] |= (at ^ base) << 10
		if value, ok := values[node]; ok {
			units[at] |= unitLeaf
			units[base] = value | 1<<31
		}
		for _, child := range nodes {
			if len(child) == len(node)+1 && strings.HasPrefix(child, node) {
				place[child] = base ^ uint32(child[len(node)])
				units[place[child]] = uint32(child[len(node)])
			}
		}
		base += 256
	}
	raw := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		raw = binary.LittleEndian.AppendUint32(raw, u)
	}
	return append(raw, texts...)
}

// TestPrecompiledOfTokenizers: what tokenizers 0.23 makes of texts by a charsmap: clusters of
// up to 5 bytes as a whole, by the shortest match, else character by character; and what
// sentencepiece does, which takes the longest match of the text.
func TestPrecompiledOfTokenizers(t *testing.T) {
	m, err := ParseCharsmap(charsmap([][2]string{{"ﬁ", "fi"}, {"e\u0301", "é"}, {"ab", "X"}, {"\r\n", "N"}, {"\u0302", ""}, {"x", "yy"}, {"xz", "no"}, {"汉字", "H"}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ text, want string }{
		{"\ufb01x", "fiyy"},
		{"e\u0301e", "\u00e9e"},
		{"ab", "ab"},
		{"a\u0302b", "ab"},
		{"e\u0301\u0302\u0303", "e\u0301\u0303"},
		{"e\u0301\u0302", "\u00e9"},
		{"\r\n\r", "N\r"},
		{"x\u0301", "yy"},
		{"\u00e9", "\u00e9"},
		{"\u6c49\u5b57", "\u6c49\u5b57"},
		{"xz", "yyz"},
		{"", ""},
		{"x\u0302\u0302\u0302", "yy"},
		{"\u0302", ""},
		{"\n\u0302x", "\nyy"},
		{"ab\ufb01", "abfi"},
		{"ax\r\n", "ayyN"},
	} {
		if got := string(m.byGraphemes(NewText([]byte(tc.text))).Bytes); got != tc.want {
			t.Errorf("%+q: %+q, want %+q", tc.text, got, tc.want)
		}
	}
	for _, tc := range []struct {
		text, want string
		size       int
	}{{"xz", "no", 2}, {"xy", "yy", 1}, {"abc", "X", 2}, {"汉", "汉", 3}, {"汉字", "H", 6}, {"\u0302", "", 2}, {"\xffa", "\ufffd", 1}, {"q", "q", 1}} {
		if got, size := m.Next([]byte(tc.text)); string(got) != tc.want || size != tc.size {
			t.Errorf("%+q: %+q of %d bytes, want %+q of %d", tc.text, got, size, tc.want, tc.size)
		}
	}
	if got, size := (*Charsmap)(nil).Next([]byte("é")); string(got) != "é" || size != 2 {
		t.Errorf("%q, %d", got, size)
	}
}
