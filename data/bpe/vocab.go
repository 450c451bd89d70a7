package bpe

import (
	"hash/maphash"
	"math/bits"
)

// A vocabulary maps ids to bytes and back. The bytes of all tokens lie in one string; the way back is an open-addressing
// hash of ids.
type vocabulary struct {
	all     string
	offsets []uint32 // offsets[id] to offsets[id+1] in all
	seed    maphash.Seed
	slots   []int32 // id+1, 0 for empty; ids of Config.Tokens only
}

// newVocabulary checks ids and tokens. Ids of added tokens that tokens has not, come after or in the gaps.
func newVocabulary(tokens []string, added []AddedToken) (vocabulary, error) {
	var v vocabulary
	size, bytes := len(tokens), 0
	texts := tokens
	for i, a := range added {
		switch {
		case a.ID < 0 || a.ID >= maxVocab:
			return v, faultf("Added", "id %d of %s is outside 0 … %d", a.ID, quote(a.Content), maxVocab-1)
		case a.Content == "":
			return v, faultf("Added", "token %d (id %d) is empty", i, a.ID)
		}
		size = max(size, int(a.ID)+1)
	}
	if size > maxVocab {
		return v, faultf("Tokens", "%d tokens, more than %d", size, maxVocab)
	}
	if len(added) > 0 {
		texts = make([]string, size)
		copy(texts, tokens)
		seen := make(map[string]int32, len(added))
		for _, a := range added {
			if id, ok := seen[a.Content]; ok {
				return v, faultf("Added", "%s has two ids, %d and %d", quote(a.Content), id, a.ID)
			}
			seen[a.Content] = a.ID
			if s := texts[a.ID]; s != "" && s != a.Content {
				return v, faultf("Added", "id %d is both %s and %s", a.ID, quote(s), quote(a.Content))
			}
			texts[a.ID] = a.Content
		}
	}
	for _, s := range texts {
		bytes += len(s)
		if bytes > 1<<31 {
			return v, faultf("Tokens", "more than 2 GiB of token bytes")
		}
	}
	v.offsets = make([]uint32, size+1)
	buf := make([]byte, 0, bytes)
	for i, s := range texts {
		buf = append(buf, s...)
		v.offsets[i+1] = uint32(len(buf))
	}
	v.all = string(buf)
	return v, v.index(tokens)
}

// index fills the slots.
func (v *vocabulary) index(tokens []string) error {
	v.seed = maphash.MakeSeed()
	v.slots = make([]int32, 1<<bits.Len(uint(2*len(tokens)+1)))
	for id, s := range tokens {
		if s == "" {
			continue
		}
		slot := v.slot(maphash.String(v.seed, s))
		for ; v.slots[slot] != 0; slot = (slot + 1) & (len(v.slots) - 1) {
			if other := v.slots[slot] - 1; v.text(other) == s {
				return faultf("Tokens", "ids %d and %d are both %s", other, id, quote(s))
			}
		}
		v.slots[slot] = int32(id) + 1
	}
	return nil
}

func (v *vocabulary) slot(hash uint64) int { return int(hash) & (len(v.slots) - 1) }

func (v *vocabulary) size() int { return len(v.offsets) - 1 }

// text returns the bytes of id, "" for none.
func (v *vocabulary) text(id int32) string {
	if uint(id) >= uint(v.size()) {
		return ""
	}
	return v.all[v.offsets[id]:v.offsets[id+1]]
}

// id finds the token of Config.Tokens with these bytes.
func (v *vocabulary) id(token []byte) (int32, bool) {
	for slot := v.slot(maphash.Bytes(v.seed, token)); v.slots[slot] != 0; slot = (slot + 1) & (len(v.slots) - 1) {
		if id := v.slots[slot] - 1; v.text(id) == string(token) {
			return id, true
		}
	}
	return 0, false
}
