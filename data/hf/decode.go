package hf

import (
	"encoding/json"
	"strings"
)

// A Decoder is how tokens become text again. The zero Decoder writes them one behind the other.
type Decoder struct {
	// ByteLevel tells that tokens spell bytes in the byte alphabet.
	ByteLevel bool
	// ByteFallback tells that tokens <0x00> … <0xFF> are bytes.
	ByteFallback bool

	raw    json.RawMessage
	middle []func(string) string // of a token behind another
	first  []func(string) string // of the first
	strip  int                   // spaces that the beginning of the text loses
	suffix string                // ends words: a space, but at the end of the text
}

// A decoderJSON is one element of a decoder.
type decoderJSON struct {
	Type           string        `json:"type"`
	Decoders       []decoderJSON `json:"decoders"`
	Replacement    string        `json:"replacement"`
	PrependScheme  string        `json:"prepend_scheme"`
	AddPrefixSpace *bool         `json:"add_prefix_space"`
	Pattern        PatternJSON   `json:"pattern"`
	Content        string        `json:"content"`
	Start          int           `json:"start"`
	Stop           int           `json:"stop"`
	Prefix         *string       `json:"prefix"`
	Cleanup        *bool         `json:"cleanup"`
	Suffix         *string       `json:"suffix"`
}

// ParseDecoder reads the decoder of a tokenizer.json: null, which writes a space between tokens, a step, or a Sequence.
func ParseDecoder(raw json.RawMessage) (Decoder, error) {
	d := Decoder{raw: raw}
	if IsNull(raw) {
		d.middle = append(d.middle, func(token string) string { return " " + token })
		return d, nil
	}
	var s decoderJSON
	if err := DecodeStep(raw, "decoder", &s); err != nil {
		return d, err
	}
	fused := false
	return d, d.add(s, &fused, 0)
}

// add appends a step; fused tells that the tokens are one text by then.
func (d *Decoder) add(s decoderJSON, fused *bool, depth int) error {
	unsupported := func(cure string) error { return &UnsupportedError{What: "decoder", Value: s.Type, Cure: cure} }
	each := func(middle, first func(string) string) {
		d.middle, d.first = append(d.middle, middle), append(d.first, first)
	}
	switch s.Type {
	case "Sequence":
		if depth == maxNesting {
			return Faultf("decoder", "Sequences lie more than %d deep in each other", maxNesting)
		}
		for _, inner := range s.Decoders {
			if err := d.add(inner, fused, depth+1); err != nil {
				return err
			}
		}
	case "ByteLevel":
		d.ByteLevel = true
	case "ByteFallback":
		d.ByteFallback = true
	case "Fuse":
		*fused = true
	case "Replace":
		old := s.Pattern.Text()
		if s.Pattern.String == nil || old == "" {
			return unsupported("a Replace in a decoder is known for a String only")
		}
		if *fused && len([]rune(old)) > 1 {
			return unsupported("a Replace behind Fuse is known for a single character only")
		}
		replace := func(token string) string { return strings.ReplaceAll(token, old, s.Content) }
		each(replace, replace)
	case "Strip":
		switch {
		case s.Stop > 0:
			return unsupported("a Strip at the end is not known")
		case s.Content != " ":
			return unsupported("a Strip is known for spaces only")
		case *fused:
			d.strip = s.Start
		default:
			strip := func(token string) string { return stripLeft(token, s.Start) }
			each(strip, strip)
		}
	case "Metaspace":
		mark := s.Replacement
		if mark == "" {
			mark = "▁"
		}
		prepends := (StepJSON{PrependScheme: s.PrependScheme, AddPrefixSpace: s.AddPrefixSpace}).scheme() != "never"
		each(func(token string) string { return strings.ReplaceAll(token, mark, " ") }, func(token string) string {
			if prepends {
				return strings.ReplaceAll(token, mark, "")
			}
			return strings.ReplaceAll(token, mark, " ")
		})
	case "WordPiece":
		prefix, clean := "##", func(token string) string { return token }
		if s.Prefix != nil {
			prefix = *s.Prefix
		}
		if On(s.Cleanup) {
			clean = cleanup.Replace
		}
		each(func(token string) string {
			if rest, ok := strings.CutPrefix(token, prefix); ok {
				return clean(rest)
			}
			return clean(" " + token)
		}, clean)
	case "BPEDecoder":
		d.suffix = "</w>"
		if s.Suffix != nil {
			d.suffix = *s.Suffix
		}
	default:
		return unsupported("known are Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece and BPEDecoder")
	}
	return nil
}

// cleanup is what a WordPiece decoder does to each token.
var cleanup = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m", " do not", " don't",
	" 's", "'s", " 've", "'ve", " 're", "'re")

func stripLeft(text string, most int) string {
	for ; most > 0 && strings.HasPrefix(text, " "); most-- {
		text = text[1:]
	}
	return text
}

// Token returns what a token adds to a text in the middle of it.
func (d Decoder) Token(text string) []byte { return d.apply(d.middle, text, " ") }

func (d Decoder) apply(steps []func(string) string, text, behind string) []byte {
	if d.ByteFallback {
		if b := byteOfToken(text); b >= 0 {
			return []byte{byte(b)}
		}
	}
	if d.ByteLevel {
		if bytes, ok := Unspell(text); ok {
			text = bytes
		}
	}
	for _, step := range steps {
		text = step(text)
	}
	if d.suffix != "" {
		text = strings.ReplaceAll(text, d.suffix, behind)
	}
	return []byte(text)
}

// byteOfToken returns the byte of a token <0x00> … <0xFF>, -1 for any other.
func byteOfToken(text string) int {
	if len(text) != 6 || text[:3] != "<0x" || text[5] != '>' {
		return -1
	}
	high, low := strings.IndexByte(hexDigits, text[3]), strings.IndexByte(hexDigits, text[4])
	if high < 0 || low < 0 {
		return -1
	}
	return high<<4 | low
}

const hexDigits = "0123456789ABCDEF"

// Append appends the text of tokens, the beginning of a text.
func (d Decoder) Append(dst []byte, tokens []string) []byte {
	begin := len(dst)
	for i, token := range tokens {
		steps, behind := d.middle, " "
		if i == 0 {
			steps = d.first
		}
		if i == len(tokens)-1 {
			behind = ""
		}
		dst = append(dst, d.apply(steps, token, behind)...)
	}
	strip := 0
	for strip < d.strip && begin+strip < len(dst) && dst[begin+strip] == ' ' {
		strip++
	}
	return append(dst[:begin], dst[begin+strip:]...)
}

// String names the steps.
func (d Decoder) String() string {
	var s decoderJSON
	if json.Unmarshal(d.raw, &s) != nil {
		return ""
	}
	return s.Type
}

// AppendJSON appends the decoder of tokenizer.json, null for none.
func (d Decoder) AppendJSON(dst []byte) []byte { return AppendRaw(dst, d.raw) }
