package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// ReadParquet opens a Parquet file for read. parquet-go panics on some damaged files; here that becomes an error.
func ReadParquet(name string, read func(*parquet.File) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("data: %s: damaged Parquet file: %v", name, cause)
		}
	}()
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if err := checkFooter(file, info.Size()); err != nil {
		return fmt.Errorf("data: %s: %w", name, err)
	}
	table, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("data: %s: %w", name, err)
	}
	return read(table)
}

// parquetFile yields the string column named key, "a.b" for a column inside a group, row by row. Memory is that of one
// page. The text of a Document lasts until yield returns.
func parquetFile(name, key string, yield func(Document) bool) error {
	return ReadParquet(name, func(table *parquet.File) error { return textColumn(table, name, key, yield) })
}

func textColumn(table *parquet.File, name, key string, yield func(Document) bool) error {
	column, ok := table.Schema().Lookup(strings.Split(key, ".")...)
	if !ok {
		return settingf("data: %s: no column %q (set text_key to one of %s)", name, key, columnNames(table.Schema()))
	}
	kind := column.Node.Type().Kind()
	if column.MaxRepetitionLevel > 0 || kind != parquet.ByteArray && kind != parquet.FixedLenByteArray {
		return settingf("data: %s: column %q is not one string a row (set text_key to one of %s)", name, key, columnNames(table.Schema()))
	}
	row := 0
	for _, group := range table.RowGroups() {
		more, err := columnPages(group.ColumnChunks()[column.ColumnIndex], func(value parquet.Value) (bool, error) {
			row++
			if value.IsNull() {
				return false, fmt.Errorf("column %q is null", key)
			}
			text := value.ByteArray()
			if at := invalidAt(text); at >= 0 {
				return false, fmt.Errorf("column %q: byte %d is 0x%02X, which is not UTF-8 text (%s)", key, at, text[at], convert)
			}
			return len(text) == 0 || yield(Document{File: name, Record: row, Text: text}), nil
		})
		if err != nil {
			return fmt.Errorf("data: %s: row %d: %w", name, row, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// invalidAt returns the first byte that is not UTF-8, -1 if all are.
func invalidAt(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		c, size := utf8.DecodeRune(text[at:])
		if c == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}

// checkFooter refuses a file whose last 8 bytes, the length of the footer and a mark, name more than the file has:
// parquet-go takes as much memory as they say.
func checkFooter(file io.ReaderAt, size int64) error {
	var end [8]byte
	if size < int64(len(end)) {
		return errors.New("too short for a Parquet file")
	}
	head := make([]byte, min(size, headBytes))
	if _, err := file.ReadAt(head, 0); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte(lfsPointer)):
		return errors.New("a pointer of Git LFS in the place of the file (run git lfs pull where it was cloned)")
	case !bytes.HasPrefix(head, []byte("PAR1")):
		return errors.New("no Parquet file: it does not begin with PAR1 (set data.format to what it is: text, jsonl, shards or instruct)")
	}
	if _, err := file.ReadAt(end[:], size-int64(len(end))); err != nil {
		return err
	}
	if footer := int64(binary.LittleEndian.Uint32(end[:])); footer > size-int64(len(end)) {
		return fmt.Errorf("damaged Parquet file: a footer of %d bytes in a file of %d", footer, size)
	}
	return nil
}

// columnPages calls each with every value of the chunk until it returns false or an error.
func columnPages(chunk parquet.ColumnChunk, each func(parquet.Value) (bool, error)) (more bool, err error) {
	pages := chunk.Pages()
	defer pages.Close()
	values := make([]parquet.Value, 64)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		more, err := pageValues(page.Values(), values, each)
		parquet.Release(page)
		if !more || err != nil {
			return false, err
		}
	}
}

func pageValues(reader parquet.ValueReader, values []parquet.Value, each func(parquet.Value) (bool, error)) (more bool, err error) {
	for {
		n, err := reader.ReadValues(values)
		for _, value := range values[:n] {
			if more, err := each(value); !more || err != nil {
				return false, err
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// columnNames lists the string columns, quoted.
func columnNames(schema *parquet.Schema) string {
	var names []string
	for _, path := range schema.Columns() {
		leaf, ok := schema.Lookup(path...)
		if ok && leaf.MaxRepetitionLevel == 0 && leaf.Node.Type().Kind() == parquet.ByteArray {
			names = append(names, fmt.Sprintf("%q", strings.Join(path, ".")))
		}
	}
	if len(names) == 0 {
		return "none: the file has no string column"
	}
	return strings.Join(names, ", ")
}
