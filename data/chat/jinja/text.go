package jinja

// EachText calls f for the strings in a value, keys of dicts left out.
func EachText(v Value, f func(s string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case *List:
		for _, item := range v.items {
			EachText(item, f)
		}
	case *Dict:
		for _, item := range v.values {
			EachText(item, f)
		}
	}
}

// MapText returns a value with f applied to its strings, keys of dicts left out.
func MapText(v Value, f func(s string) string) Value {
	switch v := v.(type) {
	case string:
		return f(v)
	case *List:
		items := make([]Value, len(v.items))
		for i, item := range v.items {
			items[i] = MapText(item, f)
		}
		return NewList(items)
	case *Dict:
		d := newDict(len(v.keys))
		for i, key := range v.keys {
			d.set(key, MapText(v.values[i], f))
		}
		return d
	}
	return v
}

// Mentions says whether a template has a word as a name or as a string: one that does not cannot read a variable or an
// attribute of that name, but for one that goes through all of them.
func (t *Template) Mentions(word string) bool { return t.words[word] }

// wordsOf returns the names and strings of a template.
func wordsOf(tokens []token) map[string]bool {
	words := map[string]bool{}
	for _, t := range tokens {
		if t.kind == "name" || t.kind == "string" {
			words[t.text] = true
		}
	}
	return words
}
