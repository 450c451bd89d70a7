package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A Use is what becomes of a key of a file.
type Use uint8

const (
	// Used keys are read.
	Used Use = iota
	// Harmless keys change nothing that a model computes.
	Harmless
	// Refused keys ask for what is not computed here: any value but one that asks for nothing is an error.
	Refused
)

// Key is a row of a table of the keys of a file.
type Key struct {
	Name string
	Use  Use
	// Why tells why nothing is lost with a harmless key, and what a refused one asks for.
	Why string
	// Off are the values, in JSON, of a refused key that ask for nothing, beside null,
	// false and what is empty, unless they are in On.
	Off []string
	On  []string
	// Types are the values of model_type for which the row holds; none are all.
	Types []string
}

// Keys are a table of the keys of a file. Where several rows of a name hold, the first
// counts.
type Keys []Key

// Find returns the row of a key in a file of that model_type.
func (t Keys) Find(name, modelType string) (Key, bool) {
	i := slices.IndexFunc(t, func(k Key) bool {
		return k.Name == name && (len(k.Types) == 0 || slices.Contains(k.Types, modelType))
	})
	if i < 0 {
		return Key{}, false
	}
	return t[i], true
}

// Check compares the keys of a file with the table, in the order of their names:
// faults are the refused ones that ask for something, unknown those that no row has.
func (t Keys) Check(file map[string]json.RawMessage, modelType string) (faults Faults, unknown []string) {
	for _, name := range slices.Sorted(maps.Keys(file)) {
		key, known := t.Find(name, modelType)
		switch {
		case !known:
			unknown = append(unknown, name)
		case key.Use == Refused && key.asks(file[name]):
			faults.Add(name, "%s is not supported: %s", shown(file[name]), key.Why)
		}
	}
	return faults, unknown
}

// asks tells whether a value of a refused key asks for something.
func (k Key) asks(value json.RawMessage) bool {
	for _, on := range k.On {
		if SameJSON(value, json.RawMessage(on)) {
			return true
		}
	}
	if !Asks(value) {
		return false
	}
	for _, off := range k.Off {
		if SameJSON(value, json.RawMessage(off)) {
			return false
		}
	}
	return true
}

// Asks tells whether a value of a key asks for something: null, false and what is empty
// do not.
func Asks(value json.RawMessage) bool {
	for _, off := range []string{"null", "false", `""`, "[]", "{}"} {
		if SameJSON(value, json.RawMessage(off)) {
			return false
		}
	}
	return len(value) > 0
}

// maxShown is the most bytes of a value that an error shows.
const maxShown = 80

// shown is a value in one line.
func shown(value json.RawMessage) string {
	var line bytes.Buffer
	if json.Compact(&line, value) != nil || line.Len() <= maxShown {
		return line.String()
	}
	return strings.ToValidUTF8(string(line.Bytes()[:maxShown]), "") + " …"
}

// SameJSON compares values whatever their spelling.
func SameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// UnknownKeys says, in a note for the user, that a file has keys that no table knows;
// "" for none.
func UnknownKeys(file string, keys []string) string {
	switch len(keys) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s: the key %s is not known here and changes nothing", file, keys[0])
	}
	return fmt.Sprintf("%s: the keys %s are not known here and change nothing", file, strings.Join(keys, ", "))
}
