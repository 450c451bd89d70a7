package data

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// wide writes text in UTF-16 or UTF-32 with its mark.
func wide(text string, width int, order binary.AppendByteOrder) string {
	units := []uint32{0xFEFF}
	if width == 2 {
		for _, u := range utf16.Encode([]rune(text)) {
			units = append(units, uint32(u))
		}
	} else {
		for _, r := range text {
			units = append(units, uint32(r))
		}
	}
	var out []byte
	for _, u := range units {
		if width == 2 {
			out = order.AppendUint16(out, uint16(u))
		} else {
			out = order.AppendUint32(out, u)
		}
	}
	return string(out)
}

// Text is read as its mark says, whatever the format, and the mark is no part of it.
func TestMarkedText(t *testing.T) {
	text := strings.Repeat("Ünïcode 汉字 😀 and so on\n", 2000)
	for name, content := range map[string]string{
		"utf-8":     text,
		"utf-8 bom": "\ufeff" + text,
		"utf-16le":  wide(text, 2, binary.LittleEndian),
		"utf-16be":  wide(text, 2, binary.BigEndian),
		"utf-32le":  wide(text, 4, binary.LittleEndian),
		"utf-32be":  wide(text, 4, binary.BigEndian),
		"gzip":      string(gzipped(t, []byte(wide(text, 2, binary.LittleEndian)))),
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte(content))
		if got, err := read(Config{Paths: []string{path}}); err != nil || strings.Join(got[Train], "") != text {
			t.Errorf("%s: %d texts of the file's one, %v", name, len(got[Train]), err)
		}
	}
	line := wide("{\"text\": \"汉字\"}\r\n{\"text\": \"zwei\"}\r\n", 2, binary.LittleEndian)
	path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), []byte(line))
	if got, err := read(Config{Paths: []string{path}, Format: FormatJSONL}); err != nil || !slices.Equal(got[Train], []string{"汉字", "zwei"}) {
		t.Errorf("JSON Lines in UTF-16: %q, %v", got[Train], err)
	}
}

// What is no text is refused with the file and the byte.
func TestNoText(t *testing.T) {
	long := strings.Repeat("word ", 20000)
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	for _, tt := range []struct {
		name, content string
		offset        int64
		want          string
	}{
		{"latin1.txt", "na\xefve", 2, "0xEF is not UTF-8"},
		{"gbk.txt", long + "\xba\xba\xd7\xd6", 100000, "0xBA is not UTF-8"},
		{"cut.txt", long + "\xe6\xb1", 100000, "0xE6 is not UTF-8"},
		{"overlong.txt", "a\xc0\xafb", 1, "0xC0 is not UTF-8"},
		{"surrogate.txt", "ab\xed\xa0\x80", 2, "0xED is not UTF-8"},
		{"utf16-without-mark.txt", "h\x00i\x00", 1, "a zero byte"},
		{"utf16-odd.txt", "\xff\xfea\x00b", 4, "the file ends inside a character, in a file that its mark says is UTF-16"},
		{"utf16-half.txt", "\xff\xfe\x00\xd8a\x00", 2, "half of a surrogate pair"},
		{"a.png", png, 0, "a PNG image, no text"},
		{"photo.txt", "\xff\xd8\xff\xe0\x00\x10JFIF", 0, "a JPEG image"},
		{"a.docx", "PK\x03\x04\x14\x00", 0, "a ZIP archive"},
		{"a.tar", "name" + strings.Repeat("\x00", 253) + "ustar\x00", 257, "a tar archive"},
		{"table.txt", "PAR1\x15\x04\x15\x80", 0, "set data.format to parquet"},
		{"a.rtf", "{\\rtf1\\ansi Hello}", 0, "an RTF document"},
		{"a.doc", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", 0, "a document of Word"},
		{"iso-2022-jp.txt", "ab \x1b$B%F%9%H\x1b(B", 3, "an escape of ISO-2022-JP"},
		{"a.pkl", "\x80\x04\x95\x00", 0, "a pickle of Python"},
		{"a.safetensors", "\x40\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\":{}}", 8, "tensors of safetensors"},
		{"table.csv", "a,b\n1,2\n", -1, "a table of comma-separated values"},
		{"table.TSV.gz", "a\tb\n1\t2\n", -1, "a table of tab-separated values"},
		{"lfs.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", 0, "run git lfs pull"},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), tt.name), []byte(tt.content))
		_, err := read(Config{Paths: []string{path}})
		var fault *EncodingError
		if !errors.As(err, &fault) || fault.File != path || fault.Offset != tt.offset || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want byte %d, %q", tt.name, err, tt.offset, tt.want)
		}
	}
	for _, word := range []string{"RIFF raff", "GGUF is a format", "ID3 decision trees", "PAR1 for the course", "%PDF- is how", "BZh"} {
		path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte(word))
		if got, err := read(Config{Paths: []string{path}}); err != nil || len(got[Train]) != 1 {
			t.Errorf("text that begins as a binary file: %v", err)
		}
	}
}

func TestOtherFormat(t *testing.T) {
	dir := t.TempDir()
	lines := "{\"text\": \"one\"}\n{\"text\": \"two\"}\n"
	for _, tt := range []struct {
		name, content string
		format        Format
		want          string
	}{
		{"a.jsonl", lines, FormatText, "set data.format to jsonl"},
		{"a.jsonl.gz", string(gzipped(t, []byte(lines))), FormatText, "set data.format to jsonl"},
		{"a.txt", lines, FormatText, `its lines are JSON objects with the key "text"`},
		{"a.json", "[\n{\"text\": \"one\"}]", FormatJSONL, "byte 0: a JSON array, not a JSON object a line"},
		{"one.txt", "{\"id\": 7, \"text\": \"one\"}", FormatText, `its lines are JSON objects with the key "text"`},
		{"long.txt", "{\"id\": 7, \"text\": \"" + strings.Repeat("long ", 100_000) + "\"}\n", FormatText, `its lines are JSON objects with the key "text"`},
		{"chat.txt", "{\"messages\": [{\"role\": \"user\"}]}", FormatText, "set data.format to instruct"},
		{"pairs.txt", "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"c\", \"completion\": \"d\"}\n", FormatText, "set data.format to instruct"},
		{"prose.txt", "\n The Rays of Light are very small Bodies.\n", FormatJSONL, `byte 2: "The Rays of Light ar" begins no JSON object`},
		{"pretty.json", "{\n  \"text\": \"one\"\n}\n", FormatJSONL, "a JSON object over several lines"},
		{"chat.jsonl", "{\"messages\": [], \"id\": 1}\n", FormatJSONL, `its records have the key "messages", not "text"`},
		{"b.parquet", lines, FormatParquet, "does not begin with PAR1"},
		{"c.jsonl", "{\"text\": \"one\"}\n{\"text\": \"na\xefve\"}\n", FormatJSONL, "c.jsonl:2: byte 28: 0xEF is not UTF-8"},
	} {
		_, err := read(Config{Paths: []string{writeFile(t, filepath.Join(dir, tt.name), []byte(tt.content))}, Format: tt.format})
		wantError(t, err, tt.name, tt.want)
	}
	for name, content := range map[string]string{"d.txt": "{\"text\": \"one\"}\nand prose\n", "e.txt": "{\"n\": 1}\n{\"n\": 2}\n", "f.jsonl": "no JSON at all",
		"g.json": "{\"messages\": {\"hello\": \"Hallo\"}}", "h.json": "{\n  \"text\": \"one\"\n}\n", "i.json": "{\"prompt\": \"yes\"}", "j.go": "{ text }\n{ text }\n"} {
		if _, err := read(Config{Paths: []string{writeFile(t, filepath.Join(dir, name), []byte(content))}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A binary file is found before any text is read.
func TestBinaryUnderAPattern(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.txt"), []byte("text"))
	writeFile(t, filepath.Join(dir, "b.png"), []byte("\x89PNG\r\n\x1a\n\x00"))
	c, err := OpenCorpus(Config{Paths: []string{dir + "/**"}})
	if err != nil {
		t.Fatal(err)
	}
	for d, err := range c.Documents() {
		wantError(t, err, "b.png", "a PNG image", "leave it out")
		if d.Text != nil {
			t.Errorf("text of %s", d.File)
		}
	}
}
