// Package labelled reads texts with labels, for classification.
//
// [Read] streams the examples of files, [Labels] finds their classes, [Build] encodes them,
// [Loader] makes batches of them that are a function of a seed and a position. Errors name file
// and line, and the cure; a wrong setting is a *data.SettingError.
package labelled

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data"
)

// Example is a text, or a pair of texts, and its class.
type Example struct {
	Text   string
	Pair   *string // the second text, nil where there is none
	Label  string
	Origin data.Origin
}

// Keys are the keys or columns of an example.
type Keys struct {
	Text, Label string
	Pair        string // "" for texts that are alone
	Unlabelled  bool   // there may be no label
}

// Read streams the examples of files in order, texts in an encoding as in data.Config: tables of
// comma- or tab-separated values by their names, JSON Lines otherwise. It ends with the first
// error, which names file and line.
func Read(paths []string, encoding string, keys Keys) iter.Seq2[Example, error] {
	return func(yield func(Example, error) bool) {
		for _, path := range paths {
			more := true
			each := func(e Example) bool {
				more = yield(e, nil)
				return more
			}
			err := keys.readFile(path, encoding, each)
			if err != nil {
				yield(Example{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

func (k Keys) readFile(path, encoding string, yield func(Example) bool) error {
	if format := data.Tabular(path); format != "" {
		return k.readTable(path, format, encoding, yield)
	}
	return k.readLines(path, encoding, yield)
}

func setting(format string, args ...any) error {
	return &data.SettingError{Err: fmt.Errorf(format, args...)}
}

// readTable yields the examples of a table.
func (k Keys) readTable(path string, format data.Format, encoding string, yield func(Example) bool) error {
	var columns []string
	return data.ReadTable(path, format, encoding, func(line int, values []string) (bool, error) {
		if columns == nil {
			var err error
			columns, err = data.TableColumns(path, values)
			return true, err
		}
		return k.emit(data.Origin{File: path, Offset: int64(line)}, func(key string) (string, error) {
			i := slices.Index(columns, key)
			if i < 0 {
				return "", fmt.Errorf("no column %q among %q", key, columns)
			}
			return values[i], nil
		}, yield)
	})
}

// maxLine bounds the bytes of a line, and so the memory that a broken file can take.
const maxLine = 16 << 20

// readLines yields the examples of a file of JSON Lines.
func (k Keys) readLines(path, encoding string, yield func(Example) bool) error {
	stream, err := data.OpenText(path, encoding)
	if err != nil {
		return err
	}
	defer stream.Close()
	in := bufio.NewReaderSize(io.Reader(stream), 64<<10)
	var line []byte
	for number := int64(1); ; number++ {
		line = line[:0]
		var end error
		for {
			part, err := in.ReadSlice('\n')
			line = append(line, part...)
			if end = err; err != bufio.ErrBufferFull || len(line) > maxLine {
				break
			}
		}
		origin := data.Origin{File: path, Offset: number}
		if len(line) > maxLine {
			return fmt.Errorf("%s: a line of more than %d MiB, the most that is read at once (is the file JSON Lines?)", origin, maxLine>>20)
		}
		if end != nil && end != io.EOF {
			return fmt.Errorf("%s: %w", origin, end)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			var object map[string]json.RawMessage
			if err := json.Unmarshal(text, &object); err != nil {
				return fmt.Errorf("%s: a line that is no JSON object: %w (write one object a line, or give the file the name of a table: .csv or .tsv)", origin, err)
			}
			more, err := k.emit(origin, func(key string) (string, error) { return value(object, key) }, yield)
			if err != nil || !more {
				return err
			}
		}
		if end == io.EOF {
			return nil
		}
	}
}

// value is the text at a key; numbers and truth values are as they are written.
func value(object map[string]json.RawMessage, key string) (string, error) {
	raw, ok := object[key]
	if !ok {
		return "", fmt.Errorf("no key %q among %q", key, slices.Sorted(maps.Keys(object)))
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text, nil
	}
	if c := raw[0]; c == '{' || c == '[' || string(raw) == "null" {
		return "", fmt.Errorf("key %q is no text: %.60s", key, raw)
	}
	return string(raw), nil
}

// errEmpty is that of a text that says nothing.
var errEmpty = errors.New("the text is empty (fill it in, or take the line out)")

// emit yields the example whose values get gives.
func (k Keys) emit(origin data.Origin, get func(key string) (string, error), yield func(Example) bool) (more bool, err error) {
	e := Example{Origin: origin}
	fault := func(err error, keys string) error {
		return setting("%s: %w (set %s)", origin, err, keys)
	}
	if e.Text, err = get(k.Text); err != nil {
		return false, fault(err, "data.text_key")
	}
	if k.Pair != "" {
		pair, err := get(k.Pair)
		if err != nil {
			return false, fault(err, "data.pair_key")
		}
		if e.Pair = &pair; strings.TrimSpace(pair) == "" {
			return false, fmt.Errorf("%s: %w", origin, errEmpty)
		}
	}
	if strings.TrimSpace(e.Text) == "" {
		return false, fmt.Errorf("%s: %w", origin, errEmpty)
	}
	if e.Label, err = get(k.Label); err != nil && !k.Unlabelled {
		return false, fault(err, "data.label_key")
	}
	if e.Label = strings.TrimSpace(e.Label); e.Label == "" && !k.Unlabelled {
		return false, fmt.Errorf("%s: the label is empty (fill it in, or take the line out)", origin)
	}
	return yield(e), nil
}

// Labels are the classes of examples: numbers in their order, else texts in theirs.
func Labels(examples []Example) []string {
	seen := map[string]bool{}
	for _, e := range examples {
		seen[e.Label] = true
	}
	labels := slices.Sorted(maps.Keys(seen))
	numbers := map[string]int{}
	for _, l := range labels {
		n, err := strconv.Atoi(l)
		if err != nil {
			return labels
		}
		numbers[l] = n
	}
	slices.SortFunc(labels, func(a, b string) int { return cmp.Compare(numbers[a], numbers[b]) })
	return labels
}

// HeldOut tells whether an example is among the fraction that is held out: by a hash of its
// texts, so that equal texts are on one side.
func (e Example) HeldOut(fraction float64) bool {
	h := xxh3.New()
	h.WriteString(e.Text)
	if e.Pair != nil {
		h.Write([]byte{0})
		h.WriteString(*e.Pair)
	}
	return float64(h.Sum64()) < fraction*(1<<64)
}
