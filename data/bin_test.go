package data

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// nanoGPT writes tokens as prepare.py of nanoGPT does, llmc as write_datafile of llm.c.
func nanoGPT(ids []int32) (b []byte) {
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint16(b, uint16(id))
	}
	return b
}

func llmc(ids []int32, magic, version uint32) []byte {
	b := make([]byte, binHeader)
	binary.LittleEndian.PutUint32(b, magic)
	binary.LittleEndian.PutUint32(b[4:], version)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(ids)))
	if version == 1 {
		return append(b, nanoGPT(ids)...)
	}
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}

// tokensOf are all tokens of a set.
func tokensOf(s *Set) []int32 {
	ids := make([]int32, s.Tokens())
	s.Read(ids, 0)
	return ids
}

// Files of token ids give the batches that shards of the same documents give, with document masks too, and are counted alike.
func TestBins(t *testing.T) {
	enc := byteEncoder{}
	set := newSet(t, enc, 1<<20, words(100)...)
	ids := tokensOf(set)
	dir := t.TempDir()
	// A document without text is none here: two ends in a row are one.
	var full []int32
	for i, id := range ids {
		if id != enc.EndOfText() || i > 0 && ids[i-1] != id {
			full = append(full, id)
		}
	}
	var whole []string
	for _, w := range words(100) {
		if w != "" {
			whole = append(whole, w)
		}
	}
	set = newSet(t, enc, 1<<20, whole...)
	half := len(full) / 2
	for name, paths := range map[string][]string{
		"nanoGPT":  {writeFile(t, filepath.Join(dir, "nano.bin"), nanoGPT(full))},
		"llm.c":    {writeFile(t, filepath.Join(dir, "llmc.bin"), llmc(full, binGPT2, 1))},
		"llama":    {writeFile(t, filepath.Join(dir, "llama.bin"), llmc(full, binLlama3, 7))},
		"in parts": {writeFile(t, filepath.Join(dir, "a.bin"), llmc(full[:half], binGPT2, 1)), writeFile(t, filepath.Join(dir, "b.bin"), nanoGPT(full[half:]))},
	} {
		p, err := Prepare(context.Background(), Config{Paths: paths, Format: FormatBin}, enc, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := p.Train; got.Tokens() != set.Tokens() || got.Documents() != set.Documents() || got.TextBytes() != set.TextBytes() {
			t.Errorf("%s: %d tokens in %d documents of %d bytes, want %d, %d, %d", name, got.Tokens(), got.Documents(), got.TextBytes(), set.Tokens(), set.Documents(), set.TextBytes())
		}
		for at := range set.Tokens() + 1 {
			if got, want := p.Train.NextStart(at), set.NextStart(at); got != want {
				t.Fatalf("%s: behind %d a document begins at %d, want %d", name, at, got, want)
			}
		}
		for _, mask := range []bool{false, true} {
			cfg := LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 5}, Context: 23, DocumentMask: mask}, Seed: 7}
			a, b := newLoader(t, p.Train, cfg), newLoader(t, set, cfg)
			got, want := a.NewBatch(), b.NewBatch()
			for position := range uint64(20) {
				if err := errors.Join(a.Fill(got, 5*position), b.Fill(want, 5*position)); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got.Ints, want.Ints) || got.Weight != want.Weight {
					t.Fatalf("%s: batch %d differs, document mask %t", name, position, mask)
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// llm.c has the end-of-text token before each document, and cuts documents where a file is full.
func TestBinBegins(t *testing.T) {
	dir, enc := t.TempDir(), byteEncoder{}
	const end = 256
	first := writeFile(t, filepath.Join(dir, "0.bin"), llmc([]int32{end, 1, 2, end, 3}, binGPT2, 1))
	second := writeFile(t, filepath.Join(dir, "1.bin"), llmc([]int32{4, 5, end, 6, end}, binGPT2, 1))
	third := writeFile(t, filepath.Join(dir, "2.bin"), llmc([]int32{7, end}, binGPT2, 1))
	s, err := openBins(enc, []string{first, second, third})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var starts []int64
	for at := s.NextStart(0); at < s.Tokens(); at = s.NextStart(at + 1) {
		starts = append(starts, at)
	}
	if want := []int64{1, 4, 8, 10}; !reflect.DeepEqual(starts, want) || s.Documents() != 4 {
		t.Errorf("documents begin at %d, want %d; %d of them", starts, want, s.Documents())
	}
	// Of Llama 3 documents begin with a token of their own.
	llama := keyed{vocab: 300, end: 299, begin: []int32{298}, print: "llama"}
	s2, err := openBins(llama, []string{writeFile(t, filepath.Join(dir, "l.bin"), llmc([]int32{298, 1, 2, 298, 3}, binLlama3, 7))})
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if s2.NextStart(0) != 0 || s2.NextStart(1) != 3 || s2.Documents() != 2 {
		t.Errorf("documents begin at %d and %d", s2.NextStart(0), s2.NextStart(1))
	}
}

// TestBinFaults: files that are others, cut short, or of another tokenizer.
func TestBinFaults(t *testing.T) {
	cut := llmc([]int32{1, 2, 3}, binGPT2, 1)
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"empty.bin":   {nil, "it has 0 bytes"},
		"odd.bin":     {[]byte("abcde"), "5 bytes are no number of uint16 tokens (is the file whole?)"},
		"vocab.bin":   {nanoGPT([]int32{1, 2, 3, 300}), "token 300 at byte 6 is outside the vocabulary of 257 (set tokenizer.path to the tokenizer"},
		"next.bin":    {nanoGPT([]int32{1, 257}), "token 257 at byte 2"},
		"header.bin":  {llmc([]int32{1, 300}, binGPT2, 1), "token 300 at byte 1026"},
		"wide.bin":    {llmc([]int32{1, -5}, binLlama3, 7), "token 4294967291 at byte 1028"},
		"cut.bin":     {cut[:len(cut)-1], "the header says 3 tokens of 2 bytes, 5 bytes follow it"},
		"short.bin":   {cut[:100], "100 bytes, the header of llm.c alone has 1024"},
		"count.bin":   {llmc(nil, binGPT2, 1), "the header says 0 tokens"},
		"version.bin": {llmc([]int32{1}, binGPT2, 2), "magic 20240520 in version 2 is that of other data"},
		"eval.bin":    {llmc([]int32{1}, 20240522, 1), "magic 20240522 in version 1 is that of other data"},
		"torch.bin":   {[]byte("PK\x03\x04 weights"), "a ZIP archive, such as weights of PyTorch"},
		"numpy.bin":   {[]byte("\x93NUMPY\x01\x00"), "a NumPy array"},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), name), test.content)
		_, err := Prepare(context.Background(), Config{Paths: []string{path}, Format: FormatBin}, byteEncoder{}, nil)
		wantError(t, err, path, test.want)
	}
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "m.bin"), nanoGPT([]int32{1, 2}))
	writeFile(t, filepath.Join(dir, "m.idx"), []byte("MMIDIDX\x00\x00"))
	_, err := Prepare(context.Background(), Config{Paths: []string{path}, Format: FormatBin}, byteEncoder{}, nil)
	wantError(t, err, path, "an index of Megatron")
	copied := writeFile(t, filepath.Join(dir, "val.bin"), llmc([]int32{1, 2}, binGPT2, 1))
	if err := os.Remove(filepath.Join(dir, "m.idx")); err != nil {
		t.Fatal(err)
	}
	_, err = Prepare(context.Background(), Config{Paths: []string{path}, ValidationPaths: []string{copied}, Format: FormatBin}, byteEncoder{}, nil)
	wantError(t, err, "val.bin is a copy of the training file")
	_, err = Prepare(context.Background(), Config{Paths: []string{path}, Format: FormatBin, Validation: 0.1}, byteEncoder{}, nil)
	wantError(t, err, "tokens are already split")
}

// Whatever a file holds, it is refused or all of its tokens can be read.
func FuzzBin(f *testing.F) {
	for _, seed := range [][]byte{nanoGPT([]int32{1, 2, 256}), llmc([]int32{1, 256, 2}, binGPT2, 1), llmc([]int32{1}, binLlama3, 7), llmc([]int32{1}, binGPT2, 3), []byte("PK\x03\x04"), {1}} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "f.bin")
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := openBins(byteEncoder{}, []string{path})
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%q: %v", content, err)
			}
			return
		}
		defer s.Close()
		documents := int64(0)
		for at := s.NextStart(0); at < s.Tokens(); at = s.NextStart(at + 1) {
			documents++
		}
		if ids := tokensOf(s); len(ids) == 0 || documents != s.Documents() {
			t.Errorf("%q: %d tokens, %d documents, not %d", content, len(ids), documents, s.Documents())
		}
	})
}
