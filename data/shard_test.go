package data

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"
)

// Whatever the documents, the width of a token and the size of a shard, a Set reads back what was written.
func TestSetRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		documents := rapid.SliceOfN(rapid.StringN(0, 20, -1), 1, 20).Draw(rt, "documents")
		limit := rapid.IntRange(5, 100).Draw(rt, "limit")
		enc := byteEncoder{rapid.SampledFrom([]int32{0, 65536}).Draw(rt, "base")}
		var want []int32
		var starts []int64
		var bytes int64
		for _, document := range documents {
			starts = append(starts, int64(len(want)))
			want = append(enc.AppendEncode(want, []byte(document)), enc.EndOfText())
			bytes += int64(len(document))
		}
		set := newSet(t, enc, limit, documents...)
		if set.Tokens() != int64(len(want)) || set.Documents() != int64(len(documents)) || set.TextBytes() != bytes {
			rt.Fatalf("%d tokens, %d documents, %d bytes; want %d, %d, %d", set.Tokens(), set.Documents(), set.TextBytes(), len(want), len(documents), bytes)
		}
		if n := (len(want) + limit - 1) / limit; len(set.Shards()) != n {
			rt.Fatalf("%d shards, want %d", len(set.Shards()), n)
		}
		lo := rapid.IntRange(0, len(want)).Draw(rt, "lo")
		hi := rapid.IntRange(lo, len(want)).Draw(rt, "hi")
		got := make([]int32, hi-lo)
		set.Read(got, int64(lo))
		if !slices.Equal(got, want[lo:hi]) {
			rt.Fatalf("[%d, %d): %v, want %v", lo, hi, got, want[lo:hi])
		}
		for at := range int64(len(want)) + 1 {
			next := int64(len(want))
			if i := slices.IndexFunc(starts, func(start int64) bool { return start >= at }); i >= 0 {
				next = starts[i]
			}
			if got := set.NextStart(at); got != next {
				rt.Fatalf("NextStart(%d) = %d, want %d", at, got, next)
			}
		}
	})
}

func shardBytes(t testing.TB) []byte {
	set := newSet(t, byteEncoder{}, 1000, "one", "", "two three")
	file, err := os.ReadFile(set.Shards()[0].Path())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestShardDamage(t *testing.T) {
	file := shardBytes(t)
	if _, _, _, err := parseShard(file, nil); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		damaged := slices.Clone(file)
		damaged[i] ^= 0x10
		if _, _, _, err := parseShard(damaged, nil); err == nil || !repairable(err) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, _, _, err := parseShard(file[:i], nil); err == nil || !repairable(err) {
			t.Errorf("truncated to %d: %v", i, err)
		}
	}
	for _, test := range []struct {
		name   string
		change func(file []byte) []byte
		want   error
	}{
		{"magic", func(f []byte) []byte { f[0] = 'X'; return f }, ErrNotShard},
		{"empty", func(f []byte) []byte { return nil }, ErrNotShard},
		{"version", func(f []byte) []byte { f[4] = 9; return f }, ErrVersion},
		{"header", func(f []byte) []byte { f[shardPrefix+2]++; return f }, ErrChecksum},
		{"token", func(f []byte) []byte { f[shardBody]++; return f }, ErrChecksum},
		{"short", func(f []byte) []byte { return f[:len(f)-1] }, ErrTruncated},
		{"long", func(f []byte) []byte { return append(f, 0) }, ErrTruncated},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), test.name), test.change(slices.Clone(file)))
		if _, err := OpenShard(path); !errors.Is(err, test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := OpenShard(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// seal makes the checksums right, so that what they protect is tested too.
func seal(file []byte) []byte {
	if len(file) >= shardBody {
		binary.LittleEndian.PutUint64(file[24:], xxh3.Hash(file[shardBody:]))
		binary.LittleEndian.PutUint64(file[16:], xxh3.Hash(file[24:shardBody]))
	}
	return file
}

func TestShardContradictions(t *testing.T) {
	file := shardBytes(t)
	starts := len(file) - 3*4
	for _, test := range []struct {
		name   string
		change func(file []byte)
		want   string
	}{
		{"token outside the vocabulary", func(f []byte) { binary.LittleEndian.PutUint16(f[shardBody:], 257) }, "token 257 is outside the vocabulary of 257"},
		{"start behind the end", func(f []byte) { binary.LittleEndian.PutUint32(f[starts+8:], 15) }, "document start 15"},
		{"equal starts", func(f []byte) { copy(f[starts+4:], f[starts:starts+4]) }, "document start 0 behind 0"},
		{"unknown field", func(f []byte) { f[shardPrefix+2] = 'x' }, "unknown field"},
	} {
		damaged := slices.Clone(file)
		test.change(damaged)
		_, _, _, err := parseShard(seal(damaged), nil)
		if !errors.Is(err, ErrHeader) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func FuzzParseShard(f *testing.F) {
	file := shardBytes(f)
	f.Add(file, false)
	f.Add(file[:shardBody], true)
	f.Add(file[:100], true)
	f.Add([]byte(shardMagic), false)
	f.Fuzz(func(t *testing.T, in []byte, sealed bool) {
		if sealed {
			in = seal(slices.Clone(in))
		}
		h, tokens, starts, err := parseShard(in, nil)
		if err != nil {
			if !repairable(err) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		s := &Shard{Header: h, tokens: tokens, starts: starts}
		all := make([]int32, h.Tokens)
		s.read(all, 0)
		for i, token := range all {
			if token < 0 || int(token) >= h.VocabSize {
				t.Errorf("token %d is %d of %d", i, token, h.VocabSize)
			}
		}
		if next := s.nextStart(0, 1<<40); next >= h.Tokens {
			t.Errorf("start %d of %d", next, h.Tokens)
		}
	})
}

func TestOpenSetOfTwoTokenizers(t *testing.T) {
	a, b := newSet(t, byteEncoder{}, 100, "one"), newSet(t, byteEncoder{1}, 100, "one")
	_, err := OpenSet(a.Shards()[0].Path(), b.Shards()[0].Path())
	wantError(t, err, "another tokenizer", b.Shards()[0].Path())
	_, err = OpenSet(a.Shards()[0].Path(), filepath.Join(t.TempDir(), "none"))
	wantError(t, err, "none")
}

func TestInspect(t *testing.T) {
	set := newSet(t, byteEncoder{}, 4, "ab", "c\n")
	summary := Summarize(set).String()
	for _, part := range []string{"tokens      6\n", "documents   2\n", "4 bytes, 0.667 a token", "shard 1", "bytes from 0"} {
		if !strings.Contains(summary, part) {
			t.Errorf("%s\nlacks %q", summary, part)
		}
	}
	want := `         1      98 "b"
         2     256 end of text
---- document
         3      99 "c"
         4      10 "\n"
         5     256 end of text
`
	if got := Preview(set, byteEncoder{}, 1, 100); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
