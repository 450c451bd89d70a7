package data

import (
	"bytes"
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
// cutFiles files has. size is the file's size on disk. What a ledger knows of the file decides before the rule does.
func (c *Corpus) textFile(name string, size int64, fraction float64, side Split, yield func(Document) bool) error {
	s, err := openText(name, c.cfg.Encoding)
	if err != nil {
		return err
	}
	defer s.Close()
	pieces := &pieceReader{r: s}
	begins, err := pieces.peek(seedBytes)
	if err != nil || len(begins) == 0 {
		return err
	}
	head := xxh3.Hash(begins)
	known, ok := c.cfg.Known.file(name, head)
	is := way{Side: side}
	if fraction > 0 && !(ok && c.sides.looking) {
		if is, err = c.rule(name, pieces, size, fraction); err != nil {
			return err
		}
	}
	rule := is
	if fraction > 0 && ok {
		is = known.way
		c.sides.decided()
	}
	content := &contentHash{length: known.Size}
	whole := true
	err = is.read(name, pieces, func(d Document) bool {
		content.write(d.Text)
		whole = yield(d)
		return whole
	})
	if err == nil && whole {
		c.noteFile(name, head, content, is, rule, side == Validation)
	}
	return err
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

// take returns a copy of the next n bytes, or of all that is left.
func (p *pieceReader) take(n int) ([]byte, error) {
	buffer, err := p.peek(n)
	if err != nil {
		return nil, err
	}
	piece := bytes.Clone(buffer)
	p.buffer = p.buffer[:copy(p.buffer, p.buffer[len(piece):])]
	return piece, nil
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
