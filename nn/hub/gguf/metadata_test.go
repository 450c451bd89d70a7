package gguf

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// TestGetters asks for a value of each kind by each getter: it gives the value where the
// kind fits, and else an error that names the key.
func TestGetters(t *testing.T) {
	getters := map[string]func(m Metadata) (any, bool, error){
		"String":  func(m Metadata) (any, bool, error) { v, ok, err := m.String("k"); return v, ok, err },
		"Int":     func(m Metadata) (any, bool, error) { v, ok, err := m.Int("k"); return v, ok, err },
		"Float":   func(m Metadata) (any, bool, error) { v, ok, err := m.Float("k"); return v, ok, err },
		"Bool":    func(m Metadata) (any, bool, error) { v, ok, err := m.Bool("k"); return v, ok, err },
		"Strings": func(m Metadata) (any, bool, error) { v, ok, err := m.Strings("k"); return v, ok, err },
		"Ints":    func(m Metadata) (any, bool, error) { v, ok, err := m.Ints("k"); return v, ok, err },
	}
	type fits map[string]string
	number := func(n int) fits { return fits{"Int": fmt.Sprint(n), "Float": fmt.Sprint(n)} }
	for _, tt := range []struct {
		value any
		want  fits
	}{
		{uint8(200), number(200)}, {int8(-3), number(-3)}, {uint16(60000), number(60000)}, {int16(-9), number(-9)}, {uint32(7), number(7)}, {int32(-7), number(-7)},
		{uint64(8), number(8)}, {int64(-8), number(-8)}, {uint64(math.MaxUint64), fits{}}, {float32(1.5), fits{"Float": "1.5"}}, {-2.25, fits{"Float": "-2.25"}},
		{true, fits{"Bool": "true"}}, {false, fits{"Bool": "false"}}, {"text", fits{"String": "text"}}, {"", fits{"String": ""}}, {[]string{"a", "b"}, fits{"Strings": "[a b]"}},
		{[]uint8{1, 2}, fits{"Ints": "[1 2]"}}, {[]int8{-1}, fits{"Ints": "[-1]"}}, {[]uint16{3}, fits{"Ints": "[3]"}}, {[]int16{-4}, fits{"Ints": "[-4]"}}, {[]uint32{5}, fits{"Ints": "[5]"}},
		{[]int32{-6, 0}, fits{"Ints": "[-6 0]"}}, {[]uint64{7}, fits{"Ints": "[7]"}}, {[]int64{-8}, fits{"Ints": "[-8]"}}, {[]uint64{1, math.MaxUint64}, fits{}}, {[]float32{1, 2}, fits{}},
		{[]float64{1}, fits{}}, {[]bool{true}, fits{}}, {[]any{[]int32{1}}, fits{}},
	} {
		for name, get := range getters {
			v, ok, err := get(Metadata{{"other", 1}, {"k", tt.value}})
			want, fitting := tt.want[name]
			var fault *FormatError
			switch {
			case fitting && (err != nil || !ok || fmt.Sprint(v) != want):
				t.Errorf("%s of %T %v: %v, %t, %v, want %s", name, tt.value, tt.value, v, ok, err, want)
			case !fitting && (!errors.As(err, &fault) || fault.Key != "k" || ok):
				t.Errorf("%s of %T %v: %v, %t, %v, want an error", name, tt.value, tt.value, v, ok, err)
			}
		}
	}
	for name, get := range getters {
		if _, ok, err := get(Metadata{{"other", 1}}); ok || err != nil {
			t.Errorf("%s of a key that is not there: %t, %v", name, ok, err)
		}
	}
}
