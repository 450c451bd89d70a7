package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// lines reads a file of JSON Lines: records of which the string at key is the text.
type lines struct {
	name, key string
	encoding  string
	longest   int           // bytes of a line that is read at once
	in        *bufio.Reader // of replay
	replay    replay
	offset    int64 // of the next line, in the file's text
	buffer    []byte

	// ahead is the file again, further on, to see what long records hold before their parts are passed on.
	ahead struct {
		stream io.Closer
		in     *bufio.Reader
		at     int64
	}
}

// jsonlFile yields the string at key of every line that is not empty, or has long read the text of a line of more than longest
// bytes, give or take 1 MiB. The text of a Document lasts until yield returns. It ends when one of them returns false.
func jsonlFile(name, key, encoding string, longest int, yield func(Document) bool, long func(*longRecord) (more bool, err error)) error {
	s, err := openText(name, encoding)
	if err != nil {
		return err
	}
	defer s.Close()
	l := &lines{name: name, key: key, encoding: encoding, longest: longest, replay: replay{rest: s}}
	l.in = bufio.NewReaderSize(&l.replay, 1<<20)
	defer l.close()
	for number := 1; ; number++ {
		more, err := l.next(number, yield, long)
		if err == io.EOF {
			return nil
		}
		if !more || err != nil {
			return err
		}
	}
}

func (l *lines) close() {
	if l.ahead.stream != nil {
		l.ahead.stream.Close()
	}
}

// fault says in which line an error is.
func (l *lines) fault(number int, err error) error {
	var coded *EncodingError
	if errors.As(err, &coded) {
		coded.File = fmt.Sprintf("%s:%d", l.name, number)
		return coded
	}
	if broken := (*readError)(nil); errors.As(err, &broken) {
		return err
	}
	missing := missingKey("")
	lacks := errors.As(err, &missing)
	err = fmt.Errorf("data: %s:%d: %w", l.name, number, err)
	if number == 1 && lacks {
		return &SettingError{err} // no record is likely to have it
	}
	return err
}

// next passes a line on. It returns io.EOF behind the last one.
func (l *lines) next(number int, yield func(Document) bool, long func(*longRecord) (bool, error)) (more bool, err error) {
	line, whole, err := l.read(l.buffer[:0])
	l.buffer = line
	if err != nil && err != io.EOF {
		return false, l.fault(number, err)
	}
	if !whole {
		return l.long(number, line, long)
	}
	l.offset += int64(len(line))
	if line = bytes.TrimSpace(line); len(line) > 0 {
		text, err := stringField(line, l.key)
		if err != nil {
			return false, l.fault(number, err)
		}
		if len(text) > 0 && !yield(Document{File: l.name, Record: number, Text: text}) {
			return false, nil
		}
	}
	return true, err
}

// long has the record read that begins with head.
func (l *lines) long(number int, head []byte, read func(*longRecord) (bool, error)) (more bool, err error) {
	left, _ := l.in.Peek(l.in.Buffered())
	l.replay.head = append(head, left...)
	l.buffer = nil
	l.in.Reset(&l.replay)
	text := &longText{in: l.in, key: l.key}
	more, err = read(&longRecord{Document: Document{File: l.name, Record: number}, lines: l, offset: l.offset, text: text})
	if err != nil {
		return false, l.fault(number, err)
	}
	l.offset += text.at
	return more, nil
}

// replay reads what was read before, then the rest.
type replay struct {
	head []byte
	rest io.Reader
}

func (r *replay) Read(p []byte) (n int, err error) {
	if len(r.head) == 0 {
		return r.rest.Read(p)
	}
	n = copy(p, r.head)
	if r.head = r.head[n:]; len(r.head) == 0 {
		r.head = nil
	}
	return n, nil
}

// aheadAt returns a second reader of the file at a place of its text, behind all places that it was asked for before.
func (l *lines) aheadAt(offset int64) (*bufio.Reader, error) {
	if l.ahead.stream == nil {
		s, err := openText(l.name, l.encoding)
		if err != nil {
			return nil, err
		}
		l.ahead.stream, l.ahead.in = s, bufio.NewReaderSize(s, 64<<10)
	}
	n, err := io.CopyN(io.Discard, l.ahead.in, offset-l.ahead.at)
	l.ahead.at += n
	return l.ahead.in, err
}

// read appends the next line to dst, or the beginning of a long one, which is not whole.
func (l *lines) read(dst []byte) (line []byte, whole bool, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		if len(dst)+len(part) > cap(dst) {
			dst = slices.Grow(dst, max(len(dst), len(part))) // by doubling: append's smaller steps leave more behind
		}
		dst = append(dst, part...)
		if err != bufio.ErrBufferFull {
			return dst, true, err
		}
		if len(dst) >= l.longest {
			return dst, false, nil
		}
	}
}
