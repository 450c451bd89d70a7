package bpe

import (
	"context"
	"hash/maphash"
	"iter"
	"sync"
)

// wordCounts counts distinct pre-tokens. Their bytes lie in one arena; an open-addressing hash finds them.
type wordCounts struct {
	seed   maphash.Seed
	slots  []wordSlot
	bytes  []byte
	ends   []int   // ends[w] in bytes
	counts []int64 // counts[w]
}

type wordSlot struct {
	tag  uint32 // upper half of the hash
	word uint32 // index+1, 0 for empty
}

func newWordCounts(seed maphash.Seed) *wordCounts {
	return &wordCounts{seed: seed, slots: make([]wordSlot, 1<<12)}
}

// word returns the bytes of word w.
func (c *wordCounts) word(w int) []byte {
	start := 0
	if w > 0 {
		start = c.ends[w-1]
	}
	return c.bytes[start:c.ends[w]]
}

// add counts word n times more.
func (c *wordCounts) add(word []byte, n int64) {
	hash := maphash.Bytes(c.seed, word)
	tag, mask := uint32(hash>>32), len(c.slots)-1
	slot := int(hash) & mask
	for ; c.slots[slot].word != 0; slot = (slot + 1) & mask {
		if c.slots[slot].tag != tag {
			continue
		}
		if w := int(c.slots[slot].word) - 1; string(c.word(w)) == string(word) {
			c.counts[w] += n
			return
		}
	}
	c.bytes = append(c.bytes, word...)
	c.ends = append(c.ends, len(c.bytes))
	c.counts = append(c.counts, n)
	c.slots[slot] = wordSlot{tag, uint32(len(c.counts))}
	if 3*len(c.slots) < 4*len(c.counts) {
		c.grow()
	}
}

// grow doubles the slots.
func (c *wordCounts) grow() {
	c.slots = make([]wordSlot, 2*len(c.slots))
	mask := len(c.slots) - 1
	for w := range c.counts {
		hash := maphash.Bytes(c.seed, c.word(w))
		slot := int(hash) & mask
		for c.slots[slot].word != 0 {
			slot = (slot + 1) & mask
		}
		c.slots[slot] = wordSlot{uint32(hash >> 32), uint32(w) + 1}
	}
}

// addText counts the pre-tokens of a text.
func (c *wordCounts) addText(s *splitter, text []byte) {
	for i := 0; i < len(text); {
		end := s.next(text, i)
		c.add(text[i:end], 1)
		i = end
	}
}

// A batch carries texts, copied, from the reader of documents to a counting goroutine.
type batch struct {
	bytes []byte
	ends  []int
}

// batchSize is the size in bytes at which a batch is sent off, and the longest piece of a long document that can be cut.
const batchSize = 1 << 20

// countWords counts the pre-tokens of all documents by n goroutines.
func countWords(ctx context.Context, docs iter.Seq2[[]byte, error], s *splitter, n int, progress func(bytes int64)) (*wordCounts, error) {
	full, free := make(chan *batch, n), make(chan *batch, 2*n+1)
	for range 2*n + 1 {
		free <- new(batch)
	}
	seed := maphash.MakeSeed()
	tables := make([]*wordCounts, n)
	var wg sync.WaitGroup
	for i := range tables {
		tables[i] = newWordCounts(seed)
		wg.Go(func() {
			for b := range full {
				start := 0
				for _, end := range b.ends {
					tables[i].addText(s, b.bytes[start:end])
					start = end
				}
				b.bytes, b.ends = b.bytes[:0], b.ends[:0]
				free <- b
			}
		})
	}
	err := fillBatches(ctx, docs, s, full, free, progress)
	close(full)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	all := tables[0]
	for i, table := range tables[1:] {
		for w, count := range table.counts {
			all.add(table.word(w), count)
		}
		tables[i+1] = nil
	}
	return all, nil
}

// fillBatches copies documents into batches; long ones are cut where that cannot alter pre-tokens.
func fillBatches(ctx context.Context, docs iter.Seq2[[]byte, error], s *splitter, full, free chan *batch, progress func(int64)) error {
	b, read := <-free, int64(0)
	for doc, err := range docs {
		if err != nil {
			return err
		}
		for len(doc) > 0 {
			end := s.safeBoundary(doc, min(batchSize, len(doc)))
			b.bytes = append(b.bytes, doc[:end]...)
			b.ends = append(b.ends, len(b.bytes))
			doc = doc[end:]
			read += int64(end)
			if len(b.bytes) < batchSize {
				continue
			}
			full <- b
			if err := ctx.Err(); err != nil {
				return err
			}
			progress(read)
			b = <-free
		}
	}
	full <- b
	progress(read)
	return ctx.Err()
}
