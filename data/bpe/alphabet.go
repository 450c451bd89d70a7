package bpe

import (
	"sort"
	"unicode/utf8"

	"example.com/gotrain/data/hf"
)

// byteOfChar returns the byte of a string of one character of the byte alphabet, -1 for anything else.
func byteOfChar(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) {
		return -1
	}
	return hf.ByteOfChar(r)
}

// bytesByChar returns all bytes in the order of their characters in the byte alphabet.
func bytesByChar() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	sort.Slice(all, func(i, j int) bool { return hf.CharOfByte(all[i]) < hf.CharOfByte(all[j]) })
	return all
}
