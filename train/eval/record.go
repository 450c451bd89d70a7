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

	"gotrain/data"
)

// Record is one question.
type Record struct {
	Source string         // file:line
	Keys   map[string]any // as JSON has them
}

// maxLine bounds a line of JSONL, in bytes.
const maxLine = 64 << 20

// ReadRecords reads a file of questions: JSON objects, one a line (.jsonl) or in a
// list (.json); or the CSV of MMLU, question, choices and the letter of the
// answer without a header. What is no text is refused, as in training.
func ReadRecords(file string) ([]Record, error) {
	f, err := data.OpenText(file, "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRecords(f, file)
}

func readRecords(r io.Reader, name string) (records []Record, err error) {
	switch filepath.Ext(name) {
	case ".csv":
		records, err = readCSV(r, name)
	case ".json":
		records, err = readList(r, name)
	default:
		records, err = readLines(r, name)
	}
	if err == nil && len(records) == 0 {
		err = fmt.Errorf("%s holds no questions", name)
	}
	return records, err
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
		record := Record{Source: fmt.Sprintf("%s:%d", name, line)}
		if err := json.Unmarshal(text, &record.Keys); err != nil {
			return nil, fmt.Errorf("%s: not a JSON object: %w", record.Source, err)
		}
		if record.Keys == nil {
			return nil, fmt.Errorf("%s: null is not a question", record.Source)
		}
		records = append(records, record)
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s: a line is longer than %d MiB; write one object a line", name, maxLine>>20)
	}
	return records, s.Err()
}

func readList(r io.Reader, name string) ([]Record, error) {
	var list []map[string]any
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: not a JSON list of objects (JSONL ends in .jsonl): %w", name, err)
	}
	records := make([]Record, len(list))
	for i, keys := range list {
		if records[i] = (Record{fmt.Sprintf("%s: object %d", name, i), keys}); keys == nil {
			return nil, fmt.Errorf("%s: null is not a question", records[i].Source)
		}
	}
	return records, nil
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

// text returns a key as text.
func (r Record) text(key string) (string, error) {
	switch v := r.Keys[key].(type) {
	case string:
		return v, nil
	case float64, bool, json.Number:
		return fmt.Sprint(v), nil
	case nil:
		return "", fmt.Errorf("%s: there is no key %q", r.Source, key)
	}
	return "", fmt.Errorf("%s: %q is neither text nor a number", r.Source, key)
}

// choices returns the list of choices.
func (r Record) choices(key string) ([]string, error) {
	list, ok := r.Keys[key].([]any)
	if !ok || len(list) < 2 || len(list) > 26 {
		return nil, fmt.Errorf("%s: %q is not a list of 2 to 26 choices", r.Source, key)
	}
	texts := make([]string, len(list))
	for i, v := range list {
		if texts[i], ok = v.(string); !ok {
			texts[i] = fmt.Sprint(v)
		}
	}
	return texts, nil
}

// correct returns the index of the right choice: given as an index, a letter or
// the text of the choice.
func (r Record) correct(key string, choices []string) (int, error) {
	index := -1
	switch v := r.Keys[key].(type) {
	case float64:
		index = int(v)
	case string:
		for i, c := range choices {
			if v == c {
				return i, nil
			}
		}
		if len(v) == 1 {
			index = int(strings.ToUpper(v)[0]) - 'A'
		}
	}
	if index < 0 || index >= len(choices) {
		return 0, fmt.Errorf("%s: %q is %v, which is no choice: give an index from 0, a letter or the text of a choice", r.Source, key, r.Keys[key])
	}
	return index, nil
}
