package data

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestHeads recognises each kind of file by how it begins, written here as its format's specification has it.
func TestHeads(t *testing.T) {
	zero := "\x00\x00"
	for _, tt := range []struct {
		head string
		at   int64
		name string
	}{
		{"PAR1", 0, "Parquet"}, {"{\\rtf1", 0, "RTF"}, {"\x89PNG\r\n\x1a\n", 0, "PNG"}, {"\xff\xd8\xff\xe1", 0, "JPEG"}, {"GIF87a", 0, "GIF"}, {"GIF89a", 0, "GIF"},
		{"RIFF", 0, "RIFF"}, {"II*\x00", 0, "TIFF"}, {"MM\x00*", 0, "TIFF"}, {"\x00\x00\x00\x20ftypisom", 4, "MP4"}, {"OggS", 0, "Ogg"}, {"fLaC", 0, "FLAC"},
		{"ID3\x04", 0, "MP3"}, {"\xff\xfb\x90", 0, "MP3"}, {"%PDF-1.7", 0, "PDF"}, {"PK\x03\x04", 0, "ZIP"}, {strings.Repeat("n", 257) + "ustar", 257, "tar"},
		{"BZh91AY", 0, "bzip2"}, {"\xfd7zXZ\x00", 0, "xz"}, {"7z\xbc\xaf\x27\x1c", 0, "7z"}, {"Rar!\x1a\x07", 0, "RAR"}, {"\x04\x22\x4d\x18", 0, "lz4"},
		{"\x1f\x9d", 0, "compress"}, {"]\x00\x00\x80", 0, "lzma"}, {"\xff\x06\x00\x00sNaPpY", 0, "snappy"}, {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "Word"},
		{"ARROW1", 0, "Arrow"}, {"\x89HDF\r\n\x1a\n", 0, "HDF5"}, {"SQLite format 3\x00", 0, "SQLite"}, {"\x93NUMPY", 0, "NumPy"}, {"GGUF\x03", 0, "GGUF"},
		{"\x7fELF", 0, "ELF"}, {"\xcf\xfa\xed\xfe", 0, "Mach-O"}, {"\xca\xfe\xba\xbe", 0, "Java"}, {"\x00asm", 0, "WebAssembly"},
		{"\x80\x02}", 0, "pickle"}, {"\x80\x03}", 0, "pickle"}, {"\x80\x04\x95", 0, "pickle"}, {"\x80\x05\x95", 0, "pickle"},
		{"\x40\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\"", 8, "safetensors"}, {"Obj\x01", 0, "Avro"}, {"ORC", 0, "ORC"}, {"BM", 0, "BMP"},
		{"\x00\x00\x01\x00", 0, "icon"}, {"8BPS", 0, "Photoshop"}, {"\x1aE\xdf\xa3", 0, "Matroska"}, {"wOF2", 0, "font"}, {"wOFF", 0, "font"}, {"OTTO", 0, "font"},
		{"\x00\x01\x00\x00\x00", 0, "font"},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte(tt.head+zero))
		_, err := read(Config{Paths: []string{path}})
		var fault *EncodingError
		if !errors.As(err, &fault) || fault.Offset != tt.at || !strings.Contains(fault.Fault, tt.name) {
			t.Errorf("%q: %v, want %s at byte %d", tt.head, err, tt.name, tt.at)
		}
	}
}

// A line is a record as long as its values are nested as deep as encoding/json reads, not deeper.
func TestDeepestRecord(t *testing.T) {
	for depth, want := range map[int]string{9_999: "text", 10_000: ""} {
		line := `{"text": "a", "deep": ` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
		if got, _ := keyOfRecord([]byte(line), "text", false); got != want {
			t.Errorf("%d lists: key %q, want %q", depth, got, want)
		}
		if err := json.Unmarshal([]byte(line), new(any)); (err == nil) != (want != "") {
			t.Errorf("%d lists: encoding/json says %v", depth, err)
		}
	}
}
