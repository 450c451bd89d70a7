package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Encode writes the struct as YAML with every key.
func Encode(v any) ([]byte, error) {
	return yaml.MarshalWithOptions(v, yaml.Indent(2), yaml.IndentSequence(true))
}

// tag returns the key of a struct field, and whether its fields are inlined.
func tag(f reflect.StructField) (key string, inline bool) {
	key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key, f.Anonymous || strings.Contains(options, "inline")
}

// field finds the field of the struct v with that key.
func field(v reflect.Value, key string) (reflect.Value, bool) {
	for i := 0; i < v.NumField(); i++ {
		k, inline := tag(v.Type().Field(i))
		if inline {
			if f, ok := field(v.Field(i), key); ok {
				return f, true
			}
		} else if k == key && k != "-" && k != "" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keys lists the keys of the struct v in order.
func keys(v reflect.Value) []string {
	var ks []string
	for i := 0; i < v.NumField(); i++ {
		k, inline := tag(v.Type().Field(i))
		if inline {
			ks = append(ks, keys(v.Field(i))...)
		} else if k != "-" && k != "" {
			ks = append(ks, k)
		}
	}
	return ks
}

func firstKey(v reflect.Value) string { return keys(v)[0] }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func orRoot(path string) string {
	if path == "" {
		return "a configuration"
	}
	return path
}

// unknownKey says what the key of another trainer is here, or names the nearest known key when one
// is near, else all of them; path is that of v, and others are known beside its keys.
func unknownKey(path, key string, v reflect.Value, others ...string) string {
	if here := counterpartOf(path, key); here != "" {
		return fmt.Sprintf("unknown key %q; %s", key, here)
	}
	known := append(others, keys(v)...)
	if best := nearest(key, known); best != "" {
		return fmt.Sprintf("unknown key %q; did you mean %q?", key, best)
	}
	return fmt.Sprintf("unknown key %q; the keys here are %s", key, strings.Join(known, ", "))
}

// nearest returns the name that word stands for: one that differs in a fifth of the letters, what
// other programs call so, one that is a part of the word between underscores, or the
// word a part of it, or one that differs in a third of the letters at most; "" when none
// is near.
func nearest(word string, names []string) string {
	if best := similar(word, names, max(1, len(word)/5)); best != "" {
		return best
	}
	if name := elsewhere[word]; slices.Contains(names, name) {
		return name
	}
	for _, name := range names {
		if isPart(name, word) || isPart(word, name) {
			return name
		}
	}
	return similar(word, names, (len(word)+1)/3)
}

// elsewhere has the keys of other programs that are not like ours.
var elsewhere = map[string]string{
	"learning_rate": "lr", "lr_scheduler": "schedule", "lr_scheduler_type": "schedule", "gradient_accumulation_steps": "accumulate", "grad_clip": "clip",
	"max_grad_norm": "clip", "n_layer": "layers", "num_hidden_layers": "layers", "n_head": "heads", "num_attention_heads": "heads", "n_embd": "width",
	"hidden_size": "width", "d_model": "width", "block_size": "context", "seq_len": "context", "max_length": "context", "max_seq_length": "context",
	"vocab_size": "vocab", "save_steps": "save_every", "eval_steps": "eval_every", "logging_steps": "log_every", "r": "rank", "target_modules": "targets",
	"paths": "train", "path": "train", "files": "train", "datasets": "sources", "sampling_weight": "weight", "probability": "weight", "text_column": "text_key",
}

// similar returns the name within so many changed letters of word that has the fewest,
// "" for none.
func similar(word string, names []string, distance int) string {
	best := ""
	for _, name := range names {
		if d := editDistance(word, name); d <= distance && (best == "" || d < distance) {
			best, distance = name, d
		}
	}
	return best
}

// isPart tells whether name has the part, between underscores.
func isPart(part, name string) bool { return slices.Contains(strings.Split(name, "_"), part) }

// Difference is a key in which two structs differ.
type Difference struct {
	Key     string
	Was, Is any // pointers followed
}

// Differences lists the keys in which two pointers to structs of one type differ,
// in order.
func Differences(was, is any) []Difference {
	a, b := reflect.ValueOf(was).Elem(), reflect.ValueOf(is).Elem()
	var all []Difference
	for _, key := range keys(a) {
		x, _ := field(a, key)
		y, _ := field(b, key)
		if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			all = append(all, Difference{key, indirect(x), indirect(y)})
		}
	}
	return all
}

// indirect is the value that v points to or is, "nothing" for nil.
func indirect(v reflect.Value) any {
	if v.Kind() != reflect.Pointer {
		return v.Interface()
	}
	if v.IsNil() {
		return "nothing"
	}
	return v.Elem().Interface()
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
