package bpe

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// pieces are what fuzzed text is made of: every class of every pattern, and what trips scanners.
var pieces = strings.Split("a|b|Z|HELLO|Hello|hello|s|re|ll|'|'s|'S|'t|'ll|'LL|'Re|'ve|'d|'m|'x|''|’s|ſ|'ſ|K| |  |   |\t|\n|\r|\r\n|\n\n|\u00a0|\u3000|\u0085|\v|"+
	"1|12|1234|٣|Ⅷ|½|²|.|,|...|-|--|_|/|//|/\n|(|)|=|==|\"|é|É|ñ|ß|ǅ|ʰ|ª|汉|汉字|日本語|ひらがな|カ|한국|ไทย|हिन्दी|नमस्ते|עברית|العربية|\u0301|e\u0301|\u0300\u0301|А|б|Привет|"+
	"🙂|👩‍👩‍👧|\u200b|\u200d|\ufeff|\ufffd|\x00|\x7f|€|→|𝐀|𝒶|𐐀|𐐨|<|>|endoftext", "|")

func fuzzText(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

// splitAll returns the pre-tokens of text.
func splitAll(s *splitter, text []byte) []string {
	var out []string
	for i := 0; i < len(text); {
		end := s.next(text, i)
		if end <= i || end > len(text) {
			return append(out, "BAD")
		}
		out = append(out, string(text[i:end]))
		i = end
	}
	return out
}

// oracle splits text by the regular expression of the pattern, digits first for Digits.
type oracle struct {
	re    *regexp2.Regexp
	alone bool
}

func newOracle(t testing.TB, p Pattern) oracle {
	re, err := regexp2.Compile(p.Regex(), regexp2.None)
	if err != nil {
		t.Fatal(err)
	}
	return oracle{re, patternTable[p].rules.alone}
}

func (o oracle) split(t testing.TB, text string) []string {
	if o.alone {
		var out []string
		start := 0
		for i, r := range text {
			if classes()[r]&inNumber != 0 {
				end := i + utf8.RuneLen(r)
				out = append(append(out, o.match(t, text[start:i])...), text[i:end])
				start = end
			}
		}
		return append(out, o.match(t, text[start:])...)
	}
	return o.match(t, text)
}

func (o oracle) match(t testing.TB, text string) []string {
	var out []string
	m, err := o.re.FindStringMatch(text)
	for ; m != nil && err == nil; m, err = o.re.FindNextMatch(m) {
		out = append(out, m.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSplitMatchesRegexp compares every scanner with its regular expression on fuzzed multilingual text.
func TestSplitMatchesRegexp(t *testing.T) {
	for _, p := range Patterns() {
		t.Run(p.String(), func(t *testing.T) {
			s, o := newSplitter(p), newOracle(t, p)
			rng := rand.New(rand.NewPCG(5, uint64(p)))
			for range 4000 {
				text := fuzzText(rng, 1+rng.IntN(14))
				got, want := splitAll(&s, []byte(text)), o.split(t, text)
				if strings.Join(got, "\x1f") != strings.Join(want, "\x1f") {
					t.Fatalf("%q\n got %q\nwant %q", text, got, want)
				}
			}
		})
	}
}

// TestSafeBoundary: the halves of a safe cut split as the whole does.
func TestSafeBoundary(t *testing.T) {
	cuts := 0
	for _, p := range Patterns() {
		s := newSplitter(p)
		rng := rand.New(rand.NewPCG(7, uint64(p)))
		for range 6000 {
			text := []byte(fuzzText(rng, 2+rng.IntN(12)))
			for from := 0; from < len(text); {
				at := s.safeBoundary(text, from)
				if at == len(text) {
					break
				}
				cuts++
				whole := splitAll(&s, text)
				halves := append(splitAll(&s, text[:at]), splitAll(&s, text[at:])...)
				if strings.Join(whole, "\x1f") != strings.Join(halves, "\x1f") {
					t.Fatalf("%v: %q cut at %d:\n%q\n%q", p, text, at, halves, whole)
				}
				from = at + 1
			}
		}
	}
	if cuts < 1000 {
		t.Errorf("only %d cuts tried", cuts)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("Hello, world's 1234  \n\n x")
	f.Add("HELLO'S wOrLd/\n//\r\n 漢字ABC'll é́")
	f.Add("\xff\xfe 'ſ\xc5 \u00a0 a")
	type pair struct {
		splitter
		oracle
	}
	var pairs []pair
	for _, p := range Patterns() {
		pairs = append(pairs, pair{newSplitter(p), newOracle(f, p)})
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, p := range pairs {
			got := splitAll(&p.splitter, []byte(text))
			if strings.Join(got, "") != text {
				t.Fatalf("%v: pre-tokens %q of %q", Pattern(i), got, text)
			}
			if !utf8.ValidString(text) || hasNewLetters(text) {
				continue
			}
			if want := p.oracle.split(t, text); strings.Join(got, "\x1f") != strings.Join(want, "\x1f") {
				t.Fatalf("%v: %q\n got %q\nwant %q", Pattern(i), text, got, want)
			}
		}
	})
}
