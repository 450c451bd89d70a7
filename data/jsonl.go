package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxRecord bounds the bytes of one JSONL line. Reading one takes up to three times its length in memory: the line, and
// what it was before it outgrew its buffer.
const maxRecord = 256 << 20

// keepLine is the longest line whose buffer is kept for others.
const keepLine = 8 << 20

// jsonlFile yields the string at key of every line. The text of a Document lasts until yield returns.
func jsonlFile(name, key string, yield func(Document) bool) error {
	s, err := openText(name)
	if err != nil {
		return err
	}
	defer s.Close()
	reader := bufio.NewReaderSize(s, 1<<20)
	var buffer []byte
	for number := 1; ; number++ {
		line, err := readLine(reader, buffer[:0])
		var coded *EncodingError
		switch {
		case errors.Is(err, errLongRecord):
			return fmt.Errorf("data: %s:%d: %w", name, number, err)
		case errors.As(err, &coded):
			coded.File = fmt.Sprintf("%s:%d", name, number)
			return coded
		case err != nil && err != io.EOF:
			return err
		}
		if buffer = line; cap(buffer) > keepLine {
			buffer = nil
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			text, parseErr := stringField(line, key)
			if parseErr != nil {
				return fmt.Errorf("data: %s:%d: %w", name, number, parseErr)
			}
			if len(text) > 0 && !yield(Document{File: name, Record: number, Text: text}) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

var errLongRecord = fmt.Errorf("a line longer than %d MiB, the most that is read at once (is the file JSON Lines, one object a line? split longer texts)", maxRecord>>20)

// readLine appends the next line to dst.
func readLine(r *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(dst)+len(part) > maxRecord {
			return nil, errLongRecord
		}
		if len(dst)+len(part) > cap(dst) {
			dst = slices.Grow(dst, max(len(dst), len(part))) // by doubling: append's smaller steps leave more behind
		}
		dst = append(dst, part...)
		if err != bufio.ErrBufferFull {
			return dst, err
		}
	}
}
