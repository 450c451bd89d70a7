package data

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

const (
	maxPiece    = 1 << 20  // bytes of a Document's text, give or take cutSlack
	cutSlack    = 64 << 10 // how far a cut may move on to reach a blank line
	seedBytes   = 64 << 10 // the beginning of a file that places its held-out pieces
	minHeldOut  = 1 << 10  // bytes of a held-out piece
	maxHeldOut  = 1 << 20
	heldOutRuns = 8  // held-out pieces of a file, where their bounds allow
	cutFiles    = 64 // from this many text files on, a file is held out whole
)

// textFile yields the file as one document in pieces, or as several around its held-out pieces, which a corpus of fewer than
// cutFiles files has. size is the file's size on disk.
func (c *Corpus) textFile(name string, size int64, fraction float64, side Split, yield func(Document) bool) error {
	s, err := openText(name)
	if err != nil {
		return err
	}
	defer s.Close()
	pieces := &pieceReader{r: s}
	piece := min(max(int64(fraction*float64(size)/heldOutRuns), minHeldOut), maxHeldOut)
	if fraction > 0 && len(c.train) < cutFiles && float64(size) >= float64(piece)/fraction {
		return cutText(name, pieces, piece, int64(float64(piece)/fraction), yield)
	}
	if fraction > 0 {
		head, err := pieces.peek(maxPiece)
		if err != nil || len(head) == 0 {
			return err
		}
		switch {
		case c.sides.cut == name && len(head) < maxPiece:
			return cutLast(name, head, fraction, yield)
		case c.sides.cut == name:
			return cutText(name, pieces, max(int64(fraction*float64(size)), 1), size, yield)
		}
		side = c.sides.of(xxh3.Hash(head), fraction)
	}
	for last := false; !last; {
		var text []byte
		if text, last, err = pieces.next(maxPiece); err != nil {
			return err
		}
		if len(text) == 0 || !yield(Document{File: name, Text: text, Split: side, More: !last}) {
			return nil
		}
	}
	return nil
}

// cutText alternates between training and held-out text: of every stretch bytes, piece bytes are held out.
func cutText(name string, pieces *pieceReader, piece, stretch int64, yield func(Document) bool) error {
	head, err := pieces.peek(seedBytes)
	if err != nil {
		return err
	}
	seed := xxh3.Hash(head)
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
		hash := xxh3.HashSeed(binary.LittleEndian.AppendUint64(nil, uint64(i)), seed)
		begin := i*stretch + int64(hash%uint64(stretch-piece+1))
		if ok, err := emit(Train, begin); !ok {
			return err
		}
		if ok, err := emit(Validation, begin+piece); !ok {
			return err
		}
	}
}

// cutLast holds out the last part of a short text, from the best place to cut at or behind where the fraction begins, else
// before it.
func cutLast(name string, text []byte, fraction float64, yield func(Document) bool) error {
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
		yield(Document{File: name, Text: bytes.Clone(text), Split: Train})
		return nil
	}
	if yield(Document{File: name, Text: bytes.Clone(text[:at]), Split: Train}) {
		yield(Document{File: name, Text: bytes.Clone(text[at:]), Split: Validation})
	}
	return nil
}

// pieceReader cuts a stream at blank lines with bounded memory.
type pieceReader struct {
	r      io.Reader
	buffer []byte
	eof    bool
}

// peek returns the next n bytes, or fewer at the end of the stream, without consuming them.
func (p *pieceReader) peek(n int) ([]byte, error) {
	for len(p.buffer) < n && !p.eof {
		// By doubling, so that a corpus of small files does not clear a MiB for each.
		begin, end := len(p.buffer), min(n, max(2*len(p.buffer), 32<<10))
		p.buffer = slices.Grow(p.buffer, end-begin)
		m, err := io.ReadFull(p.r, p.buffer[begin:end])
		p.buffer = p.buffer[:begin+m]
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			p.eof = true
		default:
			return nil, err
		}
	}
	return p.buffer[:min(n, len(p.buffer))], nil
}

// next returns a copy of at least n bytes, cut by cutPoint, or all that is left when that is at most n bytes.
// last says that the stream ends with this piece.
func (p *pieceReader) next(n int) (piece []byte, last bool, err error) {
	// One byte beyond the farthest cut shows whether anything follows it.
	buffer, err := p.peek(n + cutSlack + 1)
	if err != nil {
		return nil, false, err
	}
	end := len(buffer)
	if end > n {
		end = cutPoint(buffer[:min(end, n+cutSlack)], n)
	}
	piece = bytes.Clone(buffer[:end])
	p.buffer = p.buffer[:copy(p.buffer, p.buffer[end:])]
	return piece, p.eof && len(p.buffer) == 0, nil
}

// cutPoint returns the best place to cut text at or after byte n: behind the first run of blank lines, else behind a
// newline, else behind a space, else before a UTF-8 sequence that len(text) would split.
func cutPoint(text []byte, n int) int {
	newline, space := 0, 0
	for i := max(n-1, 0); i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			end := i + 1
			for end < len(text) && (text[end] == '\n' || text[end] == '\r') {
				end++
			}
			if bytes.IndexByte(text[i+1:end], '\n') >= 0 {
				return end
			}
			if newline == 0 {
				newline = i + 1
			}
		case c == ' ' && space == 0:
			space = i + 1
		}
	}
	switch {
	case newline > 0:
		return newline
	case space > 0:
		return space
	}
	end := len(text)
	for back := 1; back < utf8.UTFMax && end-back > n; back++ {
		if utf8.RuneStart(text[end-back]) {
			if !utf8.FullRune(text[end-back:]) {
				return end - back
			}
			break
		}
	}
	return end
}
