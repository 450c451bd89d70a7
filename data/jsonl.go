package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRecord bounds the bytes of one JSONL line and so the memory that a broken file can take.
const maxRecord = 256 << 20

// jsonlFile yields the string at key of every line.
func jsonlFile(name, key string, yield func(Document) bool) error {
	s, err := openStream(name)
	if err != nil {
		return err
	}
	defer s.Close()
	reader := bufio.NewReaderSize(s, 1<<20)
	var buffer []byte
	for number := 1; ; number++ {
		line, err := readLine(reader, buffer[:0])
		if errors.Is(err, errLongRecord) {
			return fmt.Errorf("data: %s:%d: %w", name, number, err)
		}
		if err != nil && err != io.EOF {
			return err
		}
		buffer = line
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
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

var errLongRecord = fmt.Errorf("a line longer than %d MiB (is the file JSON Lines, one object a line?)", maxRecord>>20)

// readLine appends the next line to dst.
func readLine(r *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		dst = append(dst, part...)
		if len(dst) > maxRecord {
			return nil, errLongRecord
		}
		if err != bufio.ErrBufferFull {
			return dst, err
		}
	}
}
