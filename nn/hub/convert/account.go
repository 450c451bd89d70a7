package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
)

// Account is what became of all that the source's files hold.
type Account struct {
	// Stored are the tensors of the source, Kept those whose numbers the result has,
	// Equal the ones of them with the very same numbers; the others are in LeftOut.
	Stored int `json:"stored"`
	Kept   int `json:"kept"`
	Equal  int `json:"equal"`
	// LargestDifference is that of two numbers, and Furthest the parameter that has it.
	LargestDifference float64       `json:"largest_difference"`
	Furthest          string        `json:"furthest,omitempty"`
	LeftOut           []hub.LeftOut `json:"left_out"`
	// Rounded are the errors of the parameters whose numbers are others, by the type that
	// they have in the result.
	Rounded []Rounding `json:"rounded,omitempty"`
	// Keys are the keys of config.json or of GGUF's metadata that the result has not, or
	// has otherwise.
	Keys []KeyChange `json:"keys"`
}

// Rounding is the error of numbers that a type has rounded.
type Rounding struct {
	Type    string  `json:"type"`
	Tensors int     `json:"tensors"`
	Numbers int64   `json:"numbers"`
	RMS     float64 `json:"rms"`           // of the differences
	Signal  float64 `json:"rms_of_source"` // of the numbers of the source
}

// Relative is the RMS of the differences by that of the numbers, 0 where these are 0.
func (r Rounding) Relative() float64 {
	if r.Signal == 0 {
		return 0
	}
	return r.RMS / r.Signal
}

// add adds the differences of a tensor, whose sums of squares are given.
func (r *Rounding) add(size int, errors, squares float64) {
	n, m := float64(r.Numbers), float64(size)
	r.RMS = math.Sqrt((n*r.RMS*r.RMS + errors) / (n + m))
	r.Signal = math.Sqrt((n*r.Signal*r.Signal + squares) / (n + m))
	r.Tensors, r.Numbers = r.Tensors+1, r.Numbers+int64(size)
}

// KeyChange is a key whose value the result does not have.
type KeyChange struct {
	Key    string          `json:"key"`
	Source json.RawMessage `json:"source"`
	Result json.RawMessage `json:"result,omitempty"` // in a directory's config.json
	Why    string          `json:"why"`
}

// account compares the tensors of s with those of result, one by one, and the keys that
// describe both. A tensor of the source that is nowhere is an error.
func account(s, result *source, families nn.Families) (Account, error) {
	a := Account{Stored: len(s.stored), LeftOut: append([]hub.LeftOut{}, s.left...), Keys: s.changedKeys(result, families)}
	known := map[string]bool{}
	for _, l := range s.left {
		known[l.Tensor] = true
	}
	rounded := map[gguf.Type]*Rounding{}
	for i, p := range s.model.Params() {
		t := s.tensors[i]
		if known[t.stored] {
			return a, fmt.Errorf("%s: tensor %q is left out and parameter %q; please report this with the model's name", s.path, t.stored, p.Name)
		}
		known[t.stored] = true
		a.Kept++
		c, err := compareNumbers(t, result.tensors[i])
		if err != nil {
			return a, err
		}
		same, difference := c.same, c.largest
		if same {
			a.Equal++
		} else {
			typ := result.tensors[i].typ
			if rounded[typ] == nil {
				rounded[typ] = &Rounding{Type: typ.String()}
			}
			rounded[typ].add(t.size(), c.errors, c.squares)
		}
		if difference > a.LargestDifference || !same && a.Furthest == "" {
			a.LargestDifference, a.Furthest = difference, p.Name
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(rounded)) {
		a.Rounded = append(a.Rounded, *rounded[typ])
	}
	for _, name := range s.stored {
		if !known[name] {
			return a, fmt.Errorf("%s: tensor %q is not in the result; please report this with the model's name", s.path, name)
		}
	}
	return a, nil
}

// comparison is how two tensors differ.
type comparison struct {
	same            bool    // as float32, to the bit
	largest         float64 // difference of two numbers
	errors, squares float64 // sums of squares, of the differences and of the first's numbers
}

// compareNumbers compares two tensors of a parameter as float32.
func compareNumbers(a, b tensor) (comparison, error) {
	if !slices.Equal(a.shape, b.shape) {
		return comparison{largest: math.MaxFloat64, errors: math.MaxFloat64}, nil
	}
	x := make([]float32, a.size())
	err := a.floats(func(offset int, values []float32) error {
		copy(x[offset:], values)
		return nil
	})
	if err != nil {
		return comparison{}, err
	}
	c := comparison{same: true}
	err = b.floats(func(offset int, values []float32) error {
		for i, y := range values {
			c.add(x[offset+i], y)
		}
		return nil
	})
	return c, err
}

// add compares two numbers.
func (c *comparison) add(x, y float32) {
	c.squares = min(c.squares+float64(x)*float64(x), math.MaxFloat64)
	if math.Float32bits(x) == math.Float32bits(y) {
		return
	}
	c.same = false
	d := math.Abs(float64(y) - float64(x))
	if !(d < math.MaxFloat64) {
		d = math.MaxFloat64 // one of them is no finite number
	}
	c.largest = max(c.largest, d)
	c.errors = min(c.errors+min(d, math.MaxFloat32)*min(d, math.MaxFloat32), math.MaxFloat64)
}

// changedKeys lists the keys of the source's configuration that the result has not or has
// otherwise.
func (s *source) changedKeys(result *source, families nn.Families) []KeyChange {
	changes := []KeyChange{}
	table := slices.Concat(families.Keys(s.modelType()), nn.CommonKeys)
	for _, key := range slices.Sorted(maps.Keys(s.config)) {
		row, known := table.Find(key, s.modelType())
		value, there := result.config[key]
		same := there && nn.SameJSON(value, s.config[key])
		if same || result.config == nil && known && row.Use != nn.Harmless {
			continue
		}
		changes = append(changes, KeyChange{Key: key, Source: s.config[key], Result: value, Why: whyChanged(row, known)})
	}
	for _, kv := range s.metadata {
		row, known := metadataKeys.Find(rowName(kv.Key, s.architecture), s.architecture)
		if known && row.Use != nn.Harmless {
			continue
		}
		value, err := json.Marshal(kv.Value)
		if err != nil {
			value = json.RawMessage("null") // not a finite number
		}
		changes = append(changes, KeyChange{Key: kv.Key, Source: value, Why: whyChanged(row, known)})
	}
	return changes
}

// whyChanged tells why nothing is lost with a key.
func whyChanged(row nn.Key, known bool) string {
	switch {
	case !known:
		return "the key is not known here and changes nothing"
	case row.Use == nn.Harmless:
		return row.Why
	case row.Use == nn.Refused:
		return "the value asks for nothing"
	}
	return "it is said by other keys or another value, which mean the same"
}
