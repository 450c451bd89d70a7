package jinja

import (
	"math"
	"math/big"
	"strings"
)

// Dict is a dict: it keeps the order in which its keys were set. Templates cannot change one.
type Dict struct {
	keys, values []Value
	index        map[hash]int // nil while the dict is small
}

// smallDict is up to how many keys a dict is searched from its begin.
const smallDict = 8

// hash is a key of a dict as Go compares it: equal keys have equal hashes and the other way round.
type hash struct {
	kind   byte
	number int64
	text   string
	object Value
}

// hashOf returns the hash of a key; ok is false for what Python calls unhashable.
func hashOf(v Value) (h hash, ok bool) {
	switch v := v.(type) {
	case string:
		return hash{kind: 's', text: v}, true
	case Markup:
		return hash{kind: 's', text: string(v)}, true
	case none:
		return hash{kind: 'n'}, true
	case bool:
		n, _ := index(v)
		return hash{kind: 'i', number: n}, true
	case int64:
		return hash{kind: 'i', number: v}, true
	case *big.Int:
		return hash{kind: 'b', text: v.Text(62)}, true
	case float64:
		switch {
		case v != math.Trunc(v) || math.IsInf(v, 0):
			return hash{kind: 'f', number: int64(math.Float64bits(v))}, true
		case v >= -1<<63 && v < 1<<63:
			return hash{kind: 'i', number: int64(v)}, true
		}
		n, _ := new(big.Float).SetFloat64(v).Int(nil)
		return hash{kind: 'b', text: n.Text(62)}, true
	case *Tuple:
		var b strings.Builder
		for _, item := range v.items {
			h, ok := hashOf(item)
			if !ok {
				return h, false
			}
			if h.object != nil {
				refuse("a tuple that holds an object is used as a key")
			}
			b.WriteByte(h.kind)
			for shift := 0; shift < 64; shift += 8 {
				b.WriteByte(byte(h.number >> shift))
			}
			n := len(h.text)
			b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
			b.WriteString(h.text)
		}
		return hash{kind: 't', text: b.String()}, true
	case *Missing:
		return hash{kind: 'u'}, true
	case *List, *Dict, *view, *loopState:
		if w, ok := v.(*view); ok && w.kind == "dict_values" {
			return hash{kind: 'o', object: v}, true
		}
		if _, ok := v.(*loopState); ok {
			return hash{kind: 'o', object: v}, true
		}
		return hash{}, false
	}
	return hash{kind: 'o', object: v}, true
}

// key counts the steps that the hash of a key takes, and returns the key. A tuple may hold itself in many places.
func (m *machine) key(v Value) Value {
	switch v := v.(type) {
	case string:
		m.spend(int64(len(v) / 64))
	case *Tuple:
		defer m.leave(m.enter())
		m.grow(32 * int64(len(v.items)))
		for _, item := range v.items {
			m.key(item)
		}
	}
	return v
}

func newDict(n int) *Dict { return &Dict{keys: make([]Value, 0, n), values: make([]Value, 0, n)} }

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{} }

// Set sets the value of a key, behind those that are there; a key that is there keeps its place.
func (d *Dict) Set(key string, value Value) { d.set(key, value) }

// Get returns the value of a key.
func (d *Dict) Get(key string) (Value, bool) { return d.find(key) }

// Keys returns the keys in order; d must not be used to change them.
func (d *Dict) Keys() []Value { return d.keys }

// Len returns the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// find is get for a string.
func (d *Dict) find(key string) (Value, bool) {
	if d.index != nil {
		if i, ok := d.index[hash{kind: 's', text: key}]; ok {
			return d.values[i], true
		}
		return nil, false
	}
	for i, k := range d.keys {
		switch k := k.(type) {
		case string:
			if k == key {
				return d.values[i], true
			}
		case Markup:
			if string(k) == key {
				return d.values[i], true
			}
		}
	}
	return nil, false
}

// get returns the value of a key; an unhashable one is a type error.
func (d *Dict) get(key Value) (Value, bool) {
	if s, ok := key.(string); ok {
		return d.find(s)
	}
	if i := d.place(mustHash(key)); i >= 0 {
		return d.values[i], true
	}
	return nil, false
}

func (d *Dict) place(h hash) int {
	if d.index != nil {
		if i, ok := d.index[h]; ok {
			return i
		}
		return -1
	}
	for i, k := range d.keys {
		if other, _ := hashOf(k); other == h {
			return i
		}
	}
	return -1
}

func (d *Dict) set(key, value Value) {
	h := mustHash(key)
	if f, ok := key.(float64); ok && f != f {
		refuse("nan is a key of a dict")
	}
	if i := d.place(h); i >= 0 {
		d.values[i] = value
		return
	}
	d.keys, d.values = append(d.keys, key), append(d.values, value)
	if d.index == nil && len(d.keys) > smallDict {
		d.index = make(map[hash]int, 2*len(d.keys))
		for i, k := range d.keys {
			d.index[mustHash(k)] = i
		}
	} else if d.index != nil {
		d.index[h] = len(d.keys) - 1
	}
}

func mustHash(key Value) hash {
	h, ok := hashOf(key)
	if !ok {
		typeError("unhashable type: '%s'", unhashable(key))
	}
	return h
}

// unhashable returns the type that makes a key unhashable: of a tuple it is an element's.
func unhashable(key Value) string {
	if t, ok := key.(*Tuple); ok {
		for _, item := range t.items {
			if _, ok := hashOf(item); !ok {
				return unhashable(item)
			}
		}
	}
	return typeName(key)
}
