package hf

import (
	"unicode"
	"unicode/utf8"
)

// A bertJSON is a BertNormalizer.
type bertJSON struct {
	CleanText    *bool `json:"clean_text"`
	ChineseChars *bool `json:"handle_chinese_chars"`
	StripAccents *bool `json:"strip_accents"` // as Lowercase says where it is null
	Lowercase    *bool `json:"lowercase"`
}

// steps are those of a BertNormalizer, in order; what is left out is on.
func (b bertJSON) steps() []func(Text) Text {
	on := func(flag *bool) bool { return flag == nil || *flag }
	var steps []func(Text) Text
	if on(b.CleanText) {
		steps = append(steps, mapRunes(func(r rune) rune {
			switch {
			case unicode.Is(bertControls, r):
				return -1
			case unicode.IsSpace(r):
				return ' '
			}
			return r
		}))
	}
	if on(b.ChineseChars) {
		steps = append(steps, spaceIdeographs)
	}
	if b.StripAccents != nil && *b.StripAccents || b.StripAccents == nil && on(b.Lowercase) {
		steps = append(steps, forms["NFD"].apply, without(bertMarks))
	}
	if on(b.Lowercase) {
		steps = append(steps, lowercase)
	}
	return steps
}

// spaceIdeographs puts a space before and behind each character of the blocks that BERT counts as Chinese.
func spaceIdeographs(t Text) Text {
	return eachRune(t, func(e *Editor, r rune, size int) {
		if !isBertIdeograph(r) {
			e.Keep(size)
			return
		}
		var buf [utf8.UTFMax]byte
		e.Replace(0, []byte(" "))
		e.Replace(size, utf8.AppendRune(buf[:0], r))
		e.Insert([]byte(" "))
	})
}

func isBertIdeograph(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B81F ||
		r >= 0x2B920 && r <= 0x2CEAF || r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F
}
