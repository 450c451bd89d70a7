package data

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/mmap"
)

// A token file of llm.c begins with a header of 256 int32, little-endian: a magic, a version that says how wide a token is, and
// the number of tokens, which follow. One of nanoGPT is uint16 tokens and nothing else.
const (
	binHeader = 1024 // bytes
	binGPT2   = 20240520
	binLlama3 = 20240801
)

// binKinds are the headers that are known.
var binKinds = []struct {
	magic, version uint32
	width          int
}{
	{binGPT2, 1, 2},
	{binLlama3, 7, 4},
}

// ErrBin says that a file is no whole file of token ids.
var ErrBin = errors.New("not a whole file of token ids of nanoGPT or llm.c")

// otherBins are files that end with .bin too, by how they begin. Fewer than four bytes might be tokens.
var otherBins = []struct{ magic, what string }{
	{"PK\x03\x04", "a ZIP archive, such as weights of PyTorch"}, {"\x80\x02\x8a\x0a", "weights of PyTorch"},
	{"\x93NUMPY", "a NumPy array with a header: write the tokens with ndarray.tofile"}, {shardMagic, "a shard of tokens: set data.format to shards"},
	{"GGUF", "a GGUF model"}, {"PAR1", "a Parquet file: set data.format to parquet"}, {lfsPointer, "a pointer of Git LFS in the place of the file: run git lfs pull where it was cloned"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd: decompress it, tokens are read in place"},
}

// parseBin finds the tokens in a file, and how many bytes each has.
func parseBin(file []byte) (tokens []byte, width int, err error) {
	for _, other := range otherBins {
		if bytes.HasPrefix(file, []byte(other.magic)) {
			return nil, 0, fmt.Errorf("%w, but %s", ErrBin, other.what)
		}
	}
	if len(file) < 4 {
		return nil, 0, fmt.Errorf("%w: it has %d bytes", ErrBin, len(file))
	}
	magic := binary.LittleEndian.Uint32(file)
	if magic/10000 != 2024 {
		if len(file)%2 != 0 {
			return nil, 0, fmt.Errorf("%w: %d bytes are no number of uint16 tokens (is the file whole?)", ErrBin, len(file))
		}
		return file, 2, nil
	}
	if len(file) < binHeader {
		return nil, 0, fmt.Errorf("%w: %d bytes, the header of llm.c alone has %d (is the file whole?)", ErrBin, len(file), binHeader)
	}
	version, count := binary.LittleEndian.Uint32(file[4:]), int64(int32(binary.LittleEndian.Uint32(file[8:])))
	for _, kind := range binKinds {
		if kind.magic != magic || kind.version != version {
			continue
		}
		if body := int64(len(file) - binHeader); count < 1 || body != count*int64(kind.width) {
			return nil, 0, fmt.Errorf("%w: the header says %d tokens of %d bytes, %d bytes follow it (is the file whole?)", ErrBin, count, kind.width, body)
		}
		return file[binHeader:], kind.width, nil
	}
	return nil, 0, fmt.Errorf("%w: llm.c's magic %d in version %d is that of other data (tokens have %d, version 1, or %d, version 7)", ErrBin, magic, version, binGPT2, binLlama3)
}

// openBin maps a file of token ids, which enc made, into memory and verifies that its vocabulary has all of them. Nothing is
// copied: documents, which end with the end-of-text token of enc or begin with its first BOS, are found when they are asked for.
func openBin(path string, enc Encoder) (*Shard, error) {
	if err := refuseIndexed(path); err != nil {
		return nil, err
	}
	file, close, err := mmap.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	s := &Shard{path: path, close: close, scanned: true, first: true}
	s.Header = Header{VocabSize: enc.VocabSize(), BeginOfText: enc.BeginOfText(), EndOfText: enc.EndOfText(), Tokenizer: enc.Fingerprint()}
	if s.tokens, s.TokenBytes, err = parseBin(file); err == nil {
		s.Tokens = int64(len(s.tokens) / s.TokenBytes)
		err = s.verify(enc, int64(len(file)-len(s.tokens)))
	}
	if err != nil {
		close()
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return s, nil
}

// verify goes through all tokens, which begin at a place of the file, once.
func (s *Shard) verify(enc Encoder, begin int64) error {
	lengths := tokenLengths(enc)
	hash := xxh3.New()
	at := int64(0)
	ids := make([]int32, 64<<10)
	starts := s.newStarts()
	for part := range slices.Chunk(s.tokens, len(ids)*s.TokenBytes) {
		hash.Write(part)
		n := len(part) / s.TokenBytes
		s.read(ids[:n], at)
		for i, id := range ids[:n] {
			if id < 0 || int(id) >= s.VocabSize {
				return fmt.Errorf("token %d at byte %d is outside the vocabulary of %d (set tokenizer.path to the tokenizer that the file was made with: gpt2 for those of nanoGPT and llm.c)",
					uint32(id), begin+(at+int64(i))*int64(s.TokenBytes), s.VocabSize)
			}
			if starts.begins(id) {
				s.Documents++
			}
			if lengths != nil {
				s.TextBytes += int64(lengths[id])
			}
		}
		at += int64(n)
		mmap.Release(part)
	}
	sum := hash.Sum128().Bytes()
	s.Source = hex.EncodeToString(sum[:])
	return nil
}

// refuseIndexed reports tokens of Megatron, whose width an index beside them has.
func refuseIndexed(path string) error {
	file, err := os.Open(strings.TrimSuffix(path, ".bin") + ".idx")
	if err != nil {
		return nil
	}
	defer file.Close()
	magic := make([]byte, len("MMIDIDX"))
	if _, err := file.Read(magic); err == nil && string(magic) == "MMIDIDX" {
		return fmt.Errorf("data: %s: %w: %s beside it is an index of Megatron, whose files are not read (write the text as JSON Lines)", path, ErrBin, file.Name())
	}
	return nil
}

// starts finds the tokens that begin documents as they come.
type starts struct {
	bos     int32 // that begins documents, -1 for none
	end     int32
	between bool // the last token has ended a document
}

func (s *Shard) newStarts() starts {
	f := starts{bos: -1, end: s.EndOfText, between: s.first}
	if len(s.BeginOfText) > 0 {
		f.bos = s.BeginOfText[0]
	}
	return f
}

// begins takes the next token and tells whether it begins a document.
func (f *starts) begins(id int32) bool {
	begins := id == f.bos || f.between && id != f.end
	f.between = id == f.end || f.between && !begins
	return begins
}

// scan returns the first position in [at, end) where a document begins, -1 for none.
func (s *Shard) scan(at, end int64) int64 {
	f := s.newStarts()
	var ids [256]int32
	if at > 0 {
		s.read(ids[:1], at-1)
		f.between = ids[0] == f.end
	}
	for end = min(end, s.Tokens); at < end; {
		n := min(int64(len(ids)), end-at)
		s.read(ids[:n], at)
		for i, id := range ids[:n] {
			if f.begins(id) {
				return at + int64(i)
			}
		}
		at += n
	}
	return -1
}

// scanFirst tells whether a shard that is taken to begin between documents has a document that only so begins.
func (s *Shard) scanFirst() bool {
	var id [1]int32
	s.read(id[:], 0)
	return id[0] != s.EndOfText && (len(s.BeginOfText) == 0 || id[0] != s.BeginOfText[0])
}

// tokenLengths are the bytes of each token, nil where an encoder does not know them. What begins and ends a text has none.
func tokenLengths(enc Encoder) []int32 {
	byter, ok := enc.(TokenByter)
	if !ok {
		return nil
	}
	lengths := make([]int32, enc.VocabSize())
	for id := range lengths {
		lengths[id] = int32(len(byter.TokenBytes(int32(id))))
	}
	for _, id := range append([]int32{enc.EndOfText()}, enc.BeginOfText()...) {
		lengths[id] = 0
	}
	return lengths
}
