package instruct

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// checkJSON reports what is wrong with one JSON value: its syntax, half of a surrogate pair, and a key that an object has
// twice, of which readers of JSON take one or the other. The places are bytes from 1, as editors count columns.
func checkJSON(raw []byte) error {
	if !json.Valid(raw) {
		return syntaxFault(raw)
	}
	if at := loneSurrogate(raw); at >= 0 {
		return fmt.Errorf("byte %d of the record is half of a surrogate pair, %s, which is no character (remove it, or write the character itself)",
			at+1, raw[at:at+len(`\ud800`)])
	}
	if key := repeatedKey(raw); key != nil {
		return fmt.Errorf("the key %s stands twice in an object (keep the one that is meant)", shorten(key))
	}
	return nil
}

func syntaxFault(raw []byte) error {
	var v any
	err := json.Unmarshal(raw, &v)
	var syntax *json.SyntaxError
	cure := "each record is one JSON object, or a list of messages"
	switch {
	case !errors.As(err, &syntax):
		return fmt.Errorf("not JSON: %w (%s)", err, cure)
	case syntax.Offset >= int64(len(raw)) && strings.Contains(err.Error(), "unexpected end"):
		return errors.New("not JSON: it ends before it is complete (write each record on one line, for example with jq -c; or is the file cut off?)")
	case raw[0] != '{' && raw[0] != '[':
		return fmt.Errorf("not JSON: the line begins with %q (%s; set data.format to text or jsonl for plain text, and convert tables of CSV)", shorten(raw), cure)
	}
	return fmt.Errorf("not JSON: %w, byte %d of the record (%s)", err, syntax.Offset, cure)
}

// A member is a key of an object, and its value.
type member struct {
	key   string
	value json.RawMessage
}

// members returns the members of a valid object in order. The values are parts of raw.
func members(raw []byte) (all []member) {
	for at := next(raw, 1); raw[at] != '}'; {
		key := at
		at = skip(raw, at)
		name := raw[key:at]
		begin := next(raw, next(raw, at)+1)
		at = skip(raw, begin)
		all = append(all, member{unquote(name), json.RawMessage(raw[begin:at])})
		if at = next(raw, at); raw[at] == ',' {
			at = next(raw, at+1)
		}
	}
	return all
}

// elements returns the elements of a valid list, parts of raw.
func elements(raw []byte) (all []json.RawMessage) {
	for at := next(raw, 1); raw[at] != ']'; {
		begin := at
		at = skip(raw, begin)
		all = append(all, json.RawMessage(raw[begin:at]))
		if at = next(raw, at); raw[at] == ',' {
			at = next(raw, at+1)
		}
	}
	return all
}

// next returns the place of the next byte that is not white space.
func next(raw []byte, at int) int {
	for raw[at] == ' ' || raw[at] == '\t' || raw[at] == '\n' || raw[at] == '\r' {
		at++
	}
	return at
}

// skip returns the place behind the value that begins at a place of valid JSON.
func skip(raw []byte, at int) int {
	depth := 0
	for {
		switch raw[at] {
		case '"':
			for at++; raw[at] != '"'; at++ {
				if raw[at] == '\\' {
					at++
				}
			}
			at++
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		case ',', ':', ' ', '\t', '\n', '\r':
			at++
			continue // only inside of brackets
		default:
			for at < len(raw) && !bytes.ContainsRune([]byte(",:]} \t\n\r"), rune(raw[at])) {
				at++
			}
		}
		if depth == 0 {
			return at
		}
	}
}

func unquote(raw []byte) (s string) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	_ = json.Unmarshal(raw, &s) // it is valid
	return s
}

// repeatedKey returns a key, as it is written, that an object anywhere in valid JSON has twice; nil for none.
func repeatedKey(raw []byte) []byte {
	type open struct {
		object bool
		seen   []string            // few
		many   map[string]struct{} // more
	}
	var stack []open
	for at := 0; at < len(raw); {
		switch raw[at] {
		case '{', '[':
			stack = append(stack, open{object: raw[at] == '{'})
			at++
		case '}', ']':
			stack = stack[:len(stack)-1]
			at++
		case '"':
			begin := at
			at = skip(raw, at)
			if len(stack) == 0 || !stack[len(stack)-1].object || at == len(raw) || raw[next(raw, at)] != ':' {
				continue
			}
			top, key := &stack[len(stack)-1], unquote(raw[begin:at])
			const few = 16
			_, found := top.many[key]
			for _, s := range top.seen {
				found = found || s == key
			}
			switch {
			case found:
				return raw[begin:at]
			case len(top.seen) < few:
				top.seen = append(top.seen, key)
			case top.many == nil:
				top.many = map[string]struct{}{key: {}}
			default:
				top.many[key] = struct{}{}
			}
		default:
			at++
		}
	}
	return nil
}

// kindOf names the type of a JSON value in errors.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// loneSurrogate returns where raw, a JSON value, has an escaped half of a surrogate pair without the other, -1 for nowhere.
func loneSurrogate(raw []byte) int {
	unit := func(at int) rune { // \uXXXX at this place, -1 for anything else
		if at+6 > len(raw) || raw[at] != '\\' || raw[at+1] != 'u' {
			return -1
		}
		var c rune
		for _, digit := range raw[at+2 : at+6] {
			value := strings.IndexByte("0123456789abcdef", digit|0x20)
			if value < 0 {
				return -1
			}
			c = c<<4 | rune(value)
		}
		return c
	}
	for at := 0; at < len(raw); at++ {
		next := bytes.IndexByte(raw[at:], '\\')
		if next < 0 {
			return -1
		}
		at += next
		switch c := unit(at); {
		case c >= 0xDC00 && c < 0xE000:
			return at
		case c >= 0xD800 && c < 0xDC00:
			if low := unit(at + 6); low < 0xDC00 || low >= 0xE000 {
				return at
			}
			at += 11
		case c >= 0:
			at += 5
		default:
			at++
		}
	}
	return -1
}
