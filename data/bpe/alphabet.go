package bpe

import (
	"sort"
	"unicode/utf8"
)

// The byte alphabet of GPT-2: tokenizer.json spells each byte of a token as one printable character. Bytes 0x21 … 0x7E,
// 0xA1 … 0xAC and 0xAE … 0xFF are the character of the same number, the 68 others U+0100 … U+0143 in order.

// charOfByte returns the character of b.
func charOfByte(b byte) rune {
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

// byteOfRune returns the byte of a character, -1 for none.
func byteOfRune(r rune) int {
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

// byteOfChar returns the byte of a string of one character, -1 for anything else.
func byteOfChar(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) {
		return -1
	}
	return byteOfRune(r)
}

// bytesByChar returns all bytes in the order of their characters.
func bytesByChar() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	sort.Slice(all, func(i, j int) bool { return charOfByte(all[i]) < charOfByte(all[j]) })
	return all
}

// appendChars spells token in the byte alphabet.
func appendChars(dst []byte, token string) []byte {
	for i := range len(token) {
		dst = utf8.AppendRune(dst, charOfByte(token[i]))
	}
	return dst
}

// bytesOfChars reads a spelling in the byte alphabet; false if a character is not of it.
func bytesOfChars(spelling string) (string, bool) {
	out := make([]byte, 0, len(spelling))
	for _, r := range spelling {
		b := byteOfRune(r)
		if b < 0 {
			return "", false
		}
		out = append(out, byte(b))
	}
	return string(out), true
}
