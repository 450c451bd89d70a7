package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
)

// source is an opened model.
type source struct {
	path      string
	place     hub.Place // of a directory
	model     nn.Model  // a language model, or one of pairs
	special   nn.SpecialTokens
	tensors   []tensor // the parameters in the model's order
	tokenizer tokenizerFiles
	config    map[string]json.RawMessage // the keys of a directory's config.json
	// metadata and architecture are those of a GGUF file.
	metadata     gguf.Metadata
	architecture string
	stored       []string      // the names of all tensors of the files
	left         []hub.LeftOut // tensors that are no parameter
	notes        []string      // what a user should know
	// encoder is made of the tokenizer's files by readEncoder, which leaves nil
	// where this program does not know their kind.
	encoder data.Tokenizer
	// generation is generation_config.json, nil to make one of special.
	generation []byte
	// adapted is an adapter that is merged into other numbers than it was trained on, nil for none.
	adapted *adapted
	closer  func() error
}

// tokenizerFiles are a tokenizer as Hugging Face stores it, or why there is none.
type tokenizerFiles struct {
	tokenizer []byte // tokenizer.json
	config    []byte // tokenizer_config.json, with the chat template
	err       error
}

// open opens the model at path. The source's tokenizer may be missing or of an
// unknown kind: then tokenizer.err says so.
func open(path string, deps Deps) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openDirectory(path, deps)
	}
	if strings.HasSuffix(path, ".safetensors") {
		return nil, fmt.Errorf("%s holds weights alone: name its directory, which has config.json and the tokenizer too", path)
	}
	return openGGUF(path, deps)
}

// openGGUFFolder opens a directory without config.json: that of one GGUF model, whole
// or in parts.
func openGGUFFolder(dir string, deps Deps) (*source, error) {
	file, err := gguf.Find(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no %s: name a Hugging Face directory, a checkpoint or a GGUF file", dir, hub.ConfigFile)
	}
	if err != nil {
		return nil, err
	}
	return openGGUF(file, deps)
}

func (s *source) close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer()
}

// modelType is the model_type of the model's config.json.
func (s *source) modelType() string {
	keys, err := s.model.HuggingFace()
	if err != nil {
		return s.model.Family()
	}
	name, _ := keys["model_type"].(string)
	return name
}

// build makes the model of a config.json.
func (s *source) build(text []byte, families nn.Families) error {
	spec, err := families.Parse(text)
	if err != nil {
		return err
	}
	return s.make(spec, families)
}

// make makes the model of spec.
func (s *source) make(spec nn.Spec, families nn.Families) error {
	m, err := families.New(spec, nn.Tuning{})
	if err != nil {
		return err
	}
	s.model = m
	if _, ok := m.(nn.PairModel); ok {
		return nil
	}
	_, err = nn.AsLanguageModel(m)
	return err
}

// vocab is the number of tokens that the model knows.
func (s *source) vocab() int { return s.model.Config().(nn.TextConfig).Text().Vocab }

// context is the most tokens of a text.
func (s *source) context() int { return s.model.Config().(nn.TextConfig).Text().Context }

// add appends the tensor of parameter p after checking its shape.
func (s *source) add(p nn.Param, t tensor) error {
	if !p.Shape.Equal(ir.Shape(t.shape)) {
		return fmt.Errorf("%s: tensor %q has shape %v, the configuration wants %s: they do not belong together", s.path, t.stored, t.shape, p.Shape)
	}
	if !t.typ.Decodable() {
		return fmt.Errorf("%s: tensor %q is of type %v, which is not read: convert the model to F16, Q8_0 or a K-quant first", s.path, t.stored, t.typ)
	}
	t.name = p.Name
	s.tensors = append(s.tensors, t)
	return nil
}

// readOptional is hub.ReadText that gives nil for a file that is not there.
func readOptional(path string) ([]byte, error) {
	text, err := hub.ReadText(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// readEncoder makes the tokenizer of its files and checks that it is the model's.
// A note tells why this program cannot use it; other programs may.
func (s *source) readEncoder() (note string, err error) {
	if s.tokenizer.err != nil {
		if strings.HasPrefix(s.tokenizer.err.Error(), s.path) { // it names the file
			return "", s.tokenizer.err
		}
		return "", fmt.Errorf("%s: %w", s.path, s.tokenizer.err)
	}
	t, err := tokenizers.Read(bytes.NewReader(s.tokenizer.tokenizer), tokenizers.File)
	if err != nil {
		return fmt.Sprintf("gotrain cannot use this tokenizer, though transformers may: %v", err), nil
	}
	if t, m := t.Vocab(), s.vocab(); t > m {
		return "", fmt.Errorf("%s: the tokenizer has %d tokens, the model %d; they do not belong together", s.path, t, m)
	}
	s.encoder = t
	return "", nil
}

// setKey returns the JSON object text with one more key.
func setKey(text []byte, key string, value any) ([]byte, error) {
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	var err error
	if object[key], err = encodeJSON(value, ""); err != nil {
		return nil, err
	}
	return encodeJSON(object, "  ")
}
