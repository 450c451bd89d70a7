package data

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"
)

// way is how a file of text is split: whole on a side, or cut.
type way struct {
	Side Split `json:"side"`
	Cut  *cut  `json:"cut,omitempty"`
}

// cut is how a file of text is cut: of every Stretch bytes Piece are held out, at places that Seed draws; or, where Stretch
// is 0, the part [From, To).
type cut struct {
	Seed    uint64 `json:"seed,omitempty"`
	Piece   int64  `json:"piece,omitempty"`
	Stretch int64  `json:"stretch,omitempty"`
	From    int    `json:"from,omitempty"`
	To      int    `json:"to,omitempty"`
}

func (w way) equal(other way) bool {
	if w.Cut == nil || other.Cut == nil {
		return w.Cut == other.Cut && w.Side == other.Side
	}
	return *w.Cut == *other.Cut
}

// rule is the way of a file of text that no ledger knows, of size bytes on disk.
func (c *Corpus) rule(name string, pieces *pieceReader, size int64, fraction float64) (way, error) {
	piece := min(max(int64(fraction*float64(size)/heldOutRuns), minHeldOut), maxHeldOut)
	if len(c.train) < cutFiles && float64(size) >= float64(piece)/fraction {
		return cutEvery(pieces, piece, int64(float64(piece)/fraction))
	}
	head, err := pieces.peek(maxPiece)
	switch {
	case err != nil:
		return way{}, err
	case c.sides.cut == name && len(head) < maxPiece:
		return cutLast(head, fraction), nil
	case c.sides.cut == name:
		return cutEvery(pieces, max(int64(fraction*float64(size)), 1), size)
	}
	return way{Side: c.sides.of(xxh3.Hash(head), fraction)}, nil
}

func cutEvery(pieces *pieceReader, piece, stretch int64) (way, error) {
	head, err := pieces.peek(seedBytes)
	return way{Cut: &cut{Seed: xxh3.Hash(head), Piece: piece, Stretch: stretch}}, err
}

// cutLast holds out the last part of a short text, from the best place to cut at or behind where the fraction begins, else
// before it.
func cutLast(text []byte, fraction float64) way {
	from := min(max(int(float64(len(text))*(1-fraction)), 1), len(text)-1)
	at := len(text)
	if from > 0 {
		at = cutPoint(text, from)
	}
	if rest := bytes.TrimSpace(text[at:]); len(rest) == 0 && from > 0 {
		if at = 1 + bytes.LastIndexByte(text[:from], '\n'); at == 0 {
			at = 1 + bytes.LastIndexByte(text[:from], ' ')
		}
	}
	if at == 0 || at == len(text) {
		return way{Side: Train}
	}
	return way{Cut: &cut{From: at, To: len(text)}}
}

// read yields the documents of a file of text that is split so.
func (w way) read(name string, pieces *pieceReader, yield func(Document) bool) error {
	switch {
	case w.Cut == nil:
		_, err := readRest(name, pieces, w.Side, yield)
		return err
	case w.Cut.Stretch > 0:
		return w.Cut.alternate(name, pieces, yield)
	}
	for _, part := range []struct {
		side  Split
		bytes int
	}{{Train, w.Cut.From}, {Validation, w.Cut.To - w.Cut.From}} {
		text, err := pieces.take(part.bytes)
		if err != nil {
			return err
		}
		if len(text) > 0 && !yield(Document{File: name, Text: text, Split: part.side}) {
			return nil
		}
	}
	_, err := readRest(name, pieces, Train, yield)
	return err
}

// readRest yields what is left as one document.
func readRest(name string, pieces *pieceReader, side Split, yield func(Document) bool) (ok bool, err error) {
	for last := false; !last; {
		var text []byte
		if text, last, err = pieces.next(maxPiece); err != nil {
			return false, err
		}
		if len(text) == 0 || !yield(Document{File: name, Text: text, Split: side, More: !last}) {
			return false, nil
		}
	}
	return true, nil
}

// alternate yields training and held-out text in turn.
func (c *cut) alternate(name string, pieces *pieceReader, yield func(Document) bool) error {
	position := int64(0)
	last := false
	// emit yields the text up to end, or up to the first blank line after it, as one document.
	emit := func(side Split, end int64) (ok bool, err error) {
		for ok = true; ok && !last && position < end; {
			var text []byte
			if text, last, err = pieces.next(int(min(end-position, maxPiece))); err != nil {
				return false, err
			}
			position += int64(len(text))
			ok = yield(Document{File: name, Text: text, Split: side, More: !last && position < end})
		}
		return ok && !last, nil
	}
	for i := int64(0); ; i++ {
		hash := xxh3.HashSeed(binary.LittleEndian.AppendUint64(nil, uint64(i)), c.Seed)
		begin := i*c.Stretch + int64(hash%uint64(c.Stretch-c.Piece+1))
		if ok, err := emit(Train, begin); !ok {
			return err
		}
		if ok, err := emit(Validation, begin+c.Piece); !ok {
			return err
		}
	}
}

// contentHash hashes a content as it comes, and its beginning of a length.
type contentHash struct {
	all    xxh3.Hasher
	size   int64
	length int64  // of the beginning
	begins uint64 // its hash, once it has come
}

func (h *contentHash) write(text []byte) {
	if left := h.length - h.size; left > 0 && left <= int64(len(text)) {
		h.all.Write(text[:left])
		h.begins = h.all.Sum64()
		h.size += left
		text = text[left:]
	}
	h.all.Write(text)
	h.size += int64(len(text))
}

// noteRecord notes a record in the ledger that is kept of the corpus, if one is.
func (c *Corpus) noteRecord(hash uint64, side Split, given bool) {
	if c.ledger == nil || c.sides.looking {
		return
	}
	rule := side
	if !given && c.cfg.Validation > 0 {
		rule = c.sides.of(hash, c.cfg.Validation)
	}
	c.ledger.Note(c.cfg.Known, hash, side, rule, given)
}

// noteFile notes a file of text that was read to its end.
func (c *Corpus) noteFile(name string, head uint64, content *contentHash, is, rule way, given bool) {
	if c.ledger == nil || c.sides.looking {
		return
	}
	c.ledger.files[name] = fileEntry{Path: name, Head: head, Size: content.size, Hash: content.all.Sum64(), way: is}
	if c.cfg.Known == nil {
		return
	}
	kept := &c.ledger.Kept
	known, ok := c.cfg.Known.file(name, head)
	if !ok {
		kept.New++
		return
	}
	kept.Known++
	switch {
	case given:
		if known.Cut != nil || known.Side == Train {
			kept.Leaked++
		}
	case c.cfg.Validation > 0 && !is.equal(rule):
		if is.Cut != nil || is.Side == Train {
			kept.Trained++
		}
		if is.Cut != nil || is.Side == Validation {
			kept.HeldOut++
		}
	}
	if c.cfg.Validation > 0 && is.Cut != nil && content.begins != known.Hash && !slices.Contains(kept.Edited, name) {
		kept.Edited = append(kept.Edited, name)
	}
}
