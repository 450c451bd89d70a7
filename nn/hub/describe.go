package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
)

// Description is what the files of a model say of it beside its weights.
type Description struct {
	Spec    nn.Spec
	Special nn.SpecialTokens
	Notes   []string // what a user should know: keys that nobody knows, names that were changed
}

// Describe reads config.json and generation_config.json in dir and compares them with
// the weights, of an adapter those of its base: a head that is stored beside the table of tokens and differs from it is
// not tied to it, whatever the configuration says, as transformers has it, and a text encoder has the heads that are
// stored.
func Describe(dir string, families nn.Families) (Description, error) {
	var d Description
	place, err := PlaceOf(dir)
	if err != nil {
		return d, err
	}
	text, err := ReadText(filepath.Join(place.Base, ConfigFile))
	if err != nil {
		return d, err
	}
	if d.Spec, d.Notes, err = families.Read(text); err != nil {
		return d, fmt.Errorf("%s: %w", place.Base, err)
	}
	for i, note := range d.Notes {
		d.Notes[i] = filepath.Join(place.Base, note)
	}
	var notes []string
	if d.Special, notes, err = place.ReadSpecial(text, vocabOf(d.Spec)); err != nil {
		return d, err
	}
	d.Notes = append(d.Notes, notes...)
	return d, d.compare(place.Base)
}

// compare changes the configuration to what the weights hold. Without weights it stays:
// whoever wants them says that they are missing.
func (d *Description) compare(dir string) error {
	weights, err := safetensors.OpenDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer weights.Close()
	d.findHeads(weights)
	if err := errors.Join(d.untie(dir, weights), d.unbias(weights)); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// NotesOf are what a user should know of the model in dir, beside its tokenizer, and of
// the adapter in a directory that is put on it, "" for none.
func NotesOf(fsys vfs.FS, dir, adapter string, families nn.Families) ([]string, error) {
	d, err := Describe(dir, families)
	if err != nil {
		return nil, err
	}
	m, err := families.New(d.Spec, nn.Tuning{})
	if err != nil {
		return nil, err
	}
	place, err := PlaceOf(dir)
	if err != nil {
		return nil, err
	}
	if place.Adapter && adapter == "" {
		adapter = place.Dir
	}
	weights, err := safetensors.OpenDir(place.Base)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	match, err := MatchTensors(weights, m.Params())
	if err != nil || adapter == "" {
		return append(d.Notes, match.Notes...), err
	}
	a, err := peft.Open(fsys, adapter)
	if err != nil {
		return nil, err
	}
	return slices.Concat(d.Notes, match.Notes, a.Notes), a.Close()
}

// vocabOf is the vocabulary of a model of text, the most of another.
func vocabOf(s nn.Spec) int {
	if text, ok := s.Config.(nn.TextConfig); ok {
		return text.Text().Vocab
	}
	return nn.MaxSize
}

// ReadSpecial reads the special tokens of the model in p: those that
// generation_config.json names, if it is there, before those of config.json, whose
// content is config. Notes are about the former.
func (p Place) ReadSpecial(config []byte, vocab int) (nn.SpecialTokens, []string, error) {
	file := filepath.Join(p.Base, ConfigFile)
	special, err := nn.ParseSpecialTokens(file, config)
	if err != nil {
		return special, nil, err
	}
	if err := special.Check(file, vocab); err != nil {
		return special, nil, err
	}
	file = p.File(GenerationFile)
	text, err := ReadText(file)
	if errors.Is(err, os.ErrNotExist) {
		return special, nil, nil
	}
	if err != nil {
		return special, nil, err
	}
	raw, err := nn.ParseHF(file, text)
	if err != nil {
		return special, nil, err
	}
	raw.Check(nn.GenerationKeys, "")
	raw.NoteSampling()
	generation, err := nn.ParseSpecialTokens(file, text)
	if err == nil {
		err = generation.Check(file, vocab)
	}
	return special.With(generation), raw.Notes(), err
}

// untie looks whether the weights have a head of their own.
func (d *Description) untie(dir string, weights *safetensors.Dir) error {
	c, ok := d.Spec.Config.(nn.HeadConfig)
	if !ok {
		return nil
	}
	headParam, tableParam, tied := c.Head()
	if !tied {
		return nil
	}
	trunk, _, _ := strings.Cut(tableParam, ".")
	names := map[string]bool{headParam: true, tableParam: true}
	var head, table *safetensors.Tensor
	for _, t := range weights.Tensors() {
		switch param, _ := unwrap(t.Name, trunk+".", names, map[string]string{}); param {
		case headParam:
			head = &t
		case tableParam:
			table = &t
		}
	}
	if head == nil || table == nil {
		return nil
	}
	same, err := sameTensor(*head, *table)
	if err != nil {
		return err
	}
	if !same {
		c.SetTied(false)
		d.Notes = append(d.Notes, fmt.Sprintf("%s: tie_word_embeddings is true, but %s differs from %s: the head stays as it is stored, as in transformers",
			filepath.Join(dir, ConfigFile), head.Name, table.Name))
	}
	return nil
}

// findHeads gives a text encoder the heads that its weights have.
func (d *Description) findHeads(weights *safetensors.Dir) {
	c, ok := d.Spec.Config.(nn.EncoderConfig)
	if !ok {
		return
	}
	c.Stored(func(param string) bool {
		trunk, _, _ := strings.Cut(param, ".")
		return slices.ContainsFunc(weights.Tensors(), func(t safetensors.Tensor) bool {
			_, is := unwrap(t.Name, trunk+".", map[string]bool{param: true}, map[string]string{})
			return is
		})
	})
}

// unbias looks whether the weights have a bias of the logits that is not all zeros.
func (d *Description) unbias(weights *safetensors.Dir) error {
	c, ok := d.Spec.Config.(nn.BiasConfig)
	if !ok {
		return nil
	}
	name, there := c.HeadBias()
	if !there {
		return nil
	}
	there, err := biased(weights, name)
	if err != nil {
		return err
	}
	c.SetHeadBias(there)
	return nil
}

// biased tells whether a tensor is there and not all zeros.
func biased(weights *safetensors.Dir, name string) (bool, error) {
	t, ok := weights.Tensor(name)
	if !ok {
		return false, nil
	}
	zero, err := isZero(t)
	return !zero, err
}

// isZero tells whether a tensor is zeros.
func isZero(t safetensors.Tensor) (bool, error) {
	size := 1
	for _, n := range t.Shape {
		size *= n
	}
	values := make([]float32, min(size, StreamElements))
	for at := 0; at < size; at += len(values) {
		part := values[:min(len(values), size-at)]
		if err := copyPart(t, part, at); err != nil {
			return false, err
		}
		for _, v := range part {
			if v != 0 {
				return false, nil
			}
		}
	}
	return true, nil
}
