package instruct

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/parquet-go/parquet-go"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/hf"
)

// randomJSON writes a value and tells whether an object of it has a key twice.
func randomJSON(r *rand.Rand, out *bytes.Buffer, depth int) (twice bool) {
	space := func() { out.WriteString([]string{"", "", " ", "\n\t"}[r.IntN(4)]) }
	list := func(opening, closing string, n int, item func()) {
		out.WriteString(opening)
		for i := range n {
			if space(); i > 0 {
				out.WriteString(",")
			}
			space()
			item()
		}
		space()
		out.WriteString(closing)
	}
	kind := r.IntN(8)
	if depth == 0 {
		kind = 4 + r.IntN(4)
	}
	switch kind {
	case 0, 1:
		list("[", "]", r.IntN(4), func() { twice = randomJSON(r, out, depth-1) || twice })
	case 2, 3:
		seen, n := map[string]bool{}, r.IntN(3)
		if r.IntN(4) == 0 {
			n = 14 + r.IntN(8) // few and many keys are looked for in two ways
		}
		list("{", "}", n, func() {
			key := fmt.Sprintf("k%d", r.IntN(1<<(5+5*r.IntN(3))))
			twice = twice || seen[key]
			seen[key] = true
			if r.IntN(5) == 0 {
				key = strings.Replace(key, "k", `\u006b`, 1)
			}
			out.WriteString(`"` + key + `"`)
			space()
			out.WriteString(":")
			space()
			twice = randomJSON(r, out, depth-1) || twice
		})
	case 4:
		out.WriteString([]string{`"k1"`, `"a\"}]{,:"`, `"\\"`, `""`}[r.IntN(4)])
	default:
		out.WriteString([]string{"true", "false", "null", "-1.5e3", "7"}[r.IntN(5)])
	}
	return twice
}

// A key that stands twice in an object is found at any place, at any number of keys; and never another.
func TestRepeatedKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	found := 0
	for range 20000 {
		var out bytes.Buffer
		twice := randomJSON(r, &out, 4)
		if got := repeatedKey(out.Bytes()) != nil; got != twice {
			t.Fatalf("%s: a key twice: %t, want %t", out.Bytes(), got, twice)
		}
		if twice {
			found++
		}
	}
	if found < 300 {
		t.Errorf("only %d have a key twice", found)
	}
}

// Halves of surrogate pairs are lone where UTF-16 says so.
func TestLoneSurrogates(t *testing.T) {
	units := []uint16{'A', 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000}
	r := rand.New(rand.NewPCG(1, 4))
	for range 20000 {
		text, want := `"`, -1
		var sequence []uint16
		var begins []int
		plain := func() { sequence, begins = append(sequence, 'x'), append(begins, len(text)) }
		for range r.IntN(6) {
			switch u := units[r.IntN(len(units))]; r.IntN(5) {
			case 0:
				plain()
				text += []string{"x", `\n`, `\\`, `\"`}[r.IntN(4)]
			case 1:
				plain()
				text += `\\u` + fmt.Sprintf("%04x", u) // no escape
			case 2:
				sequence, begins = append(sequence, u), append(begins, len(text))
				text += fmt.Sprintf(`\u%04X`, u)
			default:
				sequence, begins = append(sequence, u), append(begins, len(text))
				text += fmt.Sprintf(`\u%04x`, u)
			}
		}
		for i := 0; i < len(sequence); i++ {
			if !utf16.IsSurrogate(rune(sequence[i])) {
				continue
			}
			if i+1 < len(sequence) && utf16.DecodeRune(rune(sequence[i]), rune(sequence[i+1])) != '\ufffd' {
				i++
				continue
			}
			want = begins[i]
			break
		}
		if got := loneSurrogate([]byte(text + `"`)); got != want {
			t.Fatalf("%s: a lone half at %d, want %d", text, got, want)
		}
	}
}

// TestKindsInErrors: each type of JSON is called what it is.
func TestKindsInErrors(t *testing.T) {
	for raw, want := range map[string]string{`{}`: "an object", `[]`: "a list", `"x"`: "a text", `true`: "true or false", `false`: "true or false", `null`: "null", `-1`: "a number", `2`: "a number"} {
		if got := kindOf(json.RawMessage(raw)); got != want {
			t.Errorf("%s is %s, want %s", raw, got, want)
		}
	}
}

// TestUnreadOfTwoSets: what two sets do not read is one sorted list, of which the first twenty are named.
func TestUnreadOfTwoSets(t *testing.T) {
	a := []Unread{{"b", "x:1", 2}, {"d", "x:7", 1}}
	b := []Unread{{"a", "y:1", 1}, {"b", "y:2", 3}, {"c", "y:3", 1}, {"e", "y:4", 5}}
	got := MergeUnread(a, b)
	if want := []Unread{{"a", "y:1", 1}, {"b", "x:1", 5}, {"c", "y:3", 1}, {"d", "x:7", 1}, {"e", "y:4", 5}}; !slices.Equal(got, want) || a[0].Records != 2 {
		t.Errorf("%v, want %v; the first is %v", got, want, a)
	}
	if text, want := ListUnread(got[:2]), "keys a (y:1), b (5 records, first x:1)"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
	many := make([]Unread, 21)
	for i := range many {
		many[i] = Unread{fmt.Sprintf("k%02d", i), "f:1", 1}
	}
	if text := ListUnread(many); strings.Count(text, "(f:1)") != 20 || !strings.HasSuffix(text, "k19 (f:1), and 1 more") {
		t.Errorf("21 keys: %q", text)
	}
	if text := ListUnread(many[:20]); strings.Contains(text, "more") || !strings.HasSuffix(text, "k19 (f:1)") {
		t.Errorf("20 keys: %q", text)
	}
	names := strings.Split("a b c d e f g h i", " ")
	if got := quoted(names[:8]); got != `"a", "b", "c", "d", "e", "f", "g", "h"` {
		t.Errorf("eight names: %s", got)
	}
	if got := quoted(names); got != `"a", "b", "c", "d", "e", "f", "g", "h", …` {
		t.Errorf("nine names: %s", got)
	}
}

// TestMemoryOfARecord: the estimate of files of one record, by hand: its tokens and 4 + 100 + 10 times its text; of tables, the
// longest row with a byte behind each value.
func TestMemoryOfARecord(t *testing.T) {
	one := `{"prompt": "Q", "completion": "` + strings.Repeat("a", 2968) + `"}` // 3,001 bytes
	m := Memory([]string{write(t, "one.jsonl", one)}, "", 8)
	if kept := int64(5 * 1000); m.Kept != kept || m.Passing != 2*kept+114*3001 {
		t.Errorf("%d bytes: %+v, want %d and %d", len(one), m, kept, 2*kept+114*3001)
	}
	size, longest := measure(write(t, "t.csv", "prompt,completion\na,b\n\"long, long\",cd\n"), "")
	if size != 38 || longest != 18 { // the first row has the most
		t.Errorf("a table of 38 bytes with 18 in its longest row: %d and %d", size, longest)
	}
	// Rows of a million tokens let each processor take a whole record, small ones a mebibyte.
	long := `{"prompt": "Q", "completion": "` + strings.Repeat("a", 3<<20) + `"}`
	path := write(t, "long.jsonl", long+"\n"+one)
	longest = int64(len(long)) + 1 // a line, with its end
	all := longest + int64(len(one))
	kept := all / 3 * 5
	for row, each := range map[int]int64{8: 1 << 20, 1 << 20: longest} {
		encoded := min(all, int64(runtime.GOMAXPROCS(0))*each)
		if m := Memory([]string{path}, "", row); m.Kept != kept || m.Passing != 2*kept+4*longest+100*encoded+10*all {
			t.Errorf("rows of %d: %+v, want %d and %d", row, m, kept, 2*kept+4*longest+100*encoded+10*all)
		}
	}
}

// TestParquetTypes: each type of a column is a value of JSON; a number that is not whole keeps its point.
func TestParquetTypes(t *testing.T) {
	type inner struct {
		B *bool   `parquet:"b,optional"`
		L []int32 `parquet:"l"`
	}
	type row struct {
		Text   string   `parquet:"text"`
		Yes    bool     `parquet:"yes"`
		Small  int32    `parquet:"small"`
		Large  int64    `parquet:"large"`
		Half   float32  `parquet:"half"`
		Whole  float64  `parquet:"whole"`
		Tiny   float64  `parquet:"tiny"`
		None   *string  `parquet:"none,optional"`
		Fixed  [4]byte  `parquet:"fixed"`
		Inner  inner    `parquet:"inner"`
		Names  []string `parquet:"names,list"`
		Many   []inner  `parquet:"many"`
		Absent []string `parquet:"absent,list"`
	}
	no := false
	rows := []row{{Text: "é", Yes: true, Small: -3, Large: 1 << 40, Half: 2.5, Whole: 3, Tiny: 1e-9, Fixed: [4]byte{'a', 'b', 'c', 'd'},
		Inner: inner{&no, []int32{1, 2}}, Names: []string{"x", "y", "z"}, Many: []inner{{nil, []int32{5}}, {&no, nil}, {&no, []int32{6, 7}}}}, {Text: "next"}}
	var file bytes.Buffer
	if err := parquet.Write(&file, rows); err != nil {
		t.Fatal(err)
	}
	path := write(t, "types.parquet", file.String())
	var got, sources []string
	if err := ParquetRows(path, func(source string, record []byte) (bool, error) {
		got, sources = append(got, string(record)), append(sources, strings.TrimPrefix(source, path))
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"text":"é","yes":true,"small":-3,"large":1099511627776,"half":2.5,"whole":3.0,"tiny":1e-9,"none":null,"fixed":"abcd","inner":{"b":false,"l":[1,2]},"names":["x","y","z"],"many":[{"b":null,"l":[5]},{"b":false,"l":[]},{"b":false,"l":[6,7]}],"absent":[]}`,
		`{"text":"next","yes":false,"small":0,"large":0,"half":0.0,"whole":0.0,"tiny":0.0,"none":null,"fixed":"\u0000\u0000\u0000\u0000","inner":{"b":null,"l":[]},"names":[],"many":[],"absent":[]}`,
	}
	if !slices.Equal(got, want) || !slices.Equal(sources, []string{": row 1", ": row 2"}) {
		t.Errorf("%q\n%s\nwant\n%s", sources, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPlacesByDefinition: what is found by halves is what going through all tokens finds, also where their ends fall.
func TestPlacesByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	sorted := 0
	for range 5000 {
		var spans []hf.Span
		at := 0
		for range r.IntN(7) {
			at = max(0, at+r.IntN(4)-r.IntN(2)*r.IntN(3))
			end := at + r.IntN(4)
			spans = append(spans, hf.Span{Begin: at, End: end})
			if at = end; r.IntN(3) > 0 && len(spans) > 1 {
				at = max(at, spans[len(spans)-2].End)
			}
		}
		p := newPlaces(spans)
		if p.sorted {
			sorted++
		}
		for at := range 12 {
			want := slices.IndexFunc(spans, func(s hf.Span) bool { return s.Begin <= at && at < s.End })
			if monotone := slices.IsSortedFunc(spans, func(a, b hf.Span) int { return a.Begin - b.Begin }); !monotone && p.sorted {
				continue // no tokenizer begins a token before the one in front of it and ends it behind
			}
			if got := p.at(at); got != want {
				t.Fatalf("%v: byte %d is of token %d, want %d", spans, at, got, want)
			}
			length := 1 + r.IntN(4)
			var got, all []int
			p.over(chat.Span{Begin: at, End: at + length}, func(i int) { got = append(got, i) })
			for i, s := range spans {
				if s.Begin < at+length && s.End > at {
					all = append(all, i)
				}
			}
			if !slices.Equal(got, all) {
				t.Fatalf("%v: bytes %d to %d are of tokens %v, want %v", spans, at, at+length, got, all)
			}
		}
	}
	if sorted < 500 || sorted > 4800 {
		t.Errorf("%d of 5,000 are sorted", sorted)
	}
}

// TestGuardsThatTextsHold: a guard that a message holds is no guard, whichever message it is.
func TestGuardsThatTextsHold(t *testing.T) {
	e := chatML(t)
	for _, texts := range [][2]string{{"a<|im_end|>\ufdd2b", "c"}, {"\ufdd2<|im_end|>", "\ufdd3<|im_start|>"}, {"x", "<|im_end|>\ufdd2\ufdd3\ufdd5"}} {
		x, err := e.Example(chat.Conversation{Messages: []chat.Message{{Role: chat.User, Content: texts[0]}, {Role: chat.Assistant, Content: texts[1]}}}, LossAssistant)
		want := "<|im_start|>user\n" + texts[0] + "<|im_end|>\n<|im_start|>assistant\n[" + texts[1] + "<|im_end|>"
		if got := text(e, x); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", texts, got, err, want)
		}
	}
}

// TestLargestConversations: what is longer than a mebibyte, or than 64 bytes for each token of a row, is left out where long
// ones are.
func TestLargestConversations(t *testing.T) {
	e := chatML(t)
	conversation := func(size int) chat.Conversation {
		return chat.Conversation{Source: "f:1", Messages: []chat.Message{{Role: chat.User, Content: "q"}, {Role: chat.Assistant, Content: strings.Repeat("a", size-1)}}}
	}
	for _, test := range []struct {
		truncate string
		longest  int
		size     int
		made     bool
		fails    bool
	}{
		{TruncateDrop, 9, 1 << 20, true, false}, {TruncateDrop, 9, 1<<20 + 1, false, false}, {TruncateDrop, 1<<14 + 1, 1<<20 + 64, true, false},
		{TruncateDrop, 1<<14 + 1, 1<<20 + 65, false, false}, {TruncateLeft, 9, 1<<20 + 1, true, false}, {TruncateRight, 9, 4<<20 + 1, false, true},
	} {
		b := &builder{cfg: Config{Loss: LossAssistant, Truncate: test.truncate}, enc: e, longest: test.longest}
		x, err := b.example(conversation(test.size))
		if made := x.Tokens != nil; made != test.made || (err != nil) != test.fails {
			t.Errorf("%+v: made %t, %v", test, made, err)
		}
		if setting := (*data.SettingError)(nil); test.fails && !bytes.Contains([]byte(err.Error()), []byte("f:1: the conversation has 4194305 bytes of text, and of at most 4194304")) {
			t.Errorf("%v %v", err, setting)
		}
	}
}

// TestKeysCountByRecord: a key counts once a record, however many conversations it has; one that the template reads does not.
func TestKeysCountByRecord(t *testing.T) {
	e := chatML(t)
	talk := func(source string, unread ...string) chat.Conversation {
		return chat.Conversation{Source: source, Unread: unread, Silent: 1, Messages: []chat.Message{{Role: chat.User, Content: "q"}, {Role: chat.Assistant, Content: "a"}}}
	}
	set, err := Build(t.Context(), Default(), e, 500, sequence([]chat.Conversation{talk("f:1", "b", "a"), talk("f:1", "b", "c"), talk("f:2", "b"), talk("f:3"), talk("f:4", "a"), talk("", "d"), talk("", "d")}))
	if err != nil {
		t.Fatal(err)
	}
	s := set.Stats()
	if want := []Unread{{"a", "f:1", 2}, {"b", "f:1", 2}, {"c", "f:1", 1}, {"d", "", 2}}; !slices.Equal(s.Unread, want) || s.EmptyAnswers != 7 || s.Examples != 7 {
		t.Errorf("%v, %d silent of %d; want %v", s.Unread, s.EmptyAnswers, s.Examples, want)
	}
}

// TestPromptAndAnswer: the tokens of a prompt and those of an answer behind it, of which neither makes special tokens where it
// spells them.
func TestPromptAndAnswer(t *testing.T) {
	e := chatML(t)
	id := func(token string) int32 { id, _ := e.tokens.Special(token); return id }
	begin, end := id("<|im_start|>"), id("<|im_end|>")
	bytes := func(text string) []int32 { return e.tokens.AppendEncode(nil, []byte(text)) }
	for _, texts := range [][2]string{{"q", "a"}, {"<|im_end|>q", "a"}, {"q", "a<|im_end|>"}, {"x<|im_start|>", "<|im_end|>b<|im_start|>"}, {"<|im_end|>", "<|im_end|>"}, {"é", ""}} {
		prompt, said, err := e.PromptAnd([]chat.Message{{Role: chat.User, Content: texts[0]}}, texts[1])
		want := slices.Concat([]int32{begin}, bytes("user\n"+texts[0]), []int32{end}, bytes("\n"), []int32{begin}, bytes("assistant\n"))
		if err != nil || !slices.Equal(prompt, want) || !slices.Equal(said, bytes(texts[1])) {
			t.Errorf("%q: %v and %v, %v; want %v and %v", texts, prompt, said, err, want, bytes(texts[1]))
		}
	}
}

// TestEndsOfArrays: nothing stands behind an array, be it empty.
func TestEndsOfArrays(t *testing.T) {
	one := `{"prompt":"a","completion":"b"}`
	for content, want := range map[string]string{
		"[]": "", " [ ] \n": "", "[]x": `'x' stands behind`, "[] 1": `'1' stands behind`, "[" + one + "]": "", "[" + one + "," + one + " ]\n": "", "[" + one + "]]": `']' stands behind`, "[" + one + ",]": "array.json", "[," + one + "]": "array.json", "[" + one: "array.json",
	} {
		all, err := readAll(write(t, "array.json", content))
		if want == "" && (err != nil || len(all) != strings.Count(content, "prompt")) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %d conversations, %v; want %q", content, len(all), err, want)
		}
	}
}
