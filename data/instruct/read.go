package instruct

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"example.com/gotrain/data"
	"example.com/gotrain/data/chat"
)

// Read streams the conversations of files in order, texts in an encoding as in data.Config: JSON Lines, a JSON array of records,
// both possibly compressed with gzip or zstd, or Parquet, told apart by content, or tables of comma- or tab-separated values,
// told by their names. README.md lists the shapes of records and all keys that are known.
//
// A record is told by its keys, or is a list: of messages, or of [user, assistant]. The chat template sees messages of role
// and content with all their keys (tool_calls, tool_call_id, name, reasoning_content, …), and tools, documents and what
// chat_template_kwargs holds beside them. Keys that would change what is learnt in a way that is not done are refused by
// name; those that nobody knows are in Conversation.Unread.
//
// It ends with the first error, which names file and line.
func Read(paths []string, encoding string) iter.Seq2[chat.Conversation, error] {
	return func(yield func(chat.Conversation, error) bool) {
		for record, err := range Records(paths, encoding) {
			var all []chat.Conversation
			if err == nil {
				all, err = record.Conversations()
			}
			if err != nil {
				yield(chat.Conversation{}, err)
				return
			}
			for _, c := range all {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// Record is a record of a file.
type Record struct {
	Source string // where it stands, "file.jsonl:12"
	JSON   []byte // valid until the next record is read
}

// Conversations returns those of the record. The error names its place.
func (r Record) Conversations() ([]chat.Conversation, error) {
	all, err := parseRecord(r.JSON)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Source, err)
	}
	for i := range all {
		all[i].Source = r.Source
	}
	return all, nil
}

// Check reports what is wrong with the record's JSON, whatever its keys.
func (r Record) Check() error {
	if err := checkJSON(r.JSON); err != nil {
		return fmt.Errorf("%s: %w", r.Source, err)
	}
	return nil
}

// Records streams the records of files in order, as Read does, whatever they hold: a record of a table or of Parquet is an
// object that has the columns as keys.
func Records(paths []string, encoding string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, path := range paths {
			stopped := false
			err := readFile(path, encoding, func(source string, record []byte) (more bool, err error) {
				stopped = !yield(Record{source, record}, nil)
				return !stopped, nil
			})
			if stopped {
				return
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

// A take gets each record of a file with its place, until more is false.
type take func(source string, record []byte) (more bool, err error)

// maxRecord bounds the bytes of one record and so the memory that a broken file can take.
const maxRecord = 64 << 20

func readFile(path, encoding string, yield take) error {
	if parquet, err := isParquet(path); err != nil {
		return err
	} else if parquet {
		return ParquetRows(path, yield)
	}
	if format := data.Tabular(path); format != "" {
		return readTable(path, format, encoding, yield)
	}
	stream, err := data.OpenText(path, encoding)
	if err != nil {
		return err
	}
	defer stream.Close()
	return readJSON(path, stream, yield)
}

// readJSON reads JSON Lines or an array of records.
func readJSON(path string, text io.Reader, yield take) error {
	r := &recordReader{in: bufio.NewReaderSize(text, headBytes), path: path, line: 1}
	array, err := r.isArray()
	switch {
	case err != nil:
		return r.fault(err)
	case array:
		return r.readArray(yield)
	}
	return r.readLines(yield)
}

func isParquet(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("instruct: %w", err)
	}
	defer file.Close()
	var head [4]byte
	_, err = io.ReadFull(file, head[:])
	return err == nil && string(head[:]) == "PAR1", nil
}

// headBytes is how much of the beginning of a file tells whether it is one array or has a record on each line.
const headBytes = 64 << 10

// recordReader cuts a file into records.
type recordReader struct {
	in     *bufio.Reader
	path   string
	line   int // of what comes next, from 1
	buffer []byte
	length int  // of the record
	count  bool // only the length is wanted
}

// place names a line in errors.
func (r *recordReader) place(line int) string { return fmt.Sprintf("%s:%d", r.path, line) }

// fault adds the line to an error.
func (r *recordReader) fault(err error) error {
	var coded *data.EncodingError
	if !errors.As(err, &coded) {
		return fmt.Errorf("%s: %w", r.place(r.line), err)
	}
	coded.File = r.place(r.line)
	return coded
}

// skipSpace returns the first byte that is not white space, without consuming it; 0 at the end of the file.
func (r *recordReader) skipSpace() (byte, error) {
	for {
		c, err := r.in.ReadByte()
		switch {
		case err == io.EOF:
			return 0, nil
		case err != nil:
			return 0, err
		case c == '\n':
			r.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, r.in.UnreadByte()
		}
	}
}

// isArray says whether the file is one array of records, not a record on each line: an array of objects that are no messages,
// or of lists. A list of messages is a record, and so is one of texts. A list of lists of texts is a conversation where the
// file's name or a second line says that it has one on each line, else several.
func (r *recordReader) isArray() (bool, error) {
	first, err := r.skipSpace()
	if err != nil || first != '[' {
		return false, err
	}
	head, _ := r.in.Peek(headBytes) // reading tells of errors, with the line
	element := bytes.TrimLeft(head[1:], " \t\r")
	switch {
	case len(element) == 0 || element[0] == '\n':
		return true, nil
	case element[0] == '"':
		return false, nil
	case element[0] == '{':
		keys := keysSeen(element)
		return !slices.Contains(keys, "role") && !slices.Contains(keys, "from"), nil
	case element[0] == '[' && bytes.HasPrefix(bytes.TrimLeft(element[1:], " \t\r\n"), []byte{'"'}):
		line, more, whole := bytes.Cut(head, []byte{'\n'})
		lines := data.FormatOf(r.path) == data.FormatJSONL || whole && json.Valid(line) && len(bytes.TrimSpace(more)) > 0
		return !lines, nil
	}
	return true, nil
}

// keysSeen returns the keys of the object that text begins with, as far as it goes.
func keysSeen(text []byte) (keys []string) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	depth, key := 0, true
	for {
		token, err := decoder.Token()
		if err != nil {
			return keys
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			continue
		case json.Delim('}'), json.Delim(']'):
			if depth--; depth == 0 {
				return keys
			}
		}
		if depth != 1 {
			continue
		}
		if name, ok := token.(string); ok && key {
			keys = append(keys, name)
			key = false
			continue
		}
		key = true
	}
}

var errLongRecord = fmt.Errorf("a record longer than %d MiB, the most that is read at once (is the file JSON Lines, one object a line, or an array of them?)", maxRecord>>20)

// begin begins a record.
func (r *recordReader) begin() { r.buffer, r.length = r.buffer[:0], 0 }

// add appends to the record that is read.
func (r *recordReader) add(part []byte) error {
	if r.length += len(part); r.length > maxRecord {
		return errLongRecord
	}
	if r.count {
		return nil
	}
	if len(r.buffer)+len(part) > cap(r.buffer) {
		r.buffer = slices.Grow(r.buffer, max(len(r.buffer), len(part))) // by doubling: append's smaller steps leave more behind
	}
	r.buffer = append(r.buffer, part...)
	return nil
}

// readLines reads a record from each line.
func (r *recordReader) readLines(yield take) error {
	for {
		r.begin()
		last, err := r.readLine()
		if err != nil {
			return r.fault(err)
		}
		if line := bytes.TrimSpace(r.buffer); len(line) > 0 {
			if more, err := yield(r.place(r.line), line); !more || err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		r.line++
	}
}

// readLine adds the next line. last says that the file ends with it.
func (r *recordReader) readLine() (last bool, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		if addErr := r.add(part); addErr != nil {
			return false, addErr
		}
		if err != bufio.ErrBufferFull {
			if err == io.EOF {
				return true, nil
			}
			return false, err
		}
	}
}

// readArray reads the records of an array, behind which nothing may stand.
func (r *recordReader) readArray(yield take) error {
	if _, err := r.in.Discard(1); err != nil {
		return r.fault(err)
	}
	for first := true; ; first = false {
		c, err := r.skipSpace()
		if err != nil {
			return r.fault(err)
		}
		switch {
		case c == ']' && first:
		case c == 0:
			return r.fault(errors.New("the file ends in the middle of the array (is it whole?)"))
		default:
			line := r.line
			r.begin()
			end, err := r.readElement()
			if err != nil {
				return r.fault(err)
			}
			record := bytes.TrimSpace(r.buffer)
			if len(record) == 0 {
				return r.fault(errors.New("nothing stands before a comma or behind the last one (take the comma out)"))
			}
			if more, err := yield(r.place(line), record); !more || err != nil {
				return err
			}
			if end == ',' {
				continue
			}
			return r.checkEnd()
		}
		r.in.Discard(1)
		return r.checkEnd()
	}
}

// checkEnd reports what stands behind the array.
func (r *recordReader) checkEnd() error {
	c, err := r.skipSpace()
	if err == nil && c != 0 {
		err = fmt.Errorf("%q stands behind the end of the array (write all records into one array, or one on each line)", c)
	}
	if err != nil {
		return r.fault(err)
	}
	return nil
}

// readElement adds an element of an array and consumes the comma or the bracket behind it, which it returns.
func (r *recordReader) readElement() (end byte, err error) {
	depth, quoted, escaped := 0, false, false
	for {
		_, err := r.in.Peek(1)
		if err == io.EOF {
			return 0, errors.New("the file ends in the middle of the array (is it whole?)")
		}
		if err != nil {
			return 0, err
		}
		chunk, _ := r.in.Peek(r.in.Buffered())
		for i, c := range chunk {
			switch {
			case c == '\n':
				r.line++
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{' || c == '[':
				depth++
			case depth == 0 && (c == ',' || c == ']'):
				if err := r.add(chunk[:i]); err != nil {
					return 0, err
				}
				r.in.Discard(i + 1)
				return c, nil
			case c == '}' || c == ']':
				depth--
			}
		}
		if err := r.add(chunk); err != nil {
			return 0, err
		}
		r.in.Discard(len(chunk))
	}
}
