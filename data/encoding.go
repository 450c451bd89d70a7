package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An EncodingError reports a file that does not hold the text that it is read as.
type EncodingError struct {
	File   string
	Offset int64  // of the fault in the file, decompressed, from 0; -1 for the file as a whole
	Fault  string // what is there
	Cure   string
}

func (e *EncodingError) Error() string {
	place := e.File
	if e.Offset >= 0 {
		place = fmt.Sprintf("%s: byte %d", e.File, e.Offset)
	}
	return fmt.Sprintf("data: %s: %s (%s)", place, e.Fault, e.Cure)
}

// OpenText opens a file of text, decompressing it as [Open] does, and reads it as UTF-8. Text that begins with the byte-order
// mark of UTF-8, UTF-16 or UTF-32 is read as the mark says and the mark left out, other text as encoding says, a value of
// Config.Encoding. A file that is no text, by its first bytes, and the first byte that is none are an [EncodingError].
func OpenText(name, encoding string) (io.ReadCloser, error) {
	stream, err := openText(name, encoding)
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// marks are the byte-order marks, longer ones before those that they begin with, and how text behind them is read.
var marks = []struct{ mark, charset string }{
	{"\xef\xbb\xbf", "utf-8"},
	{"\xff\xfe\x00\x00", "utf-32le"},
	{"\x00\x00\xfe\xff", "utf-32be"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

// openText is OpenText for this package.
func openText(name, encoding string) (*textStream, error) {
	c, err := findCharset(encoding)
	if err != nil {
		return nil, &SettingError{fmt.Errorf("data: %w", err)}
	}
	s, err := openStream(name)
	if err != nil {
		return nil, err
	}
	raw := bufio.NewReaderSize(s, headBytes)
	head, err := raw.Peek(headBytes)
	if err == nil || err == io.EOF {
		err = refuseBinary(name, head)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	how, offset := "data.encoding says is "+strings.ToUpper(charsetName(encoding)), int64(0)
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			raw.Discard(len(m.mark))
			c, how, offset = charsets[m.charset], "its mark says is "+strings.ToUpper(strings.TrimRight(m.charset, "ble")), int64(len(m.mark))
			break
		}
	}
	return &textStream{stream: s, name: name, text: c.reader(raw, name, offset, how)}, nil
}

// textStream is a file's text in UTF-8.
type textStream struct {
	*stream
	name    string
	text    io.Reader
	guessed bool
}

// Read reads UTF-8. What the text is in place of UTF-8 it says in the cure of the error.
func (t *textStream) Read(p []byte) (int, error) {
	n, err := t.text.Read(p)
	var coded *EncodingError
	if _, plain := t.text.(*utf8Reader); plain && !t.guessed && errors.As(err, &coded) {
		t.guessed = true
		if guess := guessCharset(t.name, coded.Offset); guess != "" {
			coded.Cure = fmt.Sprintf("it reads as %s: set data.encoding to %s, or convert it with iconv -f %s -t UTF-8", strings.ToUpper(guess), guess, strings.ToUpper(guess))
		}
	}
	return n, err
}

// convert is the cure of text in another encoding.
const convert = "set data.encoding to what it is in, or convert it to UTF-8, for example with iconv -f ENCODING -t UTF-8, or leave the file out"

// utf8Reader passes UTF-8 on and ends with an EncodingError at the first byte that is none, or is zero.
type utf8Reader struct {
	in     io.Reader
	file   string
	offset int64  // of what comes next
	begun  []byte // the beginning of a character that the last read ended with, already passed on
	err    error
}

func (r *utf8Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.in.Read(p)
	good := r.check(p[:n])
	switch {
	case r.err != nil:
		return good, r.err
	case err == io.EOF && len(r.begun) > 0:
		r.fault(r.offset-int64(len(r.begun)), r.begun[0])
		return n, r.err
	}
	r.err = err
	return n, err
}

// check returns the length of the beginning of p that is text, and sets err where that is not all of it.
func (r *utf8Reader) check(p []byte) (good int) {
	for len(r.begun) > 0 && good < len(p) {
		r.begun = append(r.begun, p[good])
		good++
		if !utf8.FullRune(r.begun) {
			continue
		}
		if c, size := utf8.DecodeRune(r.begun); c == utf8.RuneError && size == 1 {
			good--
			r.fault(r.offset+int64(good)-int64(len(r.begun)-1), r.begun[0])
			return good
		}
		r.begun = r.begun[:0]
	}
	text := p[good:]
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				r.begun = append(r.begun, tail...)
				text = text[:len(text)-back]
			}
			break
		}
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		for i := 0; i < len(text); {
			c, size := utf8.DecodeRune(text[i:])
			if c == utf8.RuneError && size == 1 || c == 0 {
				r.fault(r.offset+int64(good+i), text[i])
				return good + i
			}
			i += size
		}
	}
	r.offset += int64(len(p))
	return len(p)
}

func (r *utf8Reader) fault(at int64, b byte) {
	e := &EncodingError{File: r.file, Offset: at, Fault: fmt.Sprintf("0x%02X is not UTF-8", b), Cure: convert}
	if b == 0 {
		e.Fault, e.Cure = "a zero byte, which text does not hold", "is the file binary? leave it out; else "+convert
	}
	r.err = e
}

// wideReader turns UTF-16 and UTF-32 into UTF-8.
type wideReader struct {
	in     *bufio.Reader
	file   string
	offset int64 // of what comes next
	width  int   // bytes of a unit, 2 or 4
	order  binary.ByteOrder
	how    string
	text   []byte // UTF-8 that waits to be read
	err    error
}

func (r *wideReader) Read(p []byte) (int, error) {
	for len(r.text) == 0 && r.err == nil {
		r.fill()
	}
	n := copy(p, r.text)
	if r.text = r.text[n:]; len(r.text) == 0 {
		r.text = nil
		return n, r.err
	}
	return n, nil
}

// fill decodes up to headBytes units.
func (r *wideReader) fill() {
	for range headBytes {
		c, size, err := r.rune()
		if err != nil {
			r.err = err
			return
		}
		r.text = utf8.AppendRune(r.text, c)
		r.offset += int64(size)
	}
}

// rune reads a character and tells how many bytes it takes.
func (r *wideReader) rune() (c rune, size int, err error) {
	c, err = r.unit()
	if err != nil {
		return 0, 0, err
	}
	size = r.width
	if r.width == 2 && utf16.IsSurrogate(c) {
		low, err := r.unit()
		if err != nil && err != io.EOF {
			return 0, 0, err
		}
		if c = utf16.DecodeRune(c, low); c == utf8.RuneError {
			return 0, 0, r.fault("half of a surrogate pair")
		}
		return c, 2 * size, nil
	}
	if c == 0 || !utf8.ValidRune(c) {
		return 0, 0, r.fault(fmt.Sprintf("0x%X is no character", uint32(c)))
	}
	return c, size, nil
}

func (r *wideReader) unit() (rune, error) {
	var raw [4]byte
	switch _, err := io.ReadFull(r.in, raw[:r.width]); {
	case err == io.ErrUnexpectedEOF:
		return 0, r.fault("the file ends inside a character")
	case err != nil:
		return 0, err
	case r.width == 2:
		return rune(r.order.Uint16(raw[:])), nil
	}
	return rune(r.order.Uint32(raw[:])), nil
}

func (r *wideReader) fault(what string) error {
	return &EncodingError{File: r.file, Offset: r.offset, Fault: fmt.Sprintf("%s, in a file that %s", what, r.how), Cure: convert}
}
