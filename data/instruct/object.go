package instruct

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// An object is a JSON object of which it is known what has been read.
type object struct {
	place  string // in errors, as messages[2]; "" for a record
	keys   []string
	values map[string]json.RawMessage
	read   map[string]bool
}

// newObject splits a valid JSON object.
func newObject(place string, raw json.RawMessage) *object {
	all := members(raw)
	o := &object{place, make([]string, 0, len(all)), make(map[string]json.RawMessage, len(all)), make(map[string]bool, len(all))}
	for _, m := range all {
		o.keys = append(o.keys, m.key)
		o.values[m.key] = m.value
	}
	return o
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// get returns the value of a key, nil for none and for null.
func (o *object) get(key string) json.RawMessage {
	o.read[key] = true
	if v := o.values[key]; !isNull(v) {
		return v
	}
	return nil
}

// has says whether a key is there, with null too.
func (o *object) has(key string) bool { return o.values[key] != nil }

// says whether a key has a value that may change anything: neither null nor empty.
func (o *object) says(key string) bool { return o.has(key) && (keyRule{}).says(o.values[key]) }

// name is a key as errors say it.
func (o *object) name(key string) string {
	if o.place == "" {
		return fmt.Sprintf("key %q", key)
	}
	return o.place + "." + key
}

// wrong reports a value of another type than a key has.
func (o *object) wrong(key, want string) error {
	raw := o.values[key]
	cure := ""
	switch k := kindOf(raw); {
	case want == "text" && (k == "a number" || k == "true or false"):
		cure = " (write " + strconv.Quote(string(raw)) + ")"
	case want == "text" && k == "null":
		cure = ` (leave the record out, or write "" if nothing is meant)`
	}
	return fmt.Errorf("%s is %s, not a %s%s", o.name(key), shorten(raw), want, cure)
}

// rest applies the rules to the keys that have not been read, and returns those that no rule knows and that are not null, sorted.
func (o *object) rest(rules map[string]keyRule) (unread []string, err error) {
	for _, key := range o.keys {
		rule, known := rules[key]
		switch {
		case o.read[key] || known && rule.use == harmless:
		case known && (rule.use == refused || rule.use == given):
			if err == nil && rule.says(o.values[key]) {
				err = fmt.Errorf("%s is %s: %s", o.name(key), shorten(o.values[key]), rule.why)
			}
		case !isNull(o.values[key]):
			unread = append(unread, key)
		}
	}
	slices.Sort(unread)
	return unread, err
}

// unread is rest for an object of a list, with the list's name before the keys.
func (o *object) unread(list string, rules map[string]keyRule) ([]string, error) {
	keys, err := o.rest(rules)
	for i, key := range keys {
		keys[i] = list + "." + key
	}
	return keys, err
}

// says reports whether a value of a refused key changes anything.
func (r keyRule) says(value json.RawMessage) bool {
	const longest = 64 // of neutral values
	switch {
	case len(value) <= longest && (isNull(value) || string(value) == `""` || slices.Contains(r.neutral, string(value))):
		return false
	case value[0] == '{':
		return len(members(value)) > 0
	case value[0] == '[':
		return len(elements(value)) > 0
	}
	return true
}

func shorten(value json.RawMessage) string {
	const most = 40
	text := string(value[:min(len(value), 4*most+4)])
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// parseText reads a text; none and null are "".
func parseText(o *object, key string) (string, error) {
	raw := o.get(key)
	switch {
	case raw == nil:
		return "", nil
	case raw[0] != '"':
		return "", o.wrong(key, "text")
	}
	return unquote(raw), nil
}

// needText is parseText for what null does not say.
func needText(o *object, key string) (string, error) {
	if isNull(o.values[key]) {
		return "", o.wrong(key, "text")
	}
	return parseText(o, key)
}

// parseCounts says whether the loss counts what an object is, by keys whose values are 0 or 1, or false or true. said tells
// whether one is there.
func parseCounts(o *object, keys ...string) (counts, said bool, err error) {
	counts = true
	for _, key := range keys {
		raw := o.get(key)
		if raw == nil {
			continue
		}
		said = true
		switch string(raw) {
		case "0", "0.0", "false":
			counts = false
		case "1", "1.0", "true":
		default:
			return false, true, fmt.Errorf("%s is %s; the loss counts it or it does not: use 0 or 1, or true or false (leave out what counts less, repeat what counts more)",
				o.name(key), shorten(raw))
		}
	}
	return counts, said, nil
}
