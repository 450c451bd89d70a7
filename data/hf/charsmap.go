package hf

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// A Charsmap is the precompiled_charsmap of SentencePiece: a trie in Darts' double-array form from pieces of text to what
// takes their place, such as nmt_nfkc. Layout: the trie's size in bytes as uint32, its units of uint32, then the
// replacements, each ended by a zero byte; all little-endian.
type Charsmap struct {
	units []uint32
	texts []byte
	raw   []byte
}

// ParseCharsmap reads the bytes of a precompiled_charsmap.
func ParseCharsmap(raw []byte) (*Charsmap, error) {
	if len(raw) < 4 {
		return nil, Faultf("", "%d bytes, too few for a charsmap", len(raw))
	}
	size := int64(binary.LittleEndian.Uint32(raw))
	if size == 0 || size%4 != 0 || size > int64(len(raw)-4) {
		return nil, Faultf("", "a trie of %d bytes in a charsmap of %d", size, len(raw))
	}
	m := &Charsmap{units: make([]uint32, size/4), texts: raw[4+size:], raw: raw}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(raw[4+4*i:])
	}
	return m, nil
}

// Raw returns the bytes that ParseCharsmap read.
func (m *Charsmap) Raw() []byte { return m.raw }

// Parts of a unit of Darts-clone's double array.
const (
	unitLeaf  = 1 << 8
	unitValue = 1<<31 - 1
	unitLabel = 1<<31 | 0xFF
)

func unitOffset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }

// match returns the replacement of a prefix of text and its length, 0 for none: the longest prefix, or with shortest the
// first that the trie meets.
func (m *Charsmap) match(text []byte, shortest bool) (replacement []byte, size int) {
	at := unitOffset(m.units[0])
	for i, c := range text {
		at ^= uint32(c)
		if c == 0 || uint(at) >= uint(len(m.units)) || m.units[at]&unitLabel != uint32(c) {
			break
		}
		u := m.units[at]
		at ^= unitOffset(u)
		if u&unitLeaf != 0 {
			if uint(at) >= uint(len(m.units)) {
				break
			}
			begin := int(m.units[at] & unitValue)
			if begin > len(m.texts) {
				break
			}
			replacement, size = m.texts[begin:], i+1
			if shortest {
				break
			}
		}
	}
	if end := bytes.IndexByte(replacement, 0); end >= 0 {
		replacement = replacement[:end]
	}
	return replacement, size
}

// Next returns what takes the place of the beginning of text, which is not empty, and how many bytes that is: the longest
// match, else the character itself, U+FFFD for a byte that begins none. This is how SentencePiece uses the map.
func (m *Charsmap) Next(text []byte) (replacement []byte, size int) {
	if m != nil {
		if replacement, size = m.match(text, false); size > 0 {
			return replacement, size
		}
	}
	r, size := utf8.DecodeRune(text)
	if r == utf8.RuneError && size == 1 {
		return []byte("\uFFFD"), 1
	}
	return text[:size], size
}

// shortGrapheme is the longest grapheme cluster, in bytes, that is replaced as a whole.
const shortGrapheme = 5

// firstCluster returns the grapheme cluster that text begins with. Marks that uniseg's Unicode 15 lacks join what is before
// them, with what joins them.
func firstCluster(text []byte) []byte {
	cluster, rest, _, _ := uniseg.FirstGraphemeCluster(text, -1)
	for {
		last, _ := utf8.DecodeLastRune(cluster)
		first, _ := utf8.DecodeRune(rest)
		if !isLaterMark(first) || unicode.IsControl(last) {
			return cluster
		}
		more, after, _, _ := uniseg.FirstGraphemeCluster(rest, -1)
		cluster, rest = text[:len(cluster)+len(more)], after
	}
}

func isLaterMark(r rune) bool {
	return unicode.In(r, laterClasses["Mn"], laterClasses["Mc"]) && !unicode.Is(unicode.M, r)
}

// byGraphemes replaces text as tokenizers' Precompiled does: a short grapheme cluster as a whole by the first match of its
// beginning, else each of its characters.
func (m *Charsmap) byGraphemes(t Text) Text {
	e := NewEditor(t)
	same := 0 // bytes from e.at on that stay
	swap := func(size int, replacement []byte) {
		e.Keep(same)
		e.Swap(size, replacement)
		same = 0
	}
	for e.at+same < len(t.Bytes) {
		text := t.Bytes[e.at+same:]
		cluster := text[:1]
		if text[0] >= utf8.RuneSelf || len(text) > 1 && text[1] >= utf8.RuneSelf || text[0] == '\r' {
			cluster = firstCluster(text)
		}
		if len(cluster) <= shortGrapheme {
			if replacement, size := m.match(cluster, true); size > 0 {
				swap(len(cluster), replacement)
				continue
			}
		}
		for len(cluster) > 0 {
			_, size := utf8.DecodeRune(cluster)
			if replacement, matched := m.match(cluster[:size], true); matched > 0 {
				swap(size, replacement)
			} else {
				same += size
			}
			cluster = cluster[size:]
		}
	}
	return e.Done()
}
