package data

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/encoding"
)

// guessBytes is how much of a text tells its encoding.
const guessBytes = 64 << 10

// guessCharset names the encoding, of charsets, that a file seems to have whose byte at offset is not UTF-8; "" where nothing
// speaks for one. It is a help for who reads the error and decides nothing.
func guessCharset(name string, offset int64) string {
	s, err := openStream(name)
	if err != nil {
		return ""
	}
	defer s.Close()
	head := make([]byte, headBytes)
	n, _ := io.ReadFull(s, head)
	if wide := guessWide(head[:n]); wide != "" {
		return wide
	}
	sample := make([]byte, guessBytes)
	kept := 0
	if offset < int64(n) {
		kept = copy(sample, head[offset:n])
	} else if _, err := io.CopyN(io.Discard, s, offset-int64(n)); err != nil {
		return ""
	}
	n, _ = io.ReadFull(s, sample[kept:])
	sample = sample[:kept+n]
	if bytes.IndexByte(sample, 0) >= 0 {
		return ""
	}
	if !isolated(sample) {
		if multi := guessMulti(sample); multi != "" {
			return multi
		}
	}
	return guessSingle(sample)
}

// isolated says whether most bytes above 0x7F stand between those below, as accented letters do.
func isolated(sample []byte) bool {
	high, alone := 0, 0
	for i, c := range sample {
		if c < 0x80 {
			continue
		}
		if high++; (i == 0 || sample[i-1] < 0x80) && (i == len(sample)-1 || sample[i+1] < 0x80) {
			alone++
		}
	}
	return 10*alone >= 8*high
}

// guessWide names UTF-16 or UTF-32 without a mark by where the zero bytes of head stand: all of its units are characters.
func guessWide(head []byte) string {
	var zeros [4]int
	for i, c := range head {
		if c == 0 {
			zeros[i%4]++
		}
	}
	quarter := len(head) / 4
	switch even, odd := zeros[0]+zeros[2], zeros[1]+zeros[3]; {
	case len(head) < 4 || even+odd == 0:
	case zeros[2] >= quarter && zeros[3] >= quarter && readsWide(head, 4, false):
		return "utf-32le"
	case zeros[0] >= quarter && zeros[1] >= quarter && readsWide(head, 4, true):
		return "utf-32be"
	case odd > 2*even && readsWide(head, 2, false):
		return "utf-16le"
	case even > 2*odd && readsWide(head, 2, true):
		return "utf-16be"
	}
	return ""
}

// readsWide says whether all units of a text, but one that its end cuts, are characters that texts have.
func readsWide(text []byte, width int, big bool) bool {
	var units []rune
	for ; len(text) >= width; text = text[width:] {
		var u rune
		for i := range width {
			c := text[i]
			if !big {
				c = text[width-1-i]
			}
			u = u<<8 | rune(c)
		}
		units = append(units, u)
	}
	if width == 2 {
		short := make([]uint16, len(units))
		for i, u := range units {
			short[i] = uint16(u)
		}
		if n := len(short); n > 1 && units[n-1]&^0x3ff == 0xd800 { // the first half of a character
			short = short[:n-1]
		}
		units = utf16.Decode(short)
	}
	for _, u := range units {
		if !unicode.IsGraphic(u) && !unicode.IsSpace(u) || u == unicode.ReplacementChar {
			return false
		}
	}
	return len(units) > 0
}

// guessMulti names an encoding of two bytes a character.
func guessMulti(sample []byte) string {
	count := func(lead func(c byte) bool, trail func(c byte) bool) (n, all int) {
		for i := 0; i+1 < len(sample); i++ {
			if sample[i] < 0x80 {
				continue
			}
			if all++; lead(sample[i]) && trail(sample[i+1]) {
				n++
			}
			i++
		}
		return n, all
	}
	between := func(lo, hi byte) func(byte) bool { return func(c byte) bool { return lo <= c && c <= hi } }
	any := between(0, 0xff)
	most := func(n, all int) bool { return all > 0 && 10*n >= 7*all }
	some := func(n, all int) bool { return all > 0 && 10*n >= 2*all }
	kana, pairs := count(between(0x82, 0x83), any)
	eucKana, _ := count(between(0xa4, 0xa5), between(0xa1, 0xf6))
	hangul, _ := count(between(0xb0, 0xc8), between(0xa1, 0xfe))
	low, _ := count(between(0xa1, 0xf9), between(0x40, 0x7e))
	hanzi, _ := count(between(0xa1, 0xf7), between(0xa1, 0xfe))
	common, _ := count(between(0xa4, 0xc6), any)
	for _, try := range []struct {
		name string
		fits bool
	}{
		{"shift_jis", some(kana, pairs)},
		{"euc-jp", some(eucKana, pairs) && most(hanzi, pairs)},
		{"euc-kr", 20*hangul >= 19*pairs && pairs > 1},
		{"big5", some(low, pairs) && most(common, pairs)},
		{"gbk", most(hanzi, pairs)},
		{"gb18030", pairs > 1},
	} {
		if try.fits && decodes(sample, charsets[try.name].table) {
			return try.name
		}
	}
	return ""
}

// decodes says whether a text, but a character that its end cuts, is all characters of an encoding that texts have.
func decodes(sample []byte, table encoding.Encoding) bool {
	text, err := table.NewDecoder().Bytes(sample)
	if err != nil {
		return false
	}
	runes := []rune(string(text))
	for i, c := range runes {
		if c == unicode.ReplacementChar && i < len(runes)-1 || !unicode.IsGraphic(c) && !unicode.IsSpace(c) {
			return false
		}
	}
	return len(runes) > 0
}

// guessSingle names an encoding of one byte a character, of those that are common: Cyrillic ones have most of their letters
// above 0x7F, side by side.
func guessSingle(sample []byte) string {
	high, beside, c0, e0, control := 0, 0, 0, 0, 0
	for i, c := range sample {
		switch {
		case c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' || c == 0x7f:
			control++
		case c >= 0x80:
			high++
			if i > 0 && sample[i-1] >= 0x80 {
				beside++
			}
			if c >= 0xe0 {
				e0++
			} else if c >= 0xc0 {
				c0++
			}
		}
	}
	switch {
	case control > 0 || high == 0:
		return ""
	case 2*beside > high && e0 > 2*c0:
		return "windows-1251"
	case 2*beside > high && c0 > 2*e0:
		return "koi8-r"
	case 3*high < len(sample) || high < 4:
		return "windows-1252"
	}
	return ""
}
