package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/transform"
)

// A charset is how bytes are read as text that is not UTF-8: units of 2 or 4 bytes, else a table.
type charset struct {
	width int
	order binary.ByteOrder
	table encoding.Encoding
}

// charsets are the values of data.encoding, as iconv calls them in lower case.
var charsets = map[string]charset{
	"utf-8": {width: 1}, "utf-16le": {2, binary.LittleEndian, nil}, "utf-16be": {2, binary.BigEndian, nil},
	"utf-32le": {4, binary.LittleEndian, nil}, "utf-32be": {4, binary.BigEndian, nil},
	"gbk": {table: simplifiedchinese.GBK}, "gb18030": {table: simplifiedchinese.GB18030}, "big5": {table: traditionalchinese.Big5},
	"shift_jis": {table: japanese.ShiftJIS}, "euc-jp": {table: japanese.EUCJP}, "euc-kr": {table: korean.EUCKR},
	"iso-8859-1": {table: charmap.ISO8859_1}, "iso-8859-2": {table: charmap.ISO8859_2}, "iso-8859-5": {table: charmap.ISO8859_5},
	"iso-8859-7": {table: charmap.ISO8859_7}, "iso-8859-9": {table: charmap.ISO8859_9}, "iso-8859-15": {table: charmap.ISO8859_15},
	"windows-1250": {table: charmap.Windows1250}, "windows-1251": {table: charmap.Windows1251}, "windows-1252": {table: charmap.Windows1252},
	"windows-1253": {table: charmap.Windows1253}, "windows-1254": {table: charmap.Windows1254}, "windows-1255": {table: charmap.Windows1255},
	"windows-1256": {table: charmap.Windows1256}, "windows-1257": {table: charmap.Windows1257}, "windows-1258": {table: charmap.Windows1258},
	"windows-874": {table: charmap.Windows874}, "koi8-r": {table: charmap.KOI8R}, "koi8-u": {table: charmap.KOI8U},
	"ibm866": {table: charmap.CodePage866}, "macintosh": {table: charmap.Macintosh},
}

// otherNames are further names of charsets.
var otherNames = map[string]string{
	"": "utf-8", "utf8": "utf-8", "ascii": "utf-8", "us-ascii": "utf-8", "utf-16": "utf-16le", "utf16": "utf-16le", "utf-32": "utf-32le", "utf32": "utf-32le",
	"gb2312": "gbk", "cp936": "gbk", "euc-cn": "gbk", "cp950": "big5", "sjis": "shift_jis", "shift-jis": "shift_jis", "cp932": "shift_jis",
	"windows-31j": "shift_jis", "eucjp": "euc-jp", "euckr": "euc-kr", "cp949": "euc-kr", "latin1": "iso-8859-1", "latin-1": "iso-8859-1",
	"latin2": "iso-8859-2", "latin9": "iso-8859-15", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp1252": "windows-1252", "cp1253": "windows-1253",
	"cp1254": "windows-1254", "cp1255": "windows-1255", "cp1256": "windows-1256", "cp1257": "windows-1257", "cp1258": "windows-1258", "cp866": "ibm866",
}

// charsetName returns the name of charsets for an encoding of any name.
func charsetName(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if other, ok := otherNames[name]; ok {
		return other
	}
	return name
}

// findCharset returns what an encoding's name says.
func findCharset(name string) (charset, error) {
	name = charsetName(name)
	c, ok := charsets[name]
	if !ok {
		return c, fmt.Errorf("encoding: unknown %q (one of %s)", name, strings.Join(slices.Sorted(maps.Keys(charsets)), ", "))
	}
	return c, nil
}

// reader returns what reads in, from a place of the file on, as UTF-8; how says why it is read so.
func (c charset) reader(in *bufio.Reader, file string, offset int64, how string) io.Reader {
	switch {
	case c.table != nil:
		return &tableReader{in: in, file: file, offset: offset, table: c.table, decoder: c.table.NewDecoder().Transformer, how: how}
	case c.width > 1:
		return &wideReader{in: in, file: file, offset: offset, width: c.width, order: c.order, how: how}
	}
	return &utf8Reader{in: in, file: file, offset: offset}
}

// tableReader turns text in an encoding that x/text has into UTF-8. Its decoders know no state.
type tableReader struct {
	in      *bufio.Reader
	file    string
	offset  int64 // of what comes next
	table   encoding.Encoding
	decoder transform.Transformer
	how     string
	out     [4 << 10]byte
	text    []byte // UTF-8 that waits to be read, part of out
	err     error
}

func (r *tableReader) Read(p []byte) (int, error) {
	for len(r.text) == 0 && r.err == nil {
		r.err = r.fill()
	}
	n := copy(p, r.text)
	if r.text = r.text[n:]; n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, r.err
}

// fill decodes the next part.
func (r *tableReader) fill() error {
	const chunk = 2 << 10
	in, err := r.in.Peek(chunk)
	if len(in) == 0 || err != nil && err != io.EOF {
		return err
	}
	n, used, decodeErr := r.decoder.Transform(r.out[:], in, err == io.EOF)
	text := r.out[:n]
	if bytes.Contains(text, []byte("\ufffd")) || bytes.IndexByte(text, 0) >= 0 {
		if at, n, bad := r.wrong(in[:used]); bad {
			return &EncodingError{File: r.file, Offset: r.offset + int64(at), Fault: fmt.Sprintf("0x%X is no character, in a file that %s", in[at:at+n], r.how), Cure: convert}
		}
	}
	if decodeErr != nil && decodeErr != transform.ErrShortSrc && decodeErr != transform.ErrShortDst || used == 0 {
		return &EncodingError{File: r.file, Offset: r.offset, Fault: "the file ends inside a character, and " + r.how, Cure: convert}
	}
	r.in.Discard(used)
	r.offset += int64(used)
	r.text = text
	return nil
}

// wrong finds the first bytes that stand for no character.
func (r *tableReader) wrong(in []byte) (at, size int, bad bool) {
	replacement, _ := r.table.NewEncoder().Bytes([]byte("\ufffd"))
	decoder := r.table.NewDecoder().Transformer
	for at < len(in) {
		var one [8]byte
		size = 1
		n, used, err := decoder.Transform(one[:], in[at:at+size], false)
		for err == transform.ErrShortSrc && at+size < len(in) && size < 4 {
			size++
			n, used, err = decoder.Transform(one[:], in[at:at+size], false)
		}
		if used == 0 {
			n, used, _ = decoder.Transform(one[:], in[at:at+size], true)
			used = max(used, 1)
		}
		is := string(one[:n])
		if strings.ContainsAny(is, "\ufffd\x00") && !(len(replacement) > 0 && bytes.Equal(in[at:at+used], replacement)) {
			return at, used, true
		}
		at += used
	}
	return 0, 0, false
}
