package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

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

// list returns a key that is a list.
func (r Record) list(key string) ([]any, error) {
	list, ok := r.Keys[key].([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%s: %q is not a list with something in it", r.Source, key)
	}
	return list, nil
}

// object returns a key that is an object.
func (r Record) object(key string) (map[string]any, error) {
	object, ok := r.Keys[key].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: %q is not an object", r.Source, key)
	}
	return object, nil
}

// within is a record of an object inside of r, for its errors.
func (r Record) within(key string, object map[string]any) Record {
	return Record{Source: r.Source + ": " + key, Keys: object}
}

// texts writes a list as texts.
func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		var ok bool
		if out[i], ok = v.(string); !ok {
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}

// maxChoices of a question, the letters of the alphabet where it has letters.
const (
	maxChoices = 1000
	maxLetters = 26
)

// choices returns the list of choices.
func (r Record) choices(key string) ([]string, error) {
	list, ok := r.Keys[key].([]any)
	if !ok || len(list) < 2 || len(list) > maxChoices {
		return nil, fmt.Errorf("%s: %q is not a list of 2 to %d choices", r.Source, key, maxChoices)
	}
	return texts(list), nil
}

// correct returns the index of the right choice: given as an index, a letter or
// the text of the choice.
func (r Record) correct(key string, choices []string) (int, error) {
	index := -1
	switch v := r.Keys[key].(type) {
	case float64:
		if v == math.Trunc(v) && v >= 0 && v < float64(len(choices)) {
			index = int(v)
		}
	case string:
		if i := slices.Index(choices, v); i >= 0 {
			return i, nil
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

// isSpace is what Python's str.strip takes off.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
