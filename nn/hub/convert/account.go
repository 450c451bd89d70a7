package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"gotrain/nn"
	"gotrain/nn/hub"
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
	// Keys are the keys of config.json or of GGUF's metadata that the result has not, or
	// has otherwise.
	Keys []KeyChange `json:"keys"`
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
	for i, p := range s.model.Params() {
		t := s.tensors[i]
		if known[t.stored] {
			return a, fmt.Errorf("%s: tensor %q is left out and parameter %q; please report this with the model's name", s.path, t.stored, p.Name)
		}
		known[t.stored] = true
		a.Kept++
		same, difference, err := compareNumbers(t, result.tensors[i])
		if err != nil {
			return a, err
		}
		if same {
			a.Equal++
		}
		if difference > a.LargestDifference || !same && a.Furthest == "" {
			a.LargestDifference, a.Furthest = difference, p.Name
		}
	}
	for _, name := range s.stored {
		if !known[name] {
			return a, fmt.Errorf("%s: tensor %q is not in the result; please report this with the model's name", s.path, name)
		}
	}
	return a, nil
}

// compareNumbers tells whether two tensors of a parameter have the same bits as float32,
// and how far two numbers of them are apart.
func compareNumbers(a, b tensor) (same bool, largest float64, err error) {
	if !slices.Equal(a.shape, b.shape) {
		return false, math.MaxFloat64, nil
	}
	x := make([]float32, a.size())
	err = a.floats(func(offset int, values []float32) error {
		copy(x[offset:], values)
		return nil
	})
	if err != nil {
		return false, 0, err
	}
	same = true
	err = b.floats(func(offset int, values []float32) error {
		for i, y := range values {
			if math.Float32bits(y) == math.Float32bits(x[offset+i]) {
				continue
			}
			same = false
			if d := math.Abs(float64(y) - float64(x[offset+i])); d < math.MaxFloat64 {
				largest = max(largest, d)
			} else {
				largest = math.MaxFloat64 // one of them is no finite number
			}
		}
		return nil
	})
	return same, largest, err
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
