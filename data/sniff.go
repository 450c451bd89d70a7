package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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
	text  bool   // it is text, and yet nothing to learn from
}

// lfsPointer is how the small text begins that Git LFS puts in the place of a file.
const lfsPointer = "version https://git-lfs.github.com/spec/"

var signatures = []signature{
	{0, "PAR1", "a Parquet file", "set data.format to parquet", false},
	{0, shardMagic, "a shard of tokens", "set data.format to shards", false},
	{0, lfsPointer, "a pointer of Git LFS in the place of the file", "run git lfs pull where it was cloned", true},
	{0, "{\\rtf", "an RTF document", "extract its text first", true},
	{0, "\x89PNG\r\n\x1a\n", "a PNG image", "", false},
	{0, "\xff\xd8\xff", "a JPEG image", "", false},
	{0, "GIF87a", "a GIF image", "", false},
	{0, "GIF89a", "a GIF image", "", false},
	{0, "RIFF", "a RIFF file (WebP, WAV or AVI)", "", false},
	{0, "II*\x00", "a TIFF image", "", false},
	{0, "MM\x00*", "a TIFF image", "", false},
	{4, "ftyp", "an MP4 or HEIF file", "", false},
	{0, "OggS", "an Ogg file", "", false},
	{0, "fLaC", "a FLAC file", "", false},
	{0, "ID3", "an MP3 file", "", false},
	{0, "%PDF-", "a PDF document", "extract its text first, for example with pdftotext", false},
	{0, "PK\x03\x04", "a ZIP archive (docx, xlsx, npz and jar are some)", "unpack it first", false},
	{257, "ustar", "a tar archive", "unpack it first", false},
	{0, "BZh", "a file compressed with bzip2", "decompress it first; gzip and zstd are read as they are", false},
	{0, "\xfd7zXZ\x00", "a file compressed with xz", "decompress it first; gzip and zstd are read as they are", false},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first", false},
	{0, "Rar!\x1a\x07", "a RAR archive", "unpack it first", false},
	{0, "\x04\x22\x4d\x18", "a file compressed with lz4", "decompress it first; gzip and zstd are read as they are", false},
	{0, "\x1f\x9d", "a file compressed with compress", "decompress it first; gzip and zstd are read as they are", false},
	{0, "]\x00\x00", "a file compressed with lzma", "decompress it first; gzip and zstd are read as they are", false},
	{0, "\xff\x06\x00\x00sNaPpY", "a file compressed with snappy", "decompress it first; gzip and zstd are read as they are", false},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of Word, Excel or PowerPoint", "extract its text first", false},
	{0, "ARROW1", "an Arrow file", "save it as Parquet and set data.format to parquet", false},
	{0, "\x89HDF\r\n\x1a\n", "an HDF5 file", "", false},
	{0, "SQLite format 3\x00", "an SQLite database", "", false},
	{0, "\x93NUMPY", "a NumPy array", "", false},
	{0, "GGUF", "a GGUF model", "", false},
	{0, "\x7fELF", "an ELF program", "", false},
	{0, "\xcf\xfa\xed\xfe", "a Mach-O program", "", false},
	{0, "\xca\xfe\xba\xbe", "a Java class or Mach-O program", "", false},
	{0, "\x00asm", "a WebAssembly program", "", false},
	{0, "\x80\x02", "a pickle of Python", "", false},
	{0, "\x80\x03", "a pickle of Python", "", false},
	{0, "\x80\x04", "a pickle of Python", "", false},
	{0, "\x80\x05", "a pickle of Python", "", false},
	{8, "{\"__metadata__\"", "tensors of safetensors", "", false},
	{0, "Obj\x01", "an Avro file", "save it as Parquet and set data.format to parquet", false},
	{0, "ORC", "an ORC file", "save it as Parquet and set data.format to parquet", false},
	{0, "BM", "a BMP image", "", false},
	{0, "\x00\x00\x01\x00", "an icon", "", false},
	{0, "8BPS", "a Photoshop image", "", false},
	{0, "\x1aE\xdf\xa3", "a Matroska or WebM file", "", false},
	{0, "\xff\xfb", "an MP3 file", "", false},
	{0, "wOF", "a font", "", false},
	{0, "OTTO", "a font", "", false},
	{0, "\x00\x01\x00\x00\x00", "a font", "", false},
}

// refuseBinary reports a file that is known by its head and is no text.
func refuseBinary(name string, head []byte) error {
	for _, escape := range []string{"\x1b$B", "\x1b$@"} {
		if at := bytes.Index(head, []byte(escape)); at >= 0 {
			return &EncodingError{File: name, Offset: int64(at), Fault: "an escape of ISO-2022-JP", Cure: "convert it to UTF-8, for example with iconv -f ISO-2022-JP -t UTF-8, or leave the file out"}
		}
	}
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

// binary reports whether head holds what text does not: a magic of letters may begin a text.
func (s *signature) binary(head []byte) bool {
	if s.text || bytes.IndexByte(head, 0) >= 0 {
		return true
	}
	for back := 1; back < utf8.UTFMax && back < len(head); back++ {
		if tail := head[len(head)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				head = head[:len(head)-back]
			}
			break
		}
	}
	return !utf8.Valid(head)
}

// recordKeys are those by which a line of JSON is a record of conversations.
var recordKeys = []string{"messages", "conversations", "conversation", "instruction", "prompt", "completion", "chosen"}

// checkJSONLines reports a file that is read as text and holds one JSON object a line, by its name or by the keys of its first
// lines. head is how it begins, and whole says that it is all.
func checkJSONLines(name, key string, head []byte, whole bool) error {
	if named := FormatOf(name) == FormatJSONL; named && bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) {
		return &EncodingError{File: name, Offset: -1, Fault: "its name and its beginning say that it holds a JSON object a line, and data.format is text",
			Cure: "set data.format to jsonl, or to instruct for conversations; to train on the JSON itself give the file another name"}
	}
	found, list, lines := "", false, 0
	for ; lines < 3; lines++ {
		line, rest, ended := bytes.Cut(head, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 && lines > 0 {
			break
		}
		is, isList := keyOfRecord(line, key, !ended && !whole)
		if is == "" {
			return nil
		}
		found, list = is, isList
		if head = rest; !ended {
			lines++
			break
		}
	}
	if found == "" || found != key && !list && lines < 2 {
		return nil
	}
	cure := "set data.format to jsonl; to train on the JSON itself set data.text_key to a key that it does not have"
	if found != key {
		cure = "set data.format to instruct to train on conversations; to train on the JSON itself write it over several lines"
	}
	return &EncodingError{File: name, Offset: -1, Fault: fmt.Sprintf("its lines are JSON objects with the key %q, and data.format is text", found), Cure: cure}
}

// keyOfRecord returns the key that makes a line a record: the key of the text, with a string, or one of recordKeys; "" for none;
// list says that its value is one. cut says that the line goes on.
func keyOfRecord(line []byte, key string, cut bool) (found string, list bool) {
	s := &jsonScanner{in: bytes.Clone(line)}
	err := s.object(func(name []byte) error {
		if is := string(name); is == key && s.peek() == '"' || slices.Contains(recordKeys, is) {
			if found == "" || is == key {
				found, list = is, s.peek() == '['
			}
		}
		return s.skip(1)
	})
	switch {
	case err == nil && s.peek() == 0:
	case err != nil && cut && s.at >= len(s.in):
	default:
		return "", false
	}
	return found, list
}

// checkHead opens a file of format text or jsonl and reports what its beginning shows not to be so.
func checkHead(name string, format Format, key, encoding string) error {
	if err := refuseTable(name); err != nil {
		return err
	}
	s, err := openText(name, encoding)
	if err != nil {
		return err
	}
	defer s.Close()
	head := make([]byte, guessBytes)
	n, err := io.ReadFull(s, head)
	var coded *EncodingError
	switch head = head[:n]; {
	case errors.As(err, &coded) && format == FormatJSONL:
		return nil // reading tells the line too
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	}
	if format == FormatText {
		err = checkJSONLines(name, key, head, err != nil)
	} else {
		err = checkRecords(name, key, head)
	}
	if err != nil {
		return &SettingError{err} // of data.format, as a rule
	}
	return nil
}

// checkRecords reports a file that is read as JSON Lines and begins otherwise.
func checkRecords(name, key string, head []byte) error {
	first := bytes.TrimLeft(head, " \t\r\n")
	at := int64(len(head) - len(first))
	line, rest, ended := bytes.Cut(first, []byte("\n"))
	switch {
	case len(first) == 0:
	case first[0] == '[':
		return &EncodingError{File: name, Offset: at, Fault: "a JSON array, not a JSON object a line",
			Cure: "write one object a line, for example with jq -c '.[]'; conversations are read as they are with data.format: instruct"}
	case first[0] != '{':
		return &EncodingError{File: name, Offset: at, Fault: fmt.Sprintf("%q begins no JSON object, and data.format is jsonl", beginning(first)),
			Cure: "set data.format to text if it is text, or write a JSON object on each line"}
	case ended && len(bytes.TrimSpace(rest)) > 0 && openObject(line):
		return &EncodingError{File: name, Offset: at, Fault: "a JSON object over several lines, not one on each line", Cure: "write it so, for example with jq -c ."}
	}
	if found, _ := keyOfRecord(line, key, false); found != key && found != "" {
		return &EncodingError{File: name, Offset: at, Fault: fmt.Sprintf("its records have the key %q, not %q", found, key),
			Cure: "set data.format to instruct for conversations, or data.text_key to the key of the text"}
	}
	missing := missingKey("")
	if _, err := stringField(bytes.Clone(line), key); errors.As(err, &missing) {
		number := 1 + bytes.Count(head[:at], []byte("\n"))
		return fmt.Errorf("data: %s:%d: %w", name, number, missing) // no record is likely to have it
	}
	return nil
}

// openObject says whether a line is the beginning of a JSON object that goes on behind it.
func openObject(line []byte) bool {
	s := &jsonScanner{in: bytes.Clone(line)}
	err := s.object(func([]byte) error { return s.skip(1) })
	return err != nil && len(bytes.TrimSpace(s.in[min(s.at, len(s.in)):])) == 0
}

func beginning(text []byte) string {
	const most = 20
	runes := []rune(string(text[:min(len(text), 4*most)]))
	return string(runes[:min(len(runes), most)])
}
