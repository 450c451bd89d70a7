package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/hub/safetensors"
)

// storedTypes pairs the dtypes of safetensors that a parameter may have.
var storedTypes = map[safetensors.DType]gguf.Type{
	safetensors.F32: gguf.F32, safetensors.F16: gguf.F16, safetensors.BF16: gguf.BF16, safetensors.F64: gguf.F64,
}

// openDirectory opens a Hugging Face directory or a checkpoint; of an adapter its base,
// into which Convert merges it.
func openDirectory(dir string, deps Deps) (_ *source, err error) {
	place, err := hub.PlaceOf(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(place.Base, hub.ConfigFile)
	text, err := hub.ReadText(file)
	if errors.Is(err, os.ErrNotExist) {
		return openGGUFFolder(dir, deps)
	}
	if err != nil {
		return nil, err
	}
	d, err := hub.Describe(dir, deps.Families)
	if err != nil {
		return nil, err
	}
	s := &source{path: dir, place: place, special: d.Special, notes: d.Notes}
	if err := s.make(d.Spec, deps.Families); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if s.generation, err = readOptional(place.File(hub.GenerationFile)); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &s.config); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	weights, err := safetensors.OpenDir(place.Base)
	if err != nil {
		return nil, err
	}
	s.closer = weights.Close
	if err := s.takeTensors(weights); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.tokenizer, err = readTokenizer(place.TokenizerDir())
	s.tokenizer.err = err
	return s, nil
}

func (s *source) takeTensors(weights *safetensors.Dir) error {
	for _, t := range weights.Tensors() {
		s.stored = append(s.stored, t.Name)
	}
	m, err := hub.MatchTensors(weights, s.model.Params())
	if err != nil {
		return err
	}
	s.left, s.notes = m.Left, append(s.notes, m.Notes...)
	for _, p := range s.model.Params() {
		t, _ := weights.Tensor(m.Tensors[p.Name])
		typ, ok := storedTypes[t.DType]
		if !ok {
			return fmt.Errorf("%s: tensor %q is of type %v: convert it to F32, F16 or BF16 with transformers' save_pretrained", s.path, t.Name, t.DType)
		}
		if err := s.add(p, tensor{stored: t.Name, shape: t.Shape, typ: typ, data: t.Data}); err != nil {
			return err
		}
	}
	return nil
}

// readTokenizer reads the tokenizer's files in dir as they are; a tokenizer.model
// without tokenizer.json becomes one. A chat template
// in a file of its own goes into tokenizer_config.json.
func readTokenizer(dir string) (tokenizerFiles, error) {
	var files tokenizerFiles
	var err error
	file := filepath.Join(dir, "tokenizer.json")
	if files.tokenizer, err = hub.ReadText(file); errors.Is(err, os.ErrNotExist) {
		files.tokenizer, err = modelTokenizer(dir)
	}
	if errors.Is(err, os.ErrNotExist) {
		return files, fmt.Errorf("%s holds no tokenizer.json and no tokenizer.model: save the tokenizer with transformers' AutoTokenizer.save_pretrained, or name a directory with --tokenizer", dir)
	}
	if err != nil {
		return files, err
	}
	file = filepath.Join(dir, "tokenizer_config.json")
	if files.config, err = readOptional(file); err != nil {
		return files, err
	}
	if files.config == nil {
		files.config = []byte("{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}\n")
	}
	template, err := readOptional(filepath.Join(dir, "chat_template.jinja"))
	if err != nil || template == nil {
		return files, err
	}
	if files.config, err = setKey(files.config, "chat_template", string(template)); err != nil {
		return files, fmt.Errorf("%s: %w", file, err)
	}
	return files, nil
}

// chatTemplate reads the template of a tokenizer_config.json: a text, or a list of
// named ones, of which "default" is taken.
func chatTemplate(config []byte) (string, error) {
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: %w", err)
	}
	if len(c.Template) == 0 || bytes.Equal(c.Template, []byte("null")) {
		return "", nil
	}
	var text string
	if json.Unmarshal(c.Template, &text) == nil {
		return text, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(c.Template, &list); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: chat_template is neither a text nor a list of named ones")
	}
	if i := slices.IndexFunc(list, func(t struct{ Name, Template string }) bool { return t.Name == "default" }); i >= 0 {
		return list[i].Template, nil
	}
	return "", nil
}
