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
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		s.Reader, err = gzip.NewReader(buffered)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
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

// Read reads decompressed bytes; errors name the file.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("data: %s: %w (is the file whole?)", s.file.Name(), err)
	}
	return n, err
}

// Close releases the file and the decompressor.
func (s *stream) Close() error {
	if s.zstd != nil {
		s.zstd.Close()
	}
	return s.file.Close()
}

// Open opens a file and decompresses gzip and zstd, recognized by content. Errors of reading name the file.
func Open(name string) (io.ReadCloser, error) { return openStream(name) }
