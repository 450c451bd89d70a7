package data

import (
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// fragments are what random bytes of tests are put together from: characters of each length, their parts, and what is none.
var fragments = []string{"a", " ", "\n", "é", "世", "🙂", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", "\ufffd", "\x00", "\x80", "\xc3", "\xe4\xb8", "\xf0\x9f\x99", "\xff", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"}

// firstFault is where a text is not UTF-8, or has a zero byte where zero says so; -1 for nowhere.
func firstFault(text string, zero bool) int {
	for i, c := range text {
		if c == 0 && zero {
			return i
		}
		if c == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			return i
		}
	}
	return -1
}

// TestUTF8ByDefinition reads random bytes in pieces of any size: what comes through is the text up to its first fault, which is
// told at its byte.
func TestUTF8ByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	faults := 0
	for range 20000 {
		var b strings.Builder
		most := len(fragments)
		if r.IntN(2) == 0 {
			most = 13 // that are text
		}
		for range r.IntN(9) {
			b.WriteString(fragments[r.IntN(most)])
		}
		text := b.String()
		if got, want := invalidAt([]byte(text)), firstFault(text, false); got != want {
			t.Fatalf("%q is invalid at %d, want %d", text, got, want)
		}
		var in io.Reader = strings.NewReader(text)
		switch r.IntN(4) {
		case 0:
			in = iotest.OneByteReader(in)
		case 1:
			in = iotest.HalfReader(in)
		case 2:
			in = iotest.DataErrReader(in)
		}
		reader := &utf8Reader{in: in, file: "f"}
		var got []byte
		var err error
		for buffer := make([]byte, 1+r.IntN(7)); err == nil; {
			var n int
			n, err = reader.Read(buffer)
			got = append(got, buffer[:n]...)
		}
		want := firstFault(text, true)
		if want < 0 {
			if err != io.EOF || string(got) != text {
				t.Fatalf("%q is read as %q, %v", text, got, err)
			}
			continue
		}
		faults++
		var fault *EncodingError
		if !errors.As(err, &fault) || fault.Offset != int64(want) || fault.File != "f" {
			t.Fatalf("%q: %v, want a fault at byte %d", text, err, want)
		}
		if zero := strings.Contains(fault.Fault, "zero byte"); zero != (text[want] == 0) {
			t.Fatalf("%q: %v", text, err)
		}
		// The beginning of a character may have come through before its end was seen.
		if len(got) < want || len(got) > want+3 || string(got) != text[:len(got)] {
			t.Fatalf("%q is read as %q before the fault at %d", text, got, want)
		}
		if _, again := reader.Read(make([]byte, 9)); again != err {
			t.Fatalf("%q: reading on gives %v", text, again)
		}
	}
	if faults < 5000 || faults > 19000 {
		t.Errorf("%d of 20,000 have a fault", faults)
	}
}

// TestGuessesByHand: what bytes above 0x7F stand for is told from where they stand; each case is at a border.
func TestGuessesByHand(t *testing.T) {
	for text, want := range map[string]bool{
		"caf\xe9 ": true, "\xe9": true, "\xe9t\xe9": true, "\xe9\xe9": false, "a\xe9\xe9b": false,
		"\xe9a\xe9a\xe9a\xe9a\xe9\xe9": false, strings.Repeat("\xe9a", 8) + "\xe9\xe9": true, strings.Repeat("\xe9a", 7) + "\xe9\xe9": false, // eight of ten
	} {
		if got := isolated([]byte(text)); got != want {
			t.Errorf("%q has accents: %t", text, got)
		}
	}
	for _, test := range []struct {
		text  string
		width int
		big   bool
		want  bool
	}{
		{"a\x00b\x00", 2, false, true}, {"\x00a\x00b", 2, true, true}, {"a\x00b", 2, false, true}, {"a", 2, false, false}, {"", 2, true, false},
		{"a\x00=\xd8", 2, false, true}, {"=\xd8", 2, false, false}, {"=\xd8B\xde", 2, false, true}, {"=\xd8a\x00", 2, false, false}, {"\x01\x00", 2, false, false},
		{"\n\x00\t\x00 \x00", 2, false, true}, {"\xfd\xff", 2, false, false}, {"B\xf6\x01\x00", 4, false, true}, {"\x00\x01\xf6B", 4, true, true}, {"\x00\x01\xf6B\x00", 4, true, true}, {"\x00\xff\xff\xff", 4, true, false},
	} {
		if got := readsWide([]byte(test.text), test.width, test.big); got != test.want {
			t.Errorf("%q reads as units of %d (big: %t): %t", test.text, test.width, test.big, got)
		}
	}
	for text, want := range map[string]string{
		"abc": "", "": "", "caf\xe9s, deux": "windows-1252", "\xe9\x01": "", "\xe9\x7f": "", "\xe9\t\r\n\f": "windows-1252", "\xe9\xe9\xe9\xe9": "windows-1251", "\xe9\xe9": "windows-1252",
		"\xc1\xc1\xc1": "koi8-r", "\xe9\xe9\xe9\xc1": "windows-1251", "\xe9\xe9\xc1\xe9\xc1\xc1": "", "\xe0\xe0\xe0": "windows-1251", "\xdf\xdf\xdf": "koi8-r", "\xc0\xc0\xc0": "koi8-r", "\xbf\xbf\xbf": "windows-1252", "\xbf\xbf\xbf\xbf": "",
		"\xc1 \xc1 \xc1 \xc1 ": "", "\xc1 \xc1 \xc1 \xc1     ": "", "\xc1 \xc1 \xc1 \xc1      ": "windows-1252", "\xe9\xe9 \xe9 \xe9 ": "", "\xe9\xe9\xe9 \xe9 ": "", "\xe9\xe9\xe9\xe9 \xe9 ": "windows-1251",
		"\xe9\xe9\xc1\xe9\xe9\xc1": "", "\xe9\xe9\xc1\xe9\xe9\xc1\xe9": "windows-1251", "\xc1\xc1\xe9\xc1\xc1\xe9": "", "\xc1\xc1\xe9\xc1\xc1\xe9\xc1": "koi8-r",
	} {
		if got := guessSingle([]byte(text)); got != want {
			t.Errorf("%q is guessed as %q, want %q", text, got, want)
		}
	}
	letters := signature{magic: "OggS"}
	for head, want := range map[string]bool{"OggS is text": false, "OggS\x00": true, "OggS\xff": true, "OggS \xe4\xb8": false, "OggS \xf0\x9f\x99": false, "OggS \xf0\x9f\x99 x": true, "OggS é": false, "OggS \xc3": false, "\xc3": true} {
		if got := letters.binary([]byte(head)); got != want {
			t.Errorf("%q is binary: %t", head, got)
		}
	}
}

// TestHeaderBorders: each number of a header is right up to its border, and not beyond.
func TestHeaderBorders(t *testing.T) {
	good := Header{TokenBytes: 2, Tokens: 9, Documents: 3, VocabSize: 300, EndOfText: 299, BeginOfText: []int32{0, 299}}
	if err := good.validate(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(h *Header)
		fine   bool
	}{
		"1 byte a token":       {func(h *Header) { h.TokenBytes = 1 }, false},
		"3 bytes a token":      {func(h *Header) { h.TokenBytes = 3 }, false},
		"4 bytes a token":      {func(h *Header) { h.TokenBytes = 4 }, true},
		"no tokens":            {func(h *Header) { h.Tokens, h.Documents = 0, 0 }, true},
		"-1 tokens":            {func(h *Header) { h.Tokens, h.Documents = -1, -1 }, false},
		"most tokens":          {func(h *Header) { h.Tokens = 1<<32 - 1 }, true},
		"too many tokens":      {func(h *Header) { h.Tokens = 1 << 32 }, false},
		"a document a token":   {func(h *Header) { h.Documents = 9 }, true},
		"more documents":       {func(h *Header) { h.Documents = 10 }, false},
		"-1 documents":         {func(h *Header) { h.Documents = -1 }, false},
		"a vocabulary of 1":    {func(h *Header) { h.VocabSize, h.EndOfText, h.BeginOfText = 1, 0, nil }, true},
		"no vocabulary":        {func(h *Header) { h.VocabSize, h.EndOfText, h.BeginOfText = 0, 0, nil }, false},
		"65,536 in 2 bytes":    {func(h *Header) { h.VocabSize = 1 << 16 }, true},
		"65,537 in 2 bytes":    {func(h *Header) { h.VocabSize = 1<<16 + 1 }, false},
		"65,537 in 4 bytes":    {func(h *Header) { h.VocabSize, h.TokenBytes = 1<<16+1, 4 }, true},
		"2^31 in 4 bytes":      {func(h *Header) { h.VocabSize, h.TokenBytes = 1<<31, 4 }, true},
		"2^31+1 in 4 bytes":    {func(h *Header) { h.VocabSize, h.TokenBytes = 1<<31+1, 4 }, false},
		"an end outside":       {func(h *Header) { h.EndOfText = 300 }, false},
		"an end of -1":         {func(h *Header) { h.EndOfText = -1 }, false},
		"an end of 0":          {func(h *Header) { h.EndOfText = 0 }, true},
		"a beginning outside":  {func(h *Header) { h.BeginOfText = []int32{0, 300} }, false},
		"a beginning of -1":    {func(h *Header) { h.BeginOfText = []int32{-1} }, false},
		"-1 bytes of text":     {func(h *Header) { h.TextBytes = -1 }, false},
		"shard -1":             {func(h *Header) { h.Index = -1 }, false},
		"4 bytes for a little": {func(h *Header) { h.TokenBytes = 4 }, true},
	} {
		h := good
		if test.change(&h); (h.validate() == nil) != test.fine {
			t.Errorf("%s: %v", name, h.validate())
		}
	}
	for size, want := range map[int]int{1: 2, 1 << 16: 2, 1<<16 + 1: 4} {
		if got := tokenBytes(size); got != want {
			t.Errorf("a token of %d takes %d bytes, want %d", size, got, want)
		}
	}
}

// TestSourcesOfTokensAndText counts the tokens of the sources that have some, wherever they stand, and names the source of
// each sample and the shares of all.
func TestSourcesOfTokensAndText(t *testing.T) {
	enc := byteEncoder{}
	bin := func(name string, documents ...string) string {
		return writeFile(t, filepath.Join(t.TempDir(), name), nanoGPT(tokensOf(newSet(t, enc, 1<<20, documents...))))
	}
	text := writeFile(t, filepath.Join(t.TempDir(), "text.txt"), prose(3000))
	first, held, last := bin("first.bin", "abc", "de"), bin("held.bin", "x"), bin("last.bin", "four")
	cfg := Config{Sources: []SourceConfig{
		{Paths: []string{text}, Weight: ptr(1.0), Validation: ptr(0.1)}, {Paths: []string{first}, ValidationPaths: []string{held}, Weight: ptr(2.0), Format: FormatBin},
		{Paths: []string{text + "x"}, Weight: ptr(5.0)}, {Paths: []string{last}, Weight: ptr(2.0), Format: FormatBin},
	}}
	writeFile(t, text+"x", prose(2000))
	c, err := OpenCorpus(cfg)
	if err != nil {
		t.Fatal(err)
	}
	type count struct {
		source int
		side   Split
		tokens int64
	}
	var got []count
	if err := c.Tokens(enc, func(source int, side Split, tokens int64) { got = append(got, count{source, side, tokens}) }); err != nil {
		t.Fatal(err)
	}
	if want := []count{{1, Train, 7}, {1, Validation, 2}, {3, Train, 5}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if shares, want := cfg.Shares(), []Share{{"text", 0.1}, {"first", 0.2}, {"text-2", 0.5}, {"last", 0.2}}; !slices.Equal(shares, want) {
		t.Errorf("shares %v, want %v", shares, want)
	}
	for i := range cfg.Sources {
		cfg.Sources[i].Weight = nil
	}
	if shares, want := cfg.Shares(), []Share{{"text", 0}, {"first", 0}, {"text-2", 0}, {"last", 0}}; !slices.Equal(shares, want) {
		t.Errorf("shares without weights %v, want %v", shares, want)
	}
	if shares := (Config{Paths: []string{text}}).Shares(); shares != nil {
		t.Errorf("shares without sources: %v", shares)
	}
	m := mixed(t, LoaderConfig{Sequences: Sequences{Rows: Rows{Batch: 1}, Context: 8}, Seed: 1}, []int{20, 30}, 1, 3)
	counts := map[string]int{}
	for sample := range uint64(400) {
		source, _ := m.at(sample)
		if name := m.SourceOf(sample); name != []string{"s0", "s1"}[source] {
			t.Fatalf("sample %d is of %s", sample, name)
		}
		counts[m.SourceOf(sample)]++
	}
	if counts["s0"] < 98 || counts["s0"] > 102 {
		t.Errorf("%v", counts)
	}
}
