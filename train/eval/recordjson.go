package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
)

// maxFile bounds a file of JSON that is one list or object, in bytes.
const maxFile = 1 << 30

// readJSON reads a list of objects, the list "examples" of one object, or JSON Lines.
func readJSON(r io.Reader, name string) ([]Record, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is longer than %d MiB; write one object a line (.jsonl)", name, maxFile>>20)
	}
	j := &jsonFile{name: name, text: text, decoder: json.NewDecoder(bytes.NewReader(text))}
	begin := bytes.TrimLeft(text, " \t\r\n")
	switch {
	case bytes.HasPrefix(begin, []byte{'['}):
		records, err := j.list()
		if err == nil {
			err = j.end()
		}
		return records, err
	case bytes.HasPrefix(begin, []byte{'{'}):
		if records, err := j.examples(); err != nil || records != nil {
			return records, err
		}
	}
	return readLines(bytes.NewReader(text), name)
}

// jsonFile reads a file of JSON and knows the lines of what it reads.
type jsonFile struct {
	name    string
	text    []byte
	decoder *json.Decoder
}

// place is the line of what comes next.
func (j *jsonFile) place() string {
	at := int(j.decoder.InputOffset())
	for at < len(j.text) && bytes.IndexByte([]byte(" \t\r\n,:"), j.text[at]) >= 0 {
		at++
	}
	return fmt.Sprintf("%s:%d", j.name, 1+bytes.Count(j.text[:at], []byte{'\n'}))
}

// list reads the objects of a list.
func (j *jsonFile) list() ([]Record, error) {
	if _, err := j.decoder.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", j.place(), err)
	}
	records := []Record{}
	for j.decoder.More() {
		place := j.place()
		var text json.RawMessage
		if err := j.decoder.Decode(&text); err != nil {
			return nil, fmt.Errorf("%s: the list of objects is broken here (JSON Lines end in .jsonl): %w", place, err)
		}
		record, err := parseRecord(place, text)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	if _, err := j.decoder.Token(); err != nil {
		return nil, fmt.Errorf("%s: the list does not end (is the file whole?): %w", j.place(), err)
	}
	return records, nil
}

// end refuses what stands behind a list.
func (j *jsonFile) end() error {
	place := j.place()
	if _, err := j.decoder.Token(); err != io.EOF {
		return fmt.Errorf("%s: something stands behind the end of the list", place)
	}
	return nil
}

// examples reads an object with a list of that name, the keys beside it as keys of each of
// its records that has not its own; nil where there is none.
func (j *jsonFile) examples() ([]Record, error) {
	shared := map[string]any{}
	var records []Record
	_, err := j.decoder.Token()
	for err == nil && j.decoder.More() {
		var key json.Token
		if key, err = j.decoder.Token(); err != nil {
			break
		}
		if at := j.decoder.InputOffset(); key == "examples" && bytes.HasPrefix(bytes.TrimLeft(j.text[at:], " \t\r\n:"), []byte{'['}) {
			if records, err = j.list(); err != nil {
				return nil, err
			}
			continue
		}
		var value any
		err = j.decoder.Decode(&value)
		shared[fmt.Sprint(key)] = value
	}
	if records == nil {
		return nil, nil
	}
	if err == nil {
		_, err = j.decoder.Token()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the object with examples is broken here: %w", j.place(), err)
	}
	for i, r := range records {
		keys := maps.Clone(shared)
		maps.Copy(keys, r.Keys)
		records[i].Keys = keys
	}
	return records, j.end()
}
