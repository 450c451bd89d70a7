package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory of one zstd stream; `zstd --long=27` stays within it.
const maxZstdWindow = 128 << 20

// stream is a file's decompressed content.
type stream struct {
	io.Reader
	file *os.File
	zstd *zstd.Decoder // nil unless the file is zstd
}

// openStream opens name and decompresses gzip and zstd, recognized by their first bytes.
func openStream(name string) (*stream, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	buffered := bufio.NewReaderSize(file, 32<<10)
	s := &stream{Reader: buffered, file: file}
	magic, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		file.Close()
		return nil, fmt.Errorf("data: %w", err)
	}
	switch {
	case isGzip(magic):
		s.Reader, err = gzip.NewReader(buffered)
	case isZstd(magic):
		s.zstd, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		s.Reader = s.zstd
	default:
		err = nil
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	return s, nil
}

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) }

// isZstd says whether a file begins with a frame of zstd, or with one to be skipped, as pzstd writes.
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) || len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// isCompressed says whether a file is decompressed when it is opened.
func isCompressed(name string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	var magic [4]byte
	n, _ := io.ReadFull(file, magic[:])
	return isGzip(magic[:n]) || isZstd(magic[:n])
}

// Read reads decompressed bytes; errors name the file.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{s.file.Name(), err}
	}
	return n, err
}

// readError is a fault of reading or decompressing a file.
type readError struct {
	file string
	err  error
}

func (e *readError) Error() string {
	return fmt.Sprintf("data: %s: %v (is the file whole?)", e.file, e.err)
}

func (e *readError) Unwrap() error { return e.err }

// Close releases the file and the decompressor.
func (s *stream) Close() error {
	if s.zstd != nil {
		s.zstd.Close()
	}
	return s.file.Close()
}

// Open opens a file and decompresses gzip and zstd, recognized by content. Errors of reading name the file.
func Open(name string) (io.ReadCloser, error) { return openStream(name) }
