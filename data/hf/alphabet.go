package hf

import "unicode/utf8"

// The byte alphabet of GPT-2: byte-level tokenizers spell each byte as one printable character. Bytes 0x21 … 0x7E, 0xA1 … 0xAC
// and 0xAE … 0xFF are the character of the same number, the 68 others U+0100 … U+0143 in order.

// CharOfByte returns the character of b.
func CharOfByte(b byte) rune {
	switch {
	case b <= 0x20:
		return 0x100 + rune(b)
	case b >= 0x7F && b <= 0xA0:
		return 0x121 + rune(b) - 0x7F
	case b == 0xAD:
		return 0x143
	}
	return rune(b)
}

// ByteOfChar returns the byte of a character, -1 for none.
func ByteOfChar(r rune) int {
	switch {
	case r >= 0x100 && r <= 0x120:
		return int(r - 0x100)
	case r > 0x120 && r <= 0x142:
		return int(r - 0x121 + 0x7F)
	case r == 0x143:
		return 0xAD
	case r > 0x20 && r < 0x7F || r > 0xA0 && r < 0x100 && r != 0xAD:
		return int(r)
	}
	return -1
}

// AppendSpelled spells bytes in the byte alphabet.
func AppendSpelled(dst []byte, bytes string) []byte {
	for i := range len(bytes) {
		dst = utf8.AppendRune(dst, CharOfByte(bytes[i]))
	}
	return dst
}

// Unspell reads a spelling in the byte alphabet; false if a character is not of it.
func Unspell(spelling string) (string, bool) {
	out := make([]byte, 0, len(spelling))
	for _, r := range spelling {
		b := ByteOfChar(r)
		if b < 0 {
			return "", false
		}
		out = append(out, byte(b))
	}
	return string(out), true
}

// spellText spells a text in the byte alphabet. Each character comes from the one whose byte it is.
func spellText(t Text) Text {
	e := NewEditor(t)
	var buf [utf8.UTFMax]byte
	for _, b := range t.Bytes {
		e.Replace(1, utf8.AppendRune(buf[:0], CharOfByte(b)))
	}
	return e.Done()
}

// unspellText reads a text that spellText has made.
func unspellText(t Text) Text {
	e := NewEditor(t)
	for e.at < len(t.Bytes) {
		r, size := utf8.DecodeRune(t.Bytes[e.at:])
		if b := ByteOfChar(r); b >= 0 {
			e.Replace(size, []byte{byte(b)})
		} else {
			e.Drop(size)
		}
	}
	return e.Done()
}
