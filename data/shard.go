package data

import (
	"encoding/binary"
	"fmt"
	"sort"

	"example.com/gotrain/data/mmap"
)

// Shard is one open token file. Its tokens are read in place from a memory map where the platform has one.
type Shard struct {
	Header
	path   string
	tokens []byte // Tokens × TokenBytes
	starts []byte // Documents × 4
	close  func() error

	scanned bool // of token ids without starts: documents are found by the tokens between them
	first   bool // then: its first token, or the first that ends no document, begins one
}

// OpenShard maps path into memory and verifies all of it: header, size, checksums, document starts and the range of
// every token. It reads the whole file once, at memory speed when the file is cached. The file must stay as it is while
// it is open.
func OpenShard(path string) (*Shard, error) {
	file, close, err := mmap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: shard: %w", err)
	}
	s := &Shard{path: path, close: close}
	s.Header, s.tokens, s.starts, err = parseShard(file, mmap.Release)
	if err != nil {
		close()
		return nil, fmt.Errorf("data: shard %s: %w", path, err)
	}
	return s, nil
}

// Path returns the path that the shard was opened with.
func (s *Shard) Path() string { return s.path }

// Close unmaps the file. Nothing may read the shard afterwards.
func (s *Shard) Close() error {
	s.tokens, s.starts = nil, nil
	return s.close()
}

// read widens the tokens from position at into dst, which must lie within the shard.
func (s *Shard) read(dst []int32, at int64) {
	if s.TokenBytes == 2 {
		src := s.tokens[2*at:][:2*len(dst)]
		for i := range dst {
			dst[i] = int32(binary.LittleEndian.Uint16(src[2*i:]))
		}
		return
	}
	src := s.tokens[4*at:][:4*len(dst)]
	for i := range dst {
		dst[i] = int32(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func (s *Shard) start(document int) int64 {
	return int64(binary.LittleEndian.Uint32(s.starts[4*document:]))
}

// nextStart returns the first document start in [at, end), -1 for none.
func (s *Shard) nextStart(at, end int64) int64 {
	if s.scanned {
		return s.scan(at, end)
	}
	documents := len(s.starts) / 4
	i := sort.Search(documents, func(i int) bool { return s.start(i) >= at })
	if i == documents || s.start(i) >= end {
		return -1
	}
	return s.start(i)
}
