package eval

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
)

// Record is one question.
type Record struct {
	Source string         // file:line
	Keys   map[string]any // as JSON has them
}

// maxLine bounds a line of JSONL, in bytes.
const maxLine = 64 << 20

// ReadRecords reads a file of questions: JSON objects, one a line or in a list, or the
// list "examples" of one object, whose other keys count for each of them; Parquet; or the
// CSV of MMLU, question, choices and the letter of the answer without a header. Texts may
// be compressed with gzip or zstd. What is no text is refused, as in training.
func ReadRecords(file string) ([]Record, error) {
	if data.FormatOf(file) == data.FormatParquet {
		return readParquet(file)
	}
	f, err := data.OpenText(file, "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRecords(f, file)
}

// extension is that of a file, without what says how it is compressed.
func extension(name string) string { return filepath.Ext(data.TrimCompression(strings.ToLower(name))) }

func readRecords(r io.Reader, name string) (records []Record, err error) {
	switch extension(name) {
	case ".csv":
		records, err = readCSV(r, name)
	case ".json":
		records, err = readJSON(r, name)
	default:
		records, err = readLines(r, name)
	}
	return found(records, err, name)
}

// found refuses a file without questions.
func found(records []Record, err error, name string) ([]Record, error) {
	if err == nil && len(records) == 0 {
		err = fmt.Errorf("%s holds no questions", name)
	}
	return records, err
}

func readParquet(file string) ([]Record, error) {
	var records []Record
	err := instruct.ParquetRows(file, func(source string, row []byte) (bool, error) {
		r, err := parseRecord(source, row)
		records = append(records, r)
		return true, err
	})
	return found(records, err, file)
}

// parseRecord reads a JSON object.
func parseRecord(source string, text []byte) (Record, error) {
	r := Record{Source: source}
	if err := json.Unmarshal(text, &r.Keys); err != nil {
		return r, fmt.Errorf("%s: not a JSON object: %w", source, err)
	}
	if r.Keys == nil {
		return r, fmt.Errorf("%s: null is not a question", source)
	}
	return r, nil
}

func readLines(r io.Reader, name string) ([]Record, error) {
	var records []Record
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for line := 1; s.Scan(); line++ {
		text := bytes.TrimSpace(s.Bytes())
		if len(text) == 0 {
			continue
		}
		record, err := parseRecord(fmt.Sprintf("%s:%d", name, line), text)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s: a line is longer than %d MiB; write one object a line", name, maxLine>>20)
	}
	return records, s.Err()
}

func readCSV(r io.Reader, name string) ([]Record, error) {
	var records []Record
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	subject := strings.TrimSuffix(filepath.Base(name), ".csv")
	for _, split := range []string{"_test", "_dev", "_val"} {
		subject = strings.TrimSuffix(subject, split)
	}
	for {
		fields, err := c.Read()
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := c.FieldPos(0)
		source := fmt.Sprintf("%s:%d", name, line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("%s: %d fields; a line has the question, at least two choices, and the letter of the answer", source, len(fields))
		}
		var choices []any
		for _, f := range fields[1 : len(fields)-1] {
			choices = append(choices, f)
		}
		records = append(records, Record{source, map[string]any{
			"question": fields[0], "choices": choices, "answer": fields[len(fields)-1], "subject": subject,
		}})
	}
}
