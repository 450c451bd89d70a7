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

	"gotrain/data"
	"gotrain/data/chat"
)

// Read streams the conversations of files in order: JSON Lines, a JSON array of objects, both possibly compressed with gzip
// or zstd, or Parquet, told apart by content. Records are told apart by their keys:
//
//	messages                    [{"role": "user", "content": "…"}, …]                      OpenAI
//	conversations               [{"from": "human", "value": "…"}, …]                       ShareGPT
//	instruction, input, output  texts; input goes behind instruction                       Alpaca
//	instruction, context, response                                                         Dolly
//	instruction, instances      [{"input": "…", "output": "…"}, …]                         self-instruct's seeds
//	prompt, completion          texts, or lists of messages                                TRL
//	prompt or question or query, response; question, answer; problem, solution; input, output   texts
//
// A list of messages may stand without an object around it, and as JSON in a string. system or system_prompt beside any of
// them is the system prompt, history of a pair the turns before it. In messages weight 0 and train, training or loss false
// leave an answer out of the loss; so do answers of a prompt that is a list of messages, and empty ones. The chat template
// sees messages of role and content with all their keys (tool_calls, tool_call_id, name, reasoning_content, …), and tools,
// documents and what chat_template_kwargs holds beside them; one that does not read them is refused. Keys that would
// change what is learnt otherwise are refused by name; those that nobody knows are in Conversation.Unread.
//
// It ends with the first error, which names file and line.
func Read(paths []string) iter.Seq2[chat.Conversation, error] {
	return func(yield func(chat.Conversation, error) bool) {
		for _, path := range paths {
			more := true
			err := readFile(path, func(c chat.Conversation) bool {
				more = yield(c, nil)
				return more
			})
			if err != nil {
				yield(chat.Conversation{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// maxRecord bounds the bytes of one record and so the memory that a broken file can take.
const maxRecord = 64 << 20

func readFile(path string, yield func(chat.Conversation) bool) error {
	if parquet, err := isParquet(path); err != nil {
		return err
	} else if parquet {
		return readParquet(path, yield)
	}
	stream, err := data.OpenText(path)
	if err != nil {
		return err
	}
	defer stream.Close()
	reader := bufio.NewReaderSize(stream, 1<<16)
	lines := &lineCounter{reader: reader}
	if first, err := lines.skipSpace(); err == nil && first == '[' {
		return readArray(path, lines, yield)
	}
	return readLines(path, lines, yield)
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

// atLine adds the line to an error about the encoding of a file.
func atLine(err error, source string) error {
	var coded *data.EncodingError
	if !errors.As(err, &coded) {
		return fmt.Errorf("%s: %w", source, err)
	}
	coded.File = source
	return coded
}

// lineCounter knows the line of a place in what it has read.
type lineCounter struct {
	reader *bufio.Reader
	offset int64
	breaks []int64 // offsets of line breaks
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.offset+int64(i))
		}
	}
	l.offset += int64(n)
	return n, err
}

// line returns the line, from 1, that holds offset, and forgets those before it.
func (l *lineCounter) line(offset int64, known *int) int {
	for len(l.breaks) > 0 && l.breaks[0] < offset {
		l.breaks = l.breaks[1:]
		*known++
	}
	return *known + 1
}

// skipSpace returns the first byte that is not white space, without consuming it.
func (l *lineCounter) skipSpace() (byte, error) {
	for {
		c, err := l.reader.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			l.breaks = append(l.breaks, l.offset)
		case ' ', '\t', '\r':
		default:
			return c, l.reader.UnreadByte()
		}
		l.offset++
	}
}

// emit yields the conversations of one record.
func emit(source string, object []byte, yield func(chat.Conversation) bool) (more bool, err error) {
	conversations, err := parseRecord(object)
	if err != nil {
		return false, fmt.Errorf("%s: %w", source, err)
	}
	for _, c := range conversations {
		c.Source = source
		if !yield(c) {
			return false, nil
		}
	}
	return true, nil
}

func readLines(path string, lines *lineCounter, yield func(chat.Conversation) bool) error {
	number := len(lines.breaks)
	var buffer []byte
	for {
		number++
		line, err := appendLine(lines.reader, buffer[:0])
		source := fmt.Sprintf("%s:%d", path, number)
		if err != nil && !errors.Is(err, io.EOF) {
			return atLine(err, source)
		}
		buffer = line
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if more, err := emit(source, line, yield); !more || err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// appendLine appends the next line to dst.
func appendLine(r *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if dst = append(dst, part...); len(dst) > maxRecord {
			return nil, fmt.Errorf("a line longer than %d MiB, the most that is read at once (is the file JSON Lines, one object a line?)", maxRecord>>20)
		}
		if err != bufio.ErrBufferFull {
			return dst, err
		}
	}
}

func readArray(path string, lines *lineCounter, yield func(chat.Conversation) bool) error {
	base := lines.offset
	known := 0
	limited := &io.LimitedReader{R: lines, N: maxRecord}
	decoder := json.NewDecoder(limited)
	fault := func(err error) error {
		if limited.N <= 0 {
			err = fmt.Errorf("a record longer than %d MiB", maxRecord>>20)
		} else if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = errors.New("the file ends in the middle of the array (is it whole?)")
		}
		if coded := (*data.EncodingError)(nil); errors.As(err, &coded) { // it stands behind all that was read
			return atLine(err, fmt.Sprintf("%s:%d", path, known+len(lines.breaks)+1))
		}
		source := fmt.Sprintf("%s:%d", path, lines.line(base+decoder.InputOffset(), &known))
		return fmt.Errorf("%s: not a JSON array of records: %w", source, err)
	}
	if _, err := decoder.Token(); err != nil {
		return fault(err)
	}
	for decoder.More() {
		limited.N = maxRecord
		var object json.RawMessage
		if err := decoder.Decode(&object); err != nil {
			return fault(err)
		}
		begin := base + decoder.InputOffset() - int64(len(object))
		more, err := emit(fmt.Sprintf("%s:%d", path, lines.line(begin, &known)), object, yield)
		if !more || err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fault(err)
	}
	return nil
}
