package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Texts in the languages of encodings, long enough to be told.
const (
	inChinese  = "汉语,又称中文,是世界上使用人数最多的语言。我们的学校在北京,他不知道这是什么。\n"
	inTaiwan   = "漢語,又稱中文,是世界上使用人數最多的語言。我們的學校在臺北,他不知道這是什麼。\n"
	inJapanese = "日本語は、主に日本で使われている言語です。カタカナとひらがなと漢字で書きます。\n"
	inKorean   = "한국어는 대한민국과 조선민주주의인민공화국의 공용어이다. 우리는 서울에서 한국말을 배운다.\n"
	inFrench   = "Le café est fermé, l'été déjà passé; un garçon naïf a mangé une pêche près de l'église.\n"
	inRussian  = "Русский язык является одним из восточнославянских языков, государственным языком России.\n"
)

// encoded writes a text in an encoding.
func encoded(t testing.TB, name, text string) []byte {
	t.Helper()
	c := charsets[name]
	switch {
	case c.width == 1:
		return []byte(text)
	case c.width > 1:
		return []byte(wide(text, c.width, c.order.(binary.AppendByteOrder)))[c.width:] // without the mark
	}
	out, err := c.table.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(name, err)
	}
	return out
}

// Text is read as data.encoding says; without it the error names the file, the byte and what the text seems to be.
func TestEncodings(t *testing.T) {
	for _, tt := range []struct{ name, text, guess string }{
		{"gbk", inChinese, "gbk"}, {"gb18030", inChinese, "gbk"}, {"big5", inTaiwan, "big5"}, {"shift_jis", inJapanese, "shift_jis"}, {"euc-jp", inJapanese, "euc-jp"},
		{"euc-kr", inKorean, "euc-kr"}, {"windows-1252", inFrench, "windows-1252"}, {"iso-8859-1", inFrench, "windows-1252"}, {"iso-8859-15", inFrench, "windows-1252"},
		{"windows-1251", inRussian, "windows-1251"}, {"koi8-r", inRussian, "koi8-r"}, {"utf-16le", inFrench, "utf-16le"}, {"utf-16be", inRussian + inFrench, "utf-16be"},
		{"utf-16le", inChinese + "a\n\n", "utf-16le"}, {"utf-32le", inJapanese, "utf-32le"}, {"utf-32be", inFrench, "utf-32be"}, {"ibm866", inRussian, ""}, {"macintosh", inFrench, ""},
	} {
		for _, text := range []string{tt.text, strings.Repeat("plain text ", 700) + strings.Repeat(tt.text, 100)} {
			path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), encoded(t, tt.name, text))
			if got, err := read(Config{Paths: []string{path}, Encoding: strings.ToUpper(tt.name)}); err != nil || strings.Join(got[Train], "") != text {
				t.Errorf("%s: %v, %d texts", tt.name, err, len(got[Train]))
			}
			_, err := read(Config{Paths: []string{path}})
			var coded *EncodingError
			if !errors.As(err, &coded) || coded.File != path || coded.Offset < 0 {
				t.Errorf("%s, not told: %v", tt.name, err)
				continue
			}
			if tt.guess != "" && !strings.Contains(coded.Cure, "set data.encoding to "+tt.guess+",") {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		text := strings.Join(strings.Fields(tt.text), " ")
		line := `{"text": "` + text + `"}`
		path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), gzipped(t, encoded(t, tt.name, line+"\n"+line)))
		want := []string{text, text}
		if got, err := read(Config{Paths: []string{path}, Format: FormatJSONL, Encoding: tt.name}); err != nil || !slices.Equal(got[Train], want) {
			t.Errorf("%s as JSON Lines: %q %v", tt.name, got[Train], err)
		}
	}
	for _, name := range []string{"cp1252", "Latin1", "SJIS", "GB2312", "UTF8", "utf-16", " gbk "} {
		if _, err := findCharset(name); err != nil {
			t.Error(err)
		}
	}
	err := (Config{Paths: []string{"a"}, Encoding: "klingon"}).Validate()
	wantError(t, err, `encoding: unknown "klingon"`, "shift_jis")
}

// A mark is stronger than data.encoding, and bytes that are no character are an error at their place.
func TestEncodingFaults(t *testing.T) {
	long := strings.Repeat(inChinese, 200)
	for _, tt := range []struct {
		encoding, content string
		offset            int64
		want              string
	}{
		{"gbk", string(encoded(t, "gbk", long)) + "\xff\xff", int64(len(encoded(t, "gbk", long))), "0xFF is no character, in a file that data.encoding says is GBK"},
		{"shift_jis", "ab\x82", 2, "is no character, in a file that data.encoding says is SHIFT_JIS"},
		{"euc-kr", "ab\xb0 c", 2, "is no character"},
		{"windows-1252", "ab\x00", 2, "0x00 is no character"},
		{"utf-16le", "a\x00b", 2, "the file ends inside a character, in a file that data.encoding says is UTF-16LE"},
		{"utf-8", "ab\xff", 2, "0xFF is not UTF-8"},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte(tt.content))
		_, err := read(Config{Paths: []string{path}, Encoding: tt.encoding})
		var coded *EncodingError
		if !errors.As(err, &coded) || coded.Offset != tt.offset || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want byte %d, %q", tt.encoding, err, tt.offset, tt.want)
		}
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte("\ufeff"+inChinese))
	if got, err := read(Config{Paths: []string{path}, Encoding: "gbk"}); err != nil || strings.Join(got[Train], "") != inChinese {
		t.Errorf("with a mark: %q %v", got[Train], err)
	}
	text := string(encoded(t, "gb18030", "a\ufffdb"))
	path = writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte(text))
	if got, err := read(Config{Paths: []string{path}, Encoding: "gb18030"}); err != nil || strings.Join(got[Train], "") != "a\ufffdb" {
		t.Errorf("a replacement character that is written: %q %v", got[Train], err)
	}
}

// Whatever the bytes are, what is read is UTF-8 without zero bytes, or there is an error in the file; what an encoding can
// write it reads again.
func FuzzOpenText(f *testing.F) {
	names := []string{"utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1252", "koi8-r"}
	for i, name := range names {
		for _, text := range []string{inFrench, inChinese, inRussian} {
			if c := charsets[name]; c.table != nil {
				out, _ := c.table.NewEncoder().Bytes([]byte(text))
				f.Add(out, byte(i))
			} else {
				f.Add(encoded(f, name, text), byte(i))
			}
		}
	}
	for _, seed := range []string{"\xff\xfea\x00", "\xfe\xff\xd8\x00", "\x1b$B%F", "PK\x03\x04\x00", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "P*M\x18\x00\x00\x00\x00", "{\\rtf1"} {
		f.Add([]byte(seed), byte(0))
	}
	f.Fuzz(func(t *testing.T, content []byte, which byte) {
		name := names[int(which)%len(names)]
		path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), content)
		s, err := openText(path, name)
		if err != nil {
			return
		}
		defer s.Close()
		text, err := io.ReadAll(io.LimitReader(s, 1<<20))
		if len(text) < 1<<20 && err == nil && (!utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0) {
			t.Errorf("%q in %s is read as %q", content, name, text)
		}
		var coded *EncodingError
		if errors.As(err, &coded) && !isCompressed(path) && (coded.Offset < 0 || coded.Offset > int64(len(content))) {
			t.Errorf("%q in %s: %v", content, name, err)
		}
		if !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0 || name == "utf-8" {
			return
		}
		if c := charsets[name]; c.table != nil {
			out, err := c.table.NewEncoder().Bytes(content)
			if err != nil {
				return
			}
			again, err := io.ReadAll(c.reader(bufio.NewReaderSize(bytes.NewReader(out), headBytes), "f", 0, "is meant"))
			if want, _ := c.table.NewDecoder().Bytes(out); err == nil && !bytes.Equal(again, want) {
				t.Errorf("%q in %s is read as %q, want %q", content, name, again, want)
			}
		}
	})
}
