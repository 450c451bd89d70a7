package data

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"
)

// A shard file, version 1, all integers little-endian:
//
//	0     4     "GTSH"
//	4     4     version
//	8     4     length of the header
//	12    4     zero
//	16    8     xxh3 of bytes 24 to 4096
//	24    8     xxh3 of bytes 4096 to the end
//	32          the header: a Header as JSON, followed by zeros
//	4096        the tokens: uint16 when every id of the vocabulary fits, else uint32
//	            the document starts: uint32 positions of the first token of each document, ascending
//
// Tokens ahead of the first start continue the last document of the shard before.
const (
	shardMagic     = "GTSH"
	shardVersion   = 1
	shardPrefix    = 32
	shardBody      = 4096
	maxShardTokens = 1<<32 - 1
)

// Errors that OpenShard wraps; test for them with errors.Is.
var (
	ErrNotShard  = errors.New("not a token shard (it does not begin with GTSH)")
	ErrVersion   = errors.New("unknown shard version")
	ErrTruncated = errors.New("truncated or overlong shard")
	ErrChecksum  = errors.New("checksum mismatch: the shard is damaged")
	ErrHeader    = errors.New("invalid shard header")
)

// Header describes a shard.
type Header struct {
	TokenBytes int   `json:"token_bytes"` // bytes of a token, 2 or 4
	Tokens     int64 `json:"tokens"`
	Documents  int64 `json:"documents"`  // documents that begin in this shard
	TextBytes  int64 `json:"text_bytes"` // bytes of text that the tokens stand for
	VocabSize  int   `json:"vocab_size"`
	EndOfText  int32 `json:"end_of_text"`
	// BeginOfText are the tokens that each document begins with, none as a rule.
	BeginOfText []int32 `json:"begin_of_text,omitempty"`
	Tokenizer   string  `json:"tokenizer"` // Encoder.Fingerprint
	Source      string  `json:"source"`    // fingerprint of text, tokenizer and settings
	Split       string  `json:"split"`     // train or validation
	Index       int     `json:"index"`     // place among the shards of its Set, from 0
}

// tokenBytes is the width of a token for a vocabulary.
func tokenBytes(vocabSize int) int {
	if vocabSize <= 1<<16 {
		return 2
	}
	return 4
}

func (h Header) validate() error {
	switch {
	case h.TokenBytes != 2 && h.TokenBytes != 4:
		return fmt.Errorf("%w: token_bytes is %d", ErrHeader, h.TokenBytes)
	case h.Tokens < 0 || h.Tokens > maxShardTokens:
		return fmt.Errorf("%w: tokens is %d", ErrHeader, h.Tokens)
	case h.Documents < 0 || h.Documents > h.Tokens:
		return fmt.Errorf("%w: %d documents in %d tokens", ErrHeader, h.Documents, h.Tokens)
	case h.VocabSize <= 0 || int64(h.VocabSize) > 1<<31 || tokenBytes(h.VocabSize) > h.TokenBytes:
		return fmt.Errorf("%w: vocab_size is %d with token_bytes %d", ErrHeader, h.VocabSize, h.TokenBytes)
	case h.EndOfText < 0 || int(h.EndOfText) >= h.VocabSize:
		return fmt.Errorf("%w: end_of_text is %d", ErrHeader, h.EndOfText)
	case slices.ContainsFunc(h.BeginOfText, func(id int32) bool { return id < 0 || int(id) >= h.VocabSize }):
		return fmt.Errorf("%w: begin_of_text is %d", ErrHeader, h.BeginOfText)
	case h.TextBytes < 0 || h.Index < 0:
		return fmt.Errorf("%w: negative text_bytes or index", ErrHeader)
	}
	return nil
}

// encodeHeader returns the first shardBody bytes of a file.
func encodeHeader(h Header, bodyHash uint64) ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("data: shard header: %w", err)
	}
	if len(text) > shardBody-shardPrefix {
		return nil, fmt.Errorf("data: shard header: %d bytes do not fit (shorten the tokenizer's fingerprint)", len(text))
	}
	head := make([]byte, shardBody)
	copy(head, shardMagic)
	binary.LittleEndian.PutUint32(head[4:], shardVersion)
	binary.LittleEndian.PutUint32(head[8:], uint32(len(text)))
	binary.LittleEndian.PutUint64(head[24:], bodyHash)
	copy(head[shardPrefix:], text)
	binary.LittleEndian.PutUint64(head[16:], xxh3.Hash(head[24:]))
	return head, nil
}

// parseHeader checks everything that precedes the body and returns the body's checksum.
func parseHeader(file []byte) (h Header, bodyHash uint64, err error) {
	le := binary.LittleEndian
	switch {
	case len(file) < len(shardMagic) || string(file[:len(shardMagic)]) != shardMagic:
		return h, 0, ErrNotShard
	case len(file) < shardBody:
		return h, 0, fmt.Errorf("%w: %d bytes, the header alone has %d", ErrTruncated, len(file), shardBody)
	case le.Uint32(file[4:]) != shardVersion:
		return h, 0, fmt.Errorf("%w %d (this program reads %d: prepare the text again)", ErrVersion, le.Uint32(file[4:]), shardVersion)
	case le.Uint32(file[8:]) > shardBody-shardPrefix || le.Uint32(file[12:]) != 0:
		return h, 0, fmt.Errorf("%w: header length %d", ErrHeader, le.Uint32(file[8:]))
	case le.Uint64(file[16:]) != xxh3.Hash(file[24:shardBody]):
		return h, 0, fmt.Errorf("%w (header)", ErrChecksum)
	}
	text := file[shardPrefix:][:le.Uint32(file[8:])]
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return h, 0, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if decoder.InputOffset() != int64(len(text)) {
		return h, 0, fmt.Errorf("%w: header length %d, its text has %d", ErrHeader, len(text), decoder.InputOffset())
	}
	return h, le.Uint64(file[24:]), h.validate()
}

// parseShard verifies a whole file and returns its sections, which alias file. It reads from the front to the back and calls
// release, unless it is nil, for what it has done with.
func parseShard(file []byte, release func([]byte)) (h Header, tokens, starts []byte, err error) {
	h, bodyHash, err := parseHeader(file)
	if err != nil {
		return h, nil, nil, err
	}
	want := shardBody + h.Tokens*int64(h.TokenBytes) + h.Documents*4
	if int64(len(file)) != want {
		return h, nil, nil, fmt.Errorf("%w: %d bytes, the header says %d", ErrTruncated, len(file), want)
	}
	body := file[shardBody:]
	tokens, starts = body[:h.Tokens*int64(h.TokenBytes)], body[h.Tokens*int64(h.TokenBytes):]
	hash, most := xxh3.New(), uint32(0)
	for part := range slices.Chunk(tokens, verifyBytes) {
		hash.Write(part)
		most = max(most, maxToken(part, h.TokenBytes))
		if release != nil {
			release(part)
		}
	}
	hash.Write(starts)
	if hash.Sum64() != bodyHash {
		return h, nil, nil, fmt.Errorf("%w (tokens)", ErrChecksum)
	}
	last := int64(-1)
	for i := 0; i < len(starts); i += 4 {
		start := int64(binary.LittleEndian.Uint32(starts[i:]))
		if start <= last || start >= h.Tokens {
			return h, nil, nil, fmt.Errorf("%w: document start %d behind %d in %d tokens", ErrHeader, start, last, h.Tokens)
		}
		last = start
	}
	if int64(most) >= int64(h.VocabSize) {
		return h, nil, nil, fmt.Errorf("%w: token %d is outside the vocabulary of %d", ErrHeader, most, h.VocabSize)
	}
	return h, tokens, starts, nil
}

// verifyBytes is how much of a shard is verified at a time, a multiple of the size of a token.
const verifyBytes = 4 << 20

// maxToken returns the largest token, 0 of none.
func maxToken(tokens []byte, width int) (most uint32) {
	if width == 2 {
		for ; len(tokens) >= 2; tokens = tokens[2:] {
			most = max(most, uint32(binary.LittleEndian.Uint16(tokens)))
		}
		return most
	}
	for ; len(tokens) >= 4; tokens = tokens[4:] {
		most = max(most, binary.LittleEndian.Uint32(tokens))
	}
	return most
}
