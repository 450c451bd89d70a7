package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// headBytes is how much of the beginning of a file tells what it is.
const headBytes = 4 << 10

// A signature is what a kind of file that is no text has at a place near its beginning.
type signature struct {
	at    int
	magic string
	name  string
	cure  string // "" for leaving the file out
}

// lfsPointer is how the small text begins that Git LFS puts in the place of a file.
const lfsPointer = "version https://git-lfs.github.com/spec/"

var signatures = []signature{
	{0, "PAR1", "a Parquet file", "set data.format to parquet"},
	{0, shardMagic, "a shard of tokens", "set data.format to shards"},
	{0, lfsPointer, "a pointer of Git LFS in the place of the file", "run git lfs pull where it was cloned"},
	{0, "\x89PNG\r\n\x1a\n", "a PNG image", ""},
	{0, "\xff\xd8\xff", "a JPEG image", ""},
	{0, "GIF87a", "a GIF image", ""},
	{0, "GIF89a", "a GIF image", ""},
	{0, "RIFF", "a RIFF file (WebP, WAV or AVI)", ""},
	{0, "II*\x00", "a TIFF image", ""},
	{0, "MM\x00*", "a TIFF image", ""},
	{4, "ftyp", "an MP4 or HEIF file", ""},
	{0, "OggS", "an Ogg file", ""},
	{0, "fLaC", "a FLAC file", ""},
	{0, "ID3", "an MP3 file", ""},
	{0, "%PDF-", "a PDF document", "extract its text first, for example with pdftotext"},
	{0, "PK\x03\x04", "a ZIP archive (docx, xlsx, npz and jar are some)", "unpack it first"},
	{257, "ustar", "a tar archive", "unpack it first"},
	{0, "BZh", "a file compressed with bzip2", "decompress it first; gzip and zstd are read as they are"},
	{0, "\xfd7zXZ\x00", "a file compressed with xz", "decompress it first; gzip and zstd are read as they are"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
	{0, "Rar!\x1a\x07", "a RAR archive", "unpack it first"},
	{0, "\x04\x22\x4d\x18", "a file compressed with lz4", "decompress it first; gzip and zstd are read as they are"},
	{0, "ARROW1", "an Arrow file", "save it as Parquet and set data.format to parquet"},
	{0, "\x89HDF\r\n\x1a\n", "an HDF5 file", ""},
	{0, "SQLite format 3\x00", "an SQLite database", ""},
	{0, "\x93NUMPY", "a NumPy array", ""},
	{0, "GGUF", "a GGUF model", ""},
	{0, "\x7fELF", "an ELF program", ""},
	{0, "\xcf\xfa\xed\xfe", "a Mach-O program", ""},
	{0, "\xca\xfe\xba\xbe", "a Java class or Mach-O program", ""},
	{0, "\x00asm", "a WebAssembly program", ""},
}

// refuseBinary reports a file that is known by its head and is no text.
func refuseBinary(name string, head []byte) error {
	for i := range signatures {
		s := &signatures[i]
		if len(head) < s.at || !bytes.HasPrefix(head[s.at:], []byte(s.magic)) || !s.binary(head) {
			continue
		}
		cure := s.cure
		if cure == "" {
			cure = "leave it out: name the files that are text, for example dir/**/*.txt"
		}
		return &EncodingError{File: name, Offset: int64(s.at), Fault: s.name + ", no text", Cure: cure}
	}
	return nil
}

// binary reports whether head holds what text does not: a magic of letters may begin a text. A pointer of Git LFS is text.
func (s *signature) binary(head []byte) bool {
	if s.magic == lfsPointer || bytes.IndexByte(head, 0) >= 0 {
		return true
	}
	for back := 1; back < utf8.UTFMax && back < len(head) && !utf8.FullRune(head[len(head)-back:]); back++ {
		if utf8.RuneStart(head[len(head)-back]) {
			head = head[:len(head)-back]
			break
		}
	}
	return !utf8.Valid(head)
}

// checkJSONLines reports a file that is read as text and holds one JSON object a line, by its name or by the key of its
// first lines. head is how it begins.
func checkJSONLines(name, key string, head []byte) error {
	if named := FormatOf(name) == FormatJSONL; named && bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) {
		return &EncodingError{File: name, Offset: -1, Fault: "its name and its beginning say that it holds a JSON object a line, and data.format is text",
			Cure: "set data.format to jsonl, or to instruct for conversations; to train on the JSON itself give the file another name"}
	}
	lines := 0
	for range 3 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole {
			break
		}
		if _, err := stringField(bytes.Clone(line), key); err != nil {
			return nil
		}
		head = rest
		lines++
	}
	if lines < 2 {
		return nil
	}
	return &EncodingError{File: name, Offset: -1, Fault: fmt.Sprintf("its lines are JSON objects with the key %q, and data.format is text", key),
		Cure: "set data.format to jsonl; to train on the JSON itself set data.text_key to a key that it does not have"}
}

// checkHead opens a file of format text or jsonl and reports what its beginning shows not to be so.
func checkHead(name string, format Format, key string) error {
	s, err := openText(name)
	if err != nil {
		return err
	}
	defer s.Close()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(s, head)
	var coded *EncodingError
	switch head = head[:n]; {
	case errors.As(err, &coded) && format == FormatJSONL:
		return nil // reading tells the line too
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	}
	switch first := bytes.TrimLeft(head, " \t\r\n"); {
	case format == FormatText:
		return checkJSONLines(name, key, head)
	case bytes.HasPrefix(first, []byte("[")):
		return &EncodingError{File: name, Offset: int64(len(head) - len(first)), Fault: "a JSON array, not a JSON object a line",
			Cure: "write one object a line, for example with jq -c '.[]'; conversations are read as they are with data.format: instruct"}
	}
	return nil
}

// RefuseTable reports a file whose name says that it is a table, which no format reads.
func RefuseTable(name string) error {
	base := strings.ToLower(name)
	for _, compressed := range []string{".gz", ".zst"} {
		base = strings.TrimSuffix(base, compressed)
	}
	kind := map[string]string{".csv": "comma-separated", ".tsv": "tab-separated", ".tab": "tab-separated"}[filepath.Ext(base)]
	if kind == "" {
		return nil
	}
	return &EncodingError{File: name, Offset: -1, Fault: "its name says that it is a table of " + kind + " values, which are not read",
		Cure: "write it as JSON Lines, for example with mlr --icsv --ojsonl cat, or as Parquet; to train on its text as it is give it another name"}
}
