package encode

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Pooling is how the states of a text become its embedding, as sentence-transformers keeps it
// beside a model.
type Pooling struct {
	First  bool // the state of the first token in place of the mean of all
	Unit   bool // scaled to length 1
	Tokens int  // most of a text, special ones among them; 0 is the model's context
}

// Of is the embedding of what a model tells, which was asked for Want.
func (p Pooling) Of(t Told) []float32 {
	x := t.Mean
	if p.First {
		x = t.First
	}
	if p.Unit {
		x = Unit(x)
	}
	return x
}

// Want is what has to be computed of a row.
func (p Pooling) Want() Want {
	if p.First {
		return First
	}
	return Mean
}

// ReadPooling reads modules.json, the folders of Pooling and Normalize that it names, and
// sentence_bert_config.json in the directory of a model; found is false where there is no
// modules.json, and the pooling is then the mean. The error tells of what is not computed
// here.
func ReadPooling(dir string) (p Pooling, found bool, err error) {
	var modules []struct{ Path, Type string }
	file := filepath.Join(dir, "modules.json")
	if found, err = readJSON(file, &modules); err != nil || !found {
		return p, found, err
	}
	for _, m := range modules {
		switch kind := m.Type[strings.LastIndex(m.Type, ".")+1:]; kind {
		case "Transformer":
		case "Normalize":
			p.Unit = true
		case "Pooling":
			if err := p.readModes(filepath.Join(dir, filepath.Base(m.Path), "config.json")); err != nil {
				return p, true, err
			}
		default:
			return p, true, fmt.Errorf("%s: a module of type %q is not supported: embeddings are pooled and normalised, and nothing else", file, m.Type)
		}
	}
	var limits struct {
		Max int `json:"max_seq_length"`
	}
	_, err = readJSON(filepath.Join(dir, "sentence_bert_config.json"), &limits)
	p.Tokens = max(0, limits.Max)
	return p, true, err
}

// readModes reads which of the modes of pooling is on.
func (p *Pooling) readModes(file string) error {
	var keys map[string]any
	found, err := readJSON(file, &keys)
	if err == nil && !found {
		err = fmt.Errorf("%s is missing, though modules.json names it", file)
	}
	if err != nil {
		return err
	}
	var on []string
	for key, value := range keys {
		if value == true && strings.HasPrefix(key, "pooling_mode_") {
			on = append(on, key)
		}
	}
	if mode, ok := keys["pooling_mode"].(string); ok && len(on) == 0 {
		on = []string{"pooling_mode_" + mode}
	}
	slices.Sort(on)
	switch {
	case len(on) == 1 && (on[0] == "pooling_mode_mean_tokens" || on[0] == "pooling_mode_mean"):
		p.First = false
	case len(on) == 1 && (on[0] == "pooling_mode_cls_token" || on[0] == "pooling_mode_cls"):
		p.First = true
	default:
		return fmt.Errorf("%s: %q is not supported: the mean of the tokens and the first token are, one of them", file, on)
	}
	return nil
}

// readJSON reads a file that may be missing.
func readJSON(file string, into any) (found bool, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return true, fmt.Errorf("%s: %w", file, err)
	}
	return true, nil
}

// Name is what the state of a text is: mean or first.
func (p Pooling) Name() string {
	if p.First {
		return "first"
	}
	return "mean"
}
