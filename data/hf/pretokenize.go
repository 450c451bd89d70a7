package hf

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/gotrain/data/onig"
)

// A PreTokenizer cuts normalized text into the words that the model sees one by one, in steps, each of which cuts what the one
// before it left. The zero PreTokenizer leaves a text whole.
type PreTokenizer struct {
	steps []cutter
	raw   json.RawMessage
}

// A cutter calls yield for the parts of a text in order. Parts that are empty do not count.
type cutter func(t Text, yield func(Text))

// A StepJSON is one element of a pre_tokenizer.
type StepJSON struct {
	Type             string      `json:"type"`
	PreTokenizers    []StepJSON  `json:"pretokenizers"`
	AddPrefixSpace   *bool       `json:"add_prefix_space"`
	UseRegex         *bool       `json:"use_regex"`
	IndividualDigits bool        `json:"individual_digits"`
	Behavior         string      `json:"behavior"`
	Invert           bool        `json:"invert"`
	Pattern          PatternJSON `json:"pattern"`
	Replacement      string      `json:"replacement"`
	PrependScheme    string      `json:"prepend_scheme"`
	Split            *bool       `json:"split"`
	Delimiter        string      `json:"delimiter"`
	Length           int         `json:"length"`
}

// On returns a flag that is on where it is left out.
func On(flag *bool) bool { return flag == nil || *flag }

// maxSteps bounds the steps of a Sequence.
const maxSteps = 64

// PreTokenizerSteps reads a pre_tokenizer, null, a step or a Sequence, as a list of steps.
func PreTokenizerSteps(raw json.RawMessage) ([]StepJSON, error) {
	if IsNull(raw) {
		return nil, nil
	}
	var s StepJSON
	if err := DecodeStep(raw, "pre_tokenizer", &s); err != nil {
		return nil, err
	}
	list := flatten(nil, s, 0)
	if len(list) > maxSteps {
		return nil, Faultf("pre_tokenizer", "more than %d steps", maxSteps)
	}
	return list, nil
}

// flatten appends s, or the steps of a Sequence.
func flatten(list []StepJSON, s StepJSON, depth int) []StepJSON {
	if s.Type != "Sequence" || depth > maxNesting || len(list) > maxSteps {
		return append(list, s)
	}
	for _, inner := range s.PreTokenizers {
		list = flatten(list, inner, depth+1)
	}
	return list
}

// ParsePreTokenizer reads the pre_tokenizer of a tokenizer.json: null, a step, or a Sequence of steps. find may have a faster
// matcher of an expression, and is nil for none. With byteLevels, one of the steps has to be ByteLevel, and the words are the
// bytes that it spells.
func ParsePreTokenizer(raw json.RawMessage, byteLevels bool, find func(regex string) func([]byte) [][2]int) (PreTokenizer, error) {
	p := PreTokenizer{raw: raw}
	list, err := PreTokenizerSteps(raw)
	if err != nil {
		return p, err
	}
	spelled := 0
	for i, s := range list {
		if s.Type == "ByteLevel" {
			p.steps = append(p.steps, byteLevel(s.AddPrefixSpace != nil && *s.AddPrefixSpace, On(s.UseRegex), find))
			if spelled++; !byteLevels || i < len(list)-1 {
				p.steps = append(p.steps, whole(spellText))
			}
			continue
		}
		cut, err := s.cutter(find)
		if err != nil {
			return p, err
		}
		p.steps = append(p.steps, cut)
	}
	switch {
	case !byteLevels:
	case spelled != 1:
		return p, unsupportedSteps(list, "a byte-level tokenizer has one step ByteLevel")
	case list[len(list)-1].Type != "ByteLevel":
		p.steps = append(p.steps, whole(unspellText))
	}
	return p, nil
}

// unsupportedSteps names the steps of a pre_tokenizer.
func unsupportedSteps(list []StepJSON, cure string) error {
	var names []string
	for _, s := range list {
		names = append(names, strings.TrimSuffix(s.Type+" "+s.Pattern.Text(), " "))
	}
	return &UnsupportedError{What: "pre_tokenizer", Value: strings.Join(names, ", "), Cure: cure}
}

// Identity reports whether p leaves every text whole.
func (p PreTokenizer) Identity() bool { return len(p.steps) == 0 }

// Cut calls yield for each word of a text.
func (p PreTokenizer) Cut(t Text, yield func(Text)) { cutBy(p.steps, t, yield) }

func cutBy(steps []cutter, t Text, yield func(Text)) {
	switch {
	case len(t.Bytes) == 0:
	case len(steps) == 0:
		yield(t)
	default:
		steps[0](t, func(part Text) { cutBy(steps[1:], part, yield) })
	}
}

// AppendJSON appends the pre_tokenizer of tokenizer.json, null for none.
func (p PreTokenizer) AppendJSON(dst []byte) []byte { return AppendRaw(dst, p.raw) }

// whole is a step that cuts nothing.
func whole(change func(Text) Text) cutter {
	return func(t Text, yield func(Text)) { yield(change(t)) }
}

// cutter makes the step that a pre-tokenizer describes.
func (s StepJSON) cutter(find func(string) func([]byte) [][2]int) (cutter, error) {
	switch s.Type {
	case "Digits":
		behavior := "Contiguous"
		if s.IndividualDigits {
			behavior = "Isolated"
		}
		return splitAt(runes(IsNumeric), behavior, false)
	case "Punctuation":
		behavior := s.Behavior
		if behavior == "" {
			behavior = "Isolated"
		}
		return splitAt(runes(IsPunctuation), behavior, false)
	case "WhitespaceSplit":
		return splitAt(runes(unicode.IsSpace), "Removed", false)
	case "Whitespace":
		re, err := onig.Compile(whitespace)
		if err != nil {
			return nil, err
		}
		return splitAt(re.FindAll, "Removed", true)
	case "BertPreTokenizer":
		spaces, _ := splitAt(runes(unicode.IsSpace), "Removed", false)
		marks, err := splitAt(runes(IsPunctuation), "Isolated", false)
		return func(t Text, yield func(Text)) { cutBy([]cutter{spaces, marks}, t, yield) }, err
	case "CharDelimiterSplit":
		if utf8.RuneCountInString(s.Delimiter) != 1 {
			return nil, Faultf("pre_tokenizer.delimiter", "%s is not one character", Quote(s.Delimiter))
		}
		return splitAt(substrings(s.Delimiter), "Removed", false)
	case "FixedLength":
		if s.Length < 1 {
			return nil, Faultf("pre_tokenizer.length", "%d; use 1 or more", s.Length)
		}
		return fixedLength(s.Length), nil
	case "Metaspace":
		return s.metaspace()
	case "Split":
		if s.Pattern.Regex != nil && find != nil {
			if fast := find(*s.Pattern.Regex); fast != nil {
				return splitAt(fast, s.Behavior, s.Invert)
			}
		}
		slow, err := s.Pattern.finder()
		if err != nil {
			return nil, keyed(err, "pre_tokenizer.pattern")
		}
		return splitAt(slow, s.Behavior, s.Invert)
	}
	return nil, &UnsupportedError{What: "pre_tokenizer", Value: s.Type, Cure: "known are Sequence, ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, " +
		"BertPreTokenizer, CharDelimiterSplit and FixedLength"}
}

// whitespace is the expression of the pre-tokenizer Whitespace, \w+|[^\w\s]+ in Rust, whose \w has the joiners too.
const whitespace = `[\w\x{200C}\x{200D}]+|[^\w\x{200C}\x{200D}\s]+`

// scheme returns when a Metaspace puts its replacement before text.
func (s StepJSON) scheme() string {
	switch {
	case s.PrependScheme != "":
		return s.PrependScheme
	case s.AddPrefixSpace != nil && !*s.AddPrefixSpace:
		return "never"
	}
	return "always"
}

// metaspace writes the replacement for spaces, puts it before the text if it is to be there and is not, and cuts before each.
func (s StepJSON) metaspace() (cutter, error) {
	scheme := s.scheme()
	if !slices.Contains([]string{"always", "first", "never"}, scheme) {
		return nil, &UnsupportedError{What: "pre_tokenizer.prepend_scheme", Value: scheme, Cure: "known are always, first and never"}
	}
	mark := s.Replacement
	if mark == "" {
		mark = "▁"
	}
	if utf8.RuneCountInString(mark) != 1 {
		return nil, Faultf("pre_tokenizer.replacement", "%s is not one character", Quote(mark))
	}
	space, replacement, split := []byte(" "), []byte(mark), On(s.Split)
	return func(t Text, yield func(Text)) {
		t = t.replaceAll(space, replacement)
		if (scheme == "always" || scheme == "first" && t.First()) && !bytes.HasPrefix(t.Bytes, replacement) {
			t = prepend(t, mark)
		}
		for begin := 0; split; {
			_, size := utf8.DecodeRune(t.Bytes[begin:])
			next := bytes.Index(t.Bytes[begin+size:], replacement)
			if next < 0 {
				t = t.Slice(begin, len(t.Bytes))
				break
			}
			yield(t.Slice(begin, begin+size+next))
			begin += size + next
		}
		yield(t)
	}, nil
}

// byteLevel puts a space before text that begins with none, and cuts by the expression of GPT-2, where it is told to.
func byteLevel(prefix, regex bool, find func(string) func([]byte) [][2]int) cutter {
	cut := cutter(func(t Text, yield func(Text)) { yield(t) })
	if regex {
		var fast func([]byte) [][2]int
		if find != nil {
			fast = find(GPT2Regex)
		}
		if fast == nil {
			re, err := onig.Compile(GPT2Regex)
			if err != nil {
				return cut // it compiles: a test holds it
			}
			fast = re.FindAll
		}
		cut, _ = splitAt(fast, "Isolated", false)
	}
	return func(t Text, yield func(Text)) {
		if prefix && t.Bytes[0] != ' ' {
			t = prepend(t, " ")
		}
		cut(t, yield)
	}
}

// GPT2Regex is the expression that ByteLevel cuts by.
const GPT2Regex = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// fixedLength cuts after every n characters.
func fixedLength(n int) cutter {
	return func(t Text, yield func(Text)) {
		for begin := 0; begin < len(t.Bytes); {
			end := begin
			for i := 0; i < n && end < len(t.Bytes); i++ {
				_, size := utf8.DecodeRune(t.Bytes[end:])
				end += size
			}
			yield(t.Slice(begin, end))
			begin = end
		}
	}
}

// runes matches each character of a class by itself.
func runes(in func(rune) bool) matcher {
	return func(text []byte) [][2]int {
		var spans [][2]int
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRune(text[i:])
			if in(r) {
				spans = append(spans, [2]int{i, i + size})
			}
			i += size
		}
		return spans
	}
}

// IsNumeric is what Digits cuts at: Rust's numbers.
func IsNumeric(r rune) bool { return unicode.Is(unicode.N, r) || unicode.Is(laterNumbers, r) }
