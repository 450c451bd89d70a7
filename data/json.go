package data

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// stringField returns the string at key of a JSON object. The result is a part of
// object, in which escapes are replaced by what they stand for: no memory is taken, whatever its length.
//
// It accepts the objects that encoding/json does, about five times faster because it builds nothing else, but for those that
// have the key twice and for strings with half of an escaped surrogate pair, which is no character. Bytes that are not UTF-8 are kept as they are.
func stringField(object []byte, key string) ([]byte, error) {
	s := &jsonScanner{in: object}
	var text []byte
	found := false
	err := s.object(func(name []byte) error {
		if string(name) != key {
			return s.skip(1)
		}
		if found {
			return repeated(key)
		}
		found = true
		if s.peek() != '"' {
			return notString(key, s.at+1)
		}
		var err error
		text, err = s.string()
		return err
	})
	if err == nil && s.peek() != 0 {
		err = s.fault("text behind the object")
	}
	if err == nil && !found {
		err = missingKey(key)
	}
	return text, err
}

// missingKey is the key that an object lacks.
type missingKey string

func (k missingKey) Error() string {
	return fmt.Sprintf("no key %q (set text_key to the key that holds the text)", string(k))
}

func notString(key string, column int) error {
	return fmt.Errorf("the value of key %q is not a string at column %d (leave the record out, or write a text)", key, column)
}

// repeated reports a key of which other readers of JSON take one value or the other.
func repeated(key string) error {
	return fmt.Errorf("the key %q stands twice (keep the one that is meant)", key)
}

// jsonScanner is a strict scanner over one JSON value (RFC 8259).
type jsonScanner struct {
	in []byte
	at int
}

func (s *jsonScanner) fault(what string) error {
	return fmt.Errorf("not JSON: %s at column %d", what, s.at+1)
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *jsonScanner) peek() byte {
	for ; s.at < len(s.in); s.at++ {
		switch c := s.in[s.at]; c {
		case ' ', '\t', '\r', '\n':
		case 0:
			return 1 // Not the end, and no valid token either.
		default:
			return c
		}
	}
	return 0
}

// object scans {"name": value, …}; value must consume one value.
func (s *jsonScanner) object(value func(name []byte) error) error {
	if s.peek() != '{' {
		return s.fault("expected an object")
	}
	s.at++
	if s.peek() == '}' {
		s.at++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fault("expected a key")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.fault("expected a colon")
		}
		s.at++
		s.peek()
		if err := value(name); err != nil {
			return err
		}
		if done, err := s.separator('}'); done || err != nil {
			return err
		}
	}
}

// separator consumes a comma, or close and says so.
func (s *jsonScanner) separator(close byte) (done bool, err error) {
	switch s.peek() {
	case ',':
		s.at++
		return false, nil
	case close:
		s.at++
		return true, nil
	}
	return false, s.fault("expected a comma or a closing bracket")
}

// maxJSONDepth is encoding/json's own bound on nesting.
const maxJSONDepth = 10_000

// skip consumes one value of any type inside depth brackets.
func (s *jsonScanner) skip(depth int) error {
	switch c := s.peek(); {
	case depth >= maxJSONDepth && (c == '{' || c == '['):
		return s.fault("nesting too deep")
	case c == '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case c == '[':
		return s.array(depth + 1)
	case c == '"':
		_, err := s.string()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, literal := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.in[s.at:], []byte(literal)) {
			s.at += len(literal)
			return nil
		}
	}
	return s.fault("expected a value")
}

func (s *jsonScanner) array(depth int) error {
	s.at++
	if s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if err := s.skip(depth); err != nil {
			return err
		}
		if done, err := s.separator(']'); done || err != nil {
			return err
		}
	}
}

// number consumes -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *jsonScanner) number() error {
	digits := func() bool {
		begin := s.at
		for s.at < len(s.in) && '0' <= s.in[s.at] && s.in[s.at] <= '9' {
			s.at++
		}
		return s.at > begin
	}
	accept := func(set string) bool {
		ok := s.at < len(s.in) && bytes.IndexByte([]byte(set), s.in[s.at]) >= 0
		if ok {
			s.at++
		}
		return ok
	}
	accept("-")
	if !accept("0") && !digits() {
		return s.fault("expected a digit")
	}
	if accept(".") && !digits() {
		return s.fault("expected a digit")
	}
	if accept("eE") {
		accept("+-")
		if !digits() {
			return s.fault("expected a digit")
		}
	}
	return nil
}

// string consumes a string and returns it as a part of the input, in which escapes are replaced.
func (s *jsonScanner) string() ([]byte, error) {
	s.at++
	begin := s.at
	for ; s.at < len(s.in); s.at++ {
		switch c := s.in[s.at]; {
		case c == '"':
			text := s.in[begin:s.at]
			s.at++
			return text, nil
		case c == '\\':
			return s.escaped(s.in[begin:s.at])
		case c < ' ':
			return nil, s.fault("a control character in a string")
		}
	}
	return nil, s.fault("a string without end")
}

// escaped goes on with a string at its first backslash. It writes over what it has read, since no escape is shorter than
// what it stands for.
func (s *jsonScanner) escaped(text []byte) ([]byte, error) {
	for s.at < len(s.in) {
		begin := s.at
		for s.at < len(s.in) && s.in[s.at] != '"' && s.in[s.at] != '\\' && s.in[s.at] >= ' ' {
			s.at++
		}
		text = append(text, s.in[begin:s.at]...)
		switch {
		case s.at == len(s.in):
		case s.in[s.at] == '"':
			s.at++
			return text, nil
		case s.in[s.at] == '\\':
			var err error
			if text, err = s.escape(text); err != nil {
				return nil, err
			}
		default:
			return nil, s.fault("a control character in a string")
		}
	}
	return nil, s.fault("a string without end")
}

// escape consumes one escape sequence and appends what it stands for.
func (s *jsonScanner) escape(text []byte) ([]byte, error) {
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if s.at+1 < len(s.in) {
		if i := bytes.IndexByte([]byte(from), s.in[s.at+1]); i >= 0 {
			s.at += 2
			return append(text, to[i]), nil
		}
	}
	first, ok := s.unicodeEscape()
	if !ok {
		return nil, s.fault("an unknown escape")
	}
	s.at += 6
	if utf16.IsSurrogate(first) {
		second, ok := s.unicodeEscape()
		if first = utf16.DecodeRune(first, second); !ok || first == utf8.RuneError {
			s.at -= 6
			return nil, s.fault("half of a surrogate pair, which is no character,")
		}
		s.at += 6
	}
	return utf8.AppendRune(text, first), nil
}

// unicodeEscape reads \uXXXX without consuming it.
func (s *jsonScanner) unicodeEscape() (rune, bool) {
	if len(s.in)-s.at < 6 || s.in[s.at] != '\\' || s.in[s.at+1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(s.in[s.at+2:s.at+6]), 16, 16)
	return rune(code), err == nil
}
