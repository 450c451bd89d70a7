package bpe

import (
	"fmt"
	"hash/maphash"
	"testing"
)

// Counts of more words than the first table holds are those of a map, in the order in which words came.
func TestManyWords(t *testing.T) {
	c := newWordCounts(maphash.MakeSeed())
	want := map[string]int64{}
	var order []string
	for i := range 30_000 {
		word, n := fmt.Sprint("w", i*7919%9973), int64(1+i%3)
		if _, ok := want[word]; !ok {
			order = append(order, word)
		}
		want[word] += n
		c.add([]byte(word), n)
	}
	if len(c.counts) != 9973 {
		t.Fatalf("%d words, want 9973", len(c.counts))
	}
	for w, word := range order {
		if string(c.word(w)) != word || c.counts[w] != want[word] {
			t.Fatalf("word %d is %s, %d times; want %s, %d times", w, c.word(w), c.counts[w], word, want[word])
		}
	}
	if len(c.slots) < len(c.counts) || len(c.slots) > 4*len(c.counts) {
		t.Errorf("%d slots for %d words", len(c.slots), len(c.counts))
	}
}
