package data

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// byteEncoder has a token for each byte, at base + byte, and end-of-text behind them at base + 256.
type byteEncoder struct{ base int32 }

func (e byteEncoder) AppendEncode(dst []int32, text []byte) []int32 {
	for _, c := range text {
		dst = append(dst, e.base+int32(c))
	}
	return dst
}
func (e byteEncoder) VocabSize() int       { return int(e.base) + 257 }
func (e byteEncoder) BeginOfText() []int32 { return nil }
func (e byteEncoder) EndOfText() int32     { return e.base + 256 }
func (e byteEncoder) Fingerprint() string  { return fmt.Sprintf("bytes from %d", e.base) }
func (e byteEncoder) TokenBytes(id int32) []byte {
	if id < e.base || id >= e.base+256 {
		return nil
	}
	return []byte{byte(id - e.base)}
}

// decode is the inverse of byteEncoder, with ¶ for end-of-text.
func decode(s *Set, enc byteEncoder) string {
	ids := make([]int32, s.Tokens())
	s.Read(ids, 0)
	var b strings.Builder
	for _, id := range ids {
		if id == enc.EndOfText() {
			b.WriteString("¶")
		}
		b.Write(enc.TokenBytes(id))
	}
	return b.String()
}

func writeFile(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// volatile is a file that is not forced to the disk, which takes most of the time of a small shard.
type volatile struct{ shardFile }

func (volatile) Sync() error { return nil }

func createVolatile(path string) (shardFile, error) {
	file, err := createShard(path)
	return volatile{file}, err
}

// newSet writes documents into shards of at most limit tokens and opens them.
func newSet(t testing.TB, enc Encoder, limit int, documents ...string) *Set {
	t.Helper()
	dir := t.TempDir()
	w := newSetWriter(dir, createVolatile, limit, Train, enc, "test")
	for _, document := range documents {
		tokens := append(enc.AppendEncode(nil, []byte(document)), enc.EndOfText())
		if err := w.add(tokens, len(document), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.gtsh"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := OpenSet(paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

func mustPrepare(t testing.TB, cfg Config, enc Encoder) *Prepared {
	t.Helper()
	p, err := Prepare(context.Background(), cfg, enc, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// prose returns about n bytes of numbered paragraphs, no two alike.
func prose(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "Paragraph %d begins here\nand goes on for %d more words%s.\n\n", i, i%23, strings.Repeat(" word", i%23))
	}
	return b.Bytes()
}

// wantError fails unless err contains every part.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}
