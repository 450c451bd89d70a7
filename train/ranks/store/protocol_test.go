package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"reflect"
	"strings"
	"testing"
)

// golden holds requests as torch's client sends them.
var golden = []struct {
	hex  string
	want request
}{
	{"00 cef7853c", request{kind: kindValidate, number: magic}},
	{"01 0100000000000000 6b 0200000000000000 7631", request{kind: kindSet, keys: []string{"k"}, value: []byte("v1")}},
	{"03 0100000000000000 6b", request{kind: kindGet, keys: []string{"k"}}},
	{"04 0100000000000000 6b ffffffffffffffff", request{kind: kindAdd, keys: []string{"k"}, number: -1}},
	{"05 0200000000000000 0100000000000000 61 0100000000000000 62", request{kind: kindCheck, keys: []string{"a", "b"}}},
	{"06 0100000000000000 0100000000000000 61", request{kind: kindWait, keys: []string{"a"}}},
	{"0c", request{kind: kindCancelWait}},
	{"0d 2a000000", request{kind: kindPing, number: 42}},
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		b := unhex(t, g.hex)
		if got := g.want.append(nil); !bytes.Equal(got, b) {
			t.Errorf("%+v is written as %x, want %x", g.want, got, b)
		}
		got, err := readRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil || !reflect.DeepEqual(got, g.want) {
			t.Errorf("%x is read as %+v, %v; want %+v", b, got, err, g.want)
		}
		for n := range b {
			if _, err := readRequest(bufio.NewReader(bytes.NewReader(b[:n]))); err == nil {
				t.Errorf("%x is read although it is cut", b[:n])
			}
		}
	}
}

// TestHostile has requests that promise more than a server should believe.
func TestHostile(t *testing.T) {
	for _, text := range []string{
		"02", "ff", "47455420", // unknown kinds, the last one of HTTP
		"03 ffffffffffffffff", "01 0100000000000000 6b ffffffffffffff7f", "05 ffffffffffffffff", "03 0120000000000000",
	} {
		if r, err := readRequest(bufio.NewReader(bytes.NewReader(unhex(t, text)))); err == nil || err == io.EOF {
			t.Errorf("%s is read as %+v, %v", text, r, err)
		}
	}
}

// FuzzRequest wants what is read to be written as it was.
func FuzzRequest(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rest := bytes.NewReader(b)
		in := bufio.NewReader(rest)
		r, err := readRequest(in)
		if err != nil {
			return
		}
		used := len(b) - rest.Len() - in.Buffered()
		if got := r.append(nil); !bytes.Equal(got, b[:used]) {
			t.Errorf("%x is read as %+v and written as %x", b[:used], r, got)
		}
	})
}
