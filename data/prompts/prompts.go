// Package prompts reads what a model is asked: JSON Lines, each with a prompt and whatever
// else those who judge the answers want to know, such as the right one. Errors name file and
// line, and the cure; a wrong setting is a *data.SettingError.
package prompts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data"
)

// Prompt is a text to go on with.
type Prompt struct {
	Text   string
	Record map[string]any // the whole record; numbers are json.Number
	Origin data.Origin
}

// maxLine bounds the bytes of a line, and so the memory that a broken file can take.
const maxLine = 16 << 20

// Read returns the prompts of files in order, texts in an encoding as in data.Config; key is
// that of the prompt in a record.
func Read(paths []string, encoding, key string) ([]Prompt, error) {
	var all []Prompt
	for _, path := range paths {
		if err := readFile(path, encoding, key, &all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readFile(path, encoding, key string, all *[]Prompt) error {
	stream, err := data.OpenText(path, encoding)
	if err != nil {
		return err
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for number := int64(1); lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		p, err := parse(line, key)
		origin := data.Origin{File: path, Offset: number}
		if err != nil {
			return fmt.Errorf("%s: %w", origin, err)
		}
		p.Origin = origin
		*all = append(*all, p)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s: a line of more than %d MiB, the most that is read at once (is the file JSON Lines?)", path, maxLine>>20)
	} else if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// parse reads a record.
func parse(line []byte, key string) (Prompt, error) {
	in := json.NewDecoder(bytes.NewReader(line))
	in.UseNumber()
	var p Prompt
	if err := in.Decode(&p.Record); err != nil || p.Record == nil {
		return p, fmt.Errorf("a line that is no JSON object: %.60q (write one object a line)", line)
	}
	value, ok := p.Record[key]
	if !ok {
		return p, &data.SettingError{Err: fmt.Errorf("the record has no key %q (set data.text_key)", key)}
	}
	if p.Text, ok = value.(string); !ok {
		return p, fmt.Errorf("key %q is no text: %.60v", key, value)
	}
	return p, nil
}

// HeldOut tells whether a prompt is among the fraction that is held out: by a hash of its
// text, so that equal prompts are on one side.
func (p Prompt) HeldOut(fraction float64) bool {
	return float64(xxh3.HashString(p.Text)) < fraction*(1<<64)
}
