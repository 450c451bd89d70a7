package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

const metadataKey = "__metadata__"

// declared is a tensor as the header declares it.
type declared struct {
	name       string
	dtype      DType
	shape      []int
	begin, end uint64 // in the data
}

// tensorError is a fault in the declaration of one tensor.
type tensorError struct {
	name string
	err  error
}

func (e *tensorError) Error() string { return fmt.Sprintf("tensor %q: %v", e.name, e.err) }

// errTooMany marks a header beyond the limits rather than a broken one.
var errTooMany = errors.New("beyond what this program reads")

// parseHeader reads the JSON of a header. It knows only the grammar of the
// format, takes one pass and, unlike encoding/json, refuses duplicate and unknown
// keys; memory is in proportion to the text.
func parseHeader(text []byte) ([]declared, map[string]string, error) {
	s := &scanner{text: text}
	var tensors []declared
	var metadata map[string]string
	seen := map[string]bool{}
	err := s.object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("key %q appears twice", key)
		}
		seen[key] = true
		if key == metadataKey {
			var err error
			metadata, err = s.metadata()
			return err
		}
		if len(tensors) == MaxTensors {
			return fmt.Errorf("more than %d tensors: %w", MaxTensors, errTooMany)
		}
		d, err := s.tensor()
		if err != nil {
			return &tensorError{key, err}
		}
		d.name = key
		tensors = append(tensors, d)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if s.skipSpace(); s.pos < len(text) {
		return nil, nil, s.errorf("more after the header's end")
	}
	return tensors, metadata, nil
}

func (s *scanner) metadata() (map[string]string, error) {
	m := map[string]string{}
	err := s.object(func(key string) error {
		if _, dup := m[key]; dup {
			return fmt.Errorf("key %q appears twice in %s", key, metadataKey)
		}
		value, err := s.string()
		m[key] = value
		return err
	})
	return m, err
}

func (s *scanner) tensor() (declared, error) {
	var d declared
	var dtype, shape, offsets bool // seen
	err := s.object(func(key string) error {
		switch {
		case key == "dtype" && !dtype:
			dtype = true
			name, err := s.string()
			if err != nil {
				return err
			}
			var ok bool
			if d.dtype, ok = parseDType(name); !ok {
				return fmt.Errorf("dtype %q: %w", name, errTooMany)
			}
			return nil
		case key == "shape" && !shape:
			shape = true
			return s.array(func(i int) error {
				if i == MaxDims {
					return fmt.Errorf("more than %d dimensions: %w", MaxDims, errTooMany)
				}
				dim, err := s.uint()
				if dim > math.MaxInt {
					return fmt.Errorf("dimension %d is too large", dim)
				}
				d.shape = append(d.shape, int(dim))
				return err
			})
		case key == "data_offsets" && !offsets:
			offsets = true
			n := 0
			err := s.array(func(i int) (err error) {
				n++
				switch i {
				case 0:
					d.begin, err = s.uint()
				case 1:
					d.end, err = s.uint()
				default:
					err = s.errorf("data_offsets has more than two numbers")
				}
				return err
			})
			if err == nil && n != 2 {
				err = s.errorf("data_offsets has fewer than two numbers")
			}
			return err
		case key == "dtype", key == "shape", key == "data_offsets":
			return fmt.Errorf("%s appears twice", key)
		}
		return fmt.Errorf("unknown key %q", key)
	})
	if err == nil && !(dtype && shape && offsets) {
		err = s.errorf("dtype, shape or data_offsets is missing")
	}
	return d, err
}

// scanner reads JSON from text.
type scanner struct {
	text []byte
	pos  int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d of the header: %s", s.pos, fmt.Sprintf(format, args...))
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// next skips space and consumes c if it comes next.
func (s *scanner) next(c byte) bool {
	s.skipSpace()
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// object reads {"key": value, …}; value reads the value of a key.
func (s *scanner) object(value func(key string) error) error {
	return s.list('{', '}', func(int) error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if !s.next(':') {
			return s.errorf("want ':'")
		}
		return value(key)
	})
}

// array reads [element, …]; element reads the i-th.
func (s *scanner) array(element func(i int) error) error { return s.list('[', ']', element) }

func (s *scanner) list(open, end byte, element func(i int) error) error {
	if !s.next(open) {
		return s.errorf("want %q", open)
	}
	if s.next(end) {
		return nil
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		if s.next(end) {
			return nil
		}
		if !s.next(',') {
			return s.errorf("want ',' or %q", end)
		}
	}
}

func (s *scanner) string() (string, error) {
	if !s.next('"') {
		return "", s.errorf("want a string")
	}
	start, escaped := s.pos, false
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			raw := s.text[start:s.pos]
			s.pos++
			if !utf8.Valid(raw) {
				return "", s.errorf("a string is not UTF-8")
			}
			if !escaped {
				return string(raw), nil
			}
			var decoded string
			if err := json.Unmarshal(s.text[start-1:s.pos], &decoded); err != nil {
				return "", s.errorf("bad escape in a string")
			}
			return decoded, nil
		case c == '\\':
			escaped = true
			s.pos++ // the escaped character may be a quote
		case c < ' ':
			return "", s.errorf("control character in a string")
		}
	}
	return "", s.errorf("a string has no end")
}

// uint reads a number of digits alone.
func (s *scanner) uint() (uint64, error) {
	s.skipSpace()
	start := s.pos
	var v uint64
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		digit := uint64(s.text[s.pos] - '0')
		if v > (math.MaxUint64-digit)/10 {
			return 0, s.errorf("number too large")
		}
		v = v*10 + digit
		s.pos++
	}
	if s.pos == start || s.text[start] == '0' && s.pos > start+1 {
		return 0, s.errorf("want a whole number ≥ 0")
	}
	return v, nil
}
