package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// longLine is the longest line of JSON that is read at once. Of longer ones the text is read in parts, so that memory does not
// grow with them.
const longLine = 4 << 20

// A longRecord is a line of JSON that is longer than longLine. It reads as the text at its key: the first Read finds the
// key, the last one, with io.EOF, comes behind the whole line.
type longRecord struct {
	Document        // without text
	lines    *lines // of which this is one
	offset   int64  // in the file's text, of the line's first byte
	text     *longText
}

// Read reads the text.
func (r *longRecord) Read(p []byte) (int, error) { return r.text.Read(p) }

// hash returns the xxh3 of the text and its length, which it reads ahead.
func (r *longRecord) hash() (sum uint64, size int64, err error) {
	ahead, err := r.lines.aheadAt(r.offset)
	if err != nil {
		return 0, 0, err
	}
	text := &longText{in: ahead, key: r.lines.key}
	hash := xxh3.New()
	size, err = io.CopyBuffer(writerOnly{hash}, struct{ io.Reader }{text}, make([]byte, 64<<10))
	r.lines.ahead.at += text.at
	return hash.Sum64(), size, err
}

// writerOnly hides what else a writer can do.
type writerOnly struct{ io.Writer }

// longText decodes the string at a key of a JSON object that ends with its line, as stringField does.
type longText struct {
	in    *bufio.Reader
	key   string
	at    int64 // bytes of the line that were read, its end included
	began bool
	rest  []byte // decoded, to be read
	err   error  // behind it; io.EOF is the end of the line
}

// Read decodes the next part of the string.
func (t *longText) Read(p []byte) (n int, err error) {
	if len(t.rest) == 0 && len(p) < utf8.UTFMax && t.err == nil {
		small := make([]byte, 64)
		n, t.err = t.decode(small)
		t.rest = small[:n]
	}
	if len(t.rest) > 0 {
		n = copy(p, t.rest)
		t.rest = t.rest[n:]
		return n, nil
	}
	if t.err == nil {
		n, t.err = t.decode(p)
	}
	return n, t.err
}

// decode is Read for four bytes and more.
func (t *longText) decode(p []byte) (n int, err error) {
	if !t.began {
		t.began = true
		if err := t.begin(); err != nil {
			return 0, err
		}
	}
	n, done, err := t.string(p)
	if err == nil && done {
		err = t.end()
	}
	return n, err
}

// begin reads up to the text.
func (t *longText) begin() error {
	if c, err := t.peek(); err != nil || c != '{' {
		return t.or(err, "expected an object")
	}
	t.take(1)
	if c, err := t.peek(); err != nil || c == '}' {
		return orError(err, missingKey(t.key))
	}
	return t.members(func() error { return errFound })
}

// errFound ends begin.
var errFound = fmt.Errorf("found")

// members reads members up to the one of the key, and what found says; without one the object must end.
func (t *longText) members(found func() error) error {
	for {
		name, err := t.name()
		if err != nil {
			return err
		}
		if c, err := t.peek(); err != nil || c != ':' {
			return t.or(err, "expected a colon")
		}
		t.take(1)
		c, err := t.peek()
		if err != nil {
			return err
		}
		if name == t.key {
			if err := found(); err != errFound {
				return err
			}
			if c != '"' {
				return notString(t.key, int(t.at)+1)
			}
			t.take(1)
			return nil
		}
		if err := t.skip(1); err != nil {
			return err
		}
		if done, err := t.separator('}'); done || err != nil {
			return orError(err, missingKey(t.key))
		}
	}
}

// end reads what follows the text, and the end of the line. It returns io.EOF if that is as it should be.
func (t *longText) end() error {
	done, err := t.separator('}')
	if err == nil && !done {
		err = t.members(func() error { return repeated(t.key) })
		if missing, ok := err.(missingKey); ok && string(missing) == t.key {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if c, err := t.peek(); err != nil || c != 0 {
		return t.or(err, "text behind the object")
	}
	if _, err := t.in.Peek(1); err == nil {
		t.take(1) // the end of the line
	}
	return io.EOF
}

func orError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// or is an error of reading, else a fault of what was read.
func (t *longText) or(err error, what string) error {
	return orError(err, fmt.Errorf("not JSON: %s at column %d", what, t.at+1))
}

func (t *longText) take(n int) {
	t.in.Discard(n)
	t.at += int64(n)
}

// peek skips white space and returns the next byte of the line, 0 at its end.
func (t *longText) peek() (byte, error) {
	for {
		c, err := t.in.Peek(1)
		switch {
		case err == io.EOF:
			return 0, nil
		case err != nil:
			return 0, err
		}
		switch c[0] {
		case ' ', '\t', '\r':
			t.take(1)
		case '\n':
			return 0, nil
		case 0:
			return 1, nil // not the end, and no valid token either
		default:
			return c[0], nil
		}
	}
}

// name reads a key; of one that is longer than the one that is looked for, only the beginning.
func (t *longText) name() (string, error) {
	if c, err := t.peek(); err != nil || c != '"' {
		return "", t.or(err, "expected a key")
	}
	t.take(1)
	var name []byte
	part := make([]byte, 256)
	for {
		n, done, err := t.string(part)
		if len(name) <= len(t.key) {
			name = append(name, part[:n]...)
		}
		if done || err != nil {
			return string(name), err
		}
	}
}

// string decodes a string into p behind its opening quote, and consumes the closing one when it is done.
func (t *longText) string(p []byte) (n int, done bool, err error) {
	for n+utf8.UTFMax <= len(p) {
		if _, err := t.in.Peek(1); err != nil {
			if err == io.EOF {
				return n, false, t.or(nil, "a string without end")
			}
			return n, false, err
		}
		chunk, _ := t.in.Peek(min(t.in.Buffered(), len(p)-n))
		run := 0
		for run < len(chunk) && chunk[run] != '"' && chunk[run] != '\\' && chunk[run] >= ' ' {
			run++
		}
		n += copy(p[n:], chunk[:run])
		if t.take(run); run == len(chunk) {
			continue
		}
		switch c := chunk[run]; c {
		case '"':
			t.take(1)
			return n, true, nil
		case '\\':
			if n+utf8.UTFMax > len(p) {
				return n, false, nil
			}
			r, err := t.escape()
			if err != nil {
				return n, false, err
			}
			n += utf8.EncodeRune(p[n:], r)
		case '\n':
			return n, false, t.or(nil, "a string without end")
		default:
			return n, false, t.or(nil, "a control character in a string")
		}
	}
	return n, false, nil
}

// escape consumes one escape sequence.
func (t *longText) escape() (rune, error) {
	text, err := t.in.Peek(len(`\ud800\udc00`))
	if err != nil && err != io.EOF {
		return 0, err
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(text) > 1 {
		if i := bytes.IndexByte([]byte(from), text[1]); i >= 0 {
			t.take(2)
			return rune(to[i]), nil
		}
	}
	s := &jsonScanner{in: text}
	first, ok := s.unicodeEscape()
	if !ok {
		return 0, t.or(nil, "an unknown escape")
	}
	if utf16.IsSurrogate(first) {
		s.at = 6
		second, ok := s.unicodeEscape()
		if first = utf16.DecodeRune(first, second); !ok || first == utf8.RuneError {
			return 0, t.or(nil, "half of a surrogate pair, which is no character,")
		}
		t.take(6)
	}
	t.take(6)
	return first, nil
}

// separator consumes a comma, or close and says so.
func (t *longText) separator(close byte) (done bool, err error) {
	c, err := t.peek()
	switch {
	case err != nil:
		return false, err
	case c != ',' && c != close:
		return false, t.or(nil, "expected a comma or a closing bracket")
	}
	t.take(1)
	return c == close, nil
}

// skip consumes one value of any type inside depth brackets.
func (t *longText) skip(depth int) error {
	c, err := t.peek()
	switch {
	case err != nil:
		return err
	case c == '{' || c == '[':
		if depth >= maxJSONDepth {
			return t.or(nil, "nesting too deep")
		}
		return t.skipAll(c, depth+1)
	case c == '"':
		t.take(1)
		part := make([]byte, 4<<10)
		for {
			if _, done, err := t.string(part); done || err != nil {
				return err
			}
		}
	}
	const longest = 4 << 10 // of a number
	text, err := t.in.Peek(min(longest, t.in.Size()))
	if err != nil && err != io.EOF {
		return err
	}
	s := &jsonScanner{in: text}
	if err := s.skip(depth); err != nil {
		return t.or(nil, "expected a value")
	}
	t.take(s.at)
	return nil
}

// skipAll consumes an object or a list.
func (t *longText) skipAll(open byte, depth int) error {
	t.take(1)
	if c, err := t.peek(); err != nil || c == open+2 { // { and }, [ and ] are two apart
		t.take(1)
		return err
	}
	for {
		if open == '{' {
			if _, err := t.name(); err != nil {
				return err
			}
			if c, err := t.peek(); err != nil || c != ':' {
				return t.or(err, "expected a colon")
			}
			t.take(1)
		}
		if err := t.skip(depth); err != nil {
			return err
		}
		if done, err := t.separator(open + 2); done || err != nil {
			return err
		}
	}
}
