package data

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"
)

// shardFile is what a writer needs of a file; tests put faults behind it.
type shardFile interface {
	io.Writer
	io.WriterAt
	Sync() error
	Close() error
}

// createShard creates a new file for a shard.
func createShard(path string) (shardFile, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
}

// setWriter writes the tokens of one split into shards of at most limit tokens.
type setWriter struct {
	dir               string
	create            func(path string) (shardFile, error)
	limit             int64
	header            Header // the constant fields
	shard             *shardWriter
	shards            int
	tokens, documents int64 // of all shards
	between           bool  // the next token begins a document
}

func newSetWriter(dir string, create func(string) (shardFile, error), limit int, split Split, enc Encoder, source string) *setWriter {
	return &setWriter{dir: dir, create: create, limit: int64(limit), between: true, header: Header{
		TokenBytes: tokenBytes(enc.VocabSize()), VocabSize: enc.VocabSize(), BeginOfText: enc.BeginOfText(), EndOfText: enc.EndOfText(),
		Tokenizer: enc.Fingerprint(), Source: source, Split: split.String(),
	}}
}

// shardName is the name of shard i of a split.
func shardName(split string, i int) string { return fmt.Sprintf("%s-%05d.gtsh", split, i) }

// add appends the tokens of a piece of textBytes bytes; ends says that its document ends with them.
func (w *setWriter) add(tokens []int32, textBytes int, ends bool) error {
	for first := true; len(tokens) > 0; first = false {
		if w.shard != nil && w.shard.header.Tokens == w.limit {
			if err := w.finish(); err != nil {
				return err
			}
		}
		if w.shard == nil {
			if err := w.open(); err != nil {
				return err
			}
		}
		n := min(int64(len(tokens)), w.limit-w.shard.header.Tokens)
		if w.between {
			w.shard.begin()
			w.documents++
			w.between = false
		}
		if first {
			w.shard.header.TextBytes += int64(textBytes)
		}
		if err := w.shard.write(tokens[:n]); err != nil {
			return err
		}
		w.tokens += n
		tokens = tokens[n:]
	}
	w.between = w.between || ends
	return nil
}

func (w *setWriter) open() error {
	header := w.header
	header.Index = w.shards
	path := filepath.Join(w.dir, shardName(header.Split, header.Index))
	file, err := w.create(path)
	if err != nil {
		return fmt.Errorf("data: shard: %w", err)
	}
	w.shards++
	w.shard = &shardWriter{header: header, path: path, file: file, hash: xxh3.New()}
	w.shard.body = bufio.NewWriterSize(io.MultiWriter(io.NewOffsetWriter(file, shardBody), w.shard.hash), 1<<20)
	return nil
}

// finish completes the open shard, if any.
func (w *setWriter) finish() error {
	if w.shard == nil {
		return nil
	}
	shard := w.shard
	w.shard = nil
	return shard.finish()
}

// abort closes the open shard, if any, and leaves its file incomplete.
func (w *setWriter) abort() {
	if w.shard != nil {
		w.shard.file.Close()
		w.shard = nil
	}
}

// shardWriter writes one shard; its header comes last, so that an incomplete file is none.
type shardWriter struct {
	header Header
	path   string
	file   shardFile
	body   *bufio.Writer
	hash   *xxh3.Hasher
	starts []uint32
	buffer []byte
}

// begin says that the next token begins a document.
func (w *shardWriter) begin() {
	w.starts = append(w.starts, uint32(w.header.Tokens))
	w.header.Documents++
}

func (w *shardWriter) write(tokens []int32) error {
	w.header.Tokens += int64(len(tokens))
	w.buffer = w.buffer[:0]
	for _, token := range tokens {
		if w.header.TokenBytes == 2 {
			w.buffer = binary.LittleEndian.AppendUint16(w.buffer, uint16(token))
		} else {
			w.buffer = binary.LittleEndian.AppendUint32(w.buffer, uint32(token))
		}
	}
	if _, err := w.body.Write(w.buffer); err != nil {
		return w.fault(err)
	}
	return nil
}

func (w *shardWriter) finish() error {
	err := w.writeEnd()
	if closeErr := w.file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return w.fault(err)
	}
	return nil
}

func (w *shardWriter) writeEnd() error {
	w.buffer = w.buffer[:0]
	for _, start := range w.starts {
		w.buffer = binary.LittleEndian.AppendUint32(w.buffer, start)
	}
	if _, err := w.body.Write(w.buffer); err != nil {
		return err
	}
	if err := w.body.Flush(); err != nil {
		return err
	}
	head, err := encodeHeader(w.header, w.hash.Sum64())
	if err != nil {
		return err
	}
	if _, err := w.file.WriteAt(head, 0); err != nil {
		return err
	}
	return w.file.Sync()
}

func (w *shardWriter) fault(err error) error {
	return fmt.Errorf("data: shard %s: %w", filepath.Base(w.path), err)
}
