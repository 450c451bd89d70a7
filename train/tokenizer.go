package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"gotrain/data"
	"gotrain/data/bpe"
	"gotrain/data/hf"
	"gotrain/data/spm"
	"gotrain/train/checkpoint"
)

// Encoder is a tokenizer as package data wants it: with the token that ends a
// document.
type Encoder struct {
	data.Tokenizer
	end int32
}

// endTokens are the names of the end-of-document token in families of models.
var endTokens = []string{bpe.EndOfText, "<|end_of_text|>", "</s>", "<eos>"}

// NewEncoder finds the tokenizer's end-of-text token.
func NewEncoder(t data.Tokenizer) (Encoder, error) {
	for _, name := range endTokens {
		if id, ok := t.Special(name); ok {
			return Encoder{t, id}, nil
		}
	}
	return Encoder{}, fmt.Errorf("the tokenizer has no end-of-text token; add one of %v as a special token", endTokens)
}

// EndOfText returns the token that ends a document.
func (e Encoder) EndOfText() int32 { return e.end }

// VocabSize returns the number of token ids.
func (e Encoder) VocabSize() int { return e.Vocab() }

// TokenizerDir is the directory of a run's frozen tokenizer.
func TokenizerDir(runDir string) string { return filepath.Join(runDir, "tokenizer") }

// openTokenizer loads the tokenizer of the checkpoint, else the one frozen in
// the run, else what the configuration names, and freezes it in the run.
func (r *run) openTokenizer(ctx context.Context, from string) (data.Tokenizer, error) {
	frozen := TokenizerDir(r.cfg.Run.Dir)
	for _, dir := range []string{from, frozen} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err == nil {
			return LoadTokenizer(dir)
		}
	}
	t, err := MakeTokenizer(ctx, r.cfg, r.deps.Listener.Phase)
	if err != nil {
		return nil, err
	}
	if !r.cfg.Rank.First() {
		return t, nil // it cannot see what rank 0 froze, and is compared with it
	}
	return t, SaveTokenizer(r.deps.FS, frozen, t, r.cfg.Text().Context)
}

// MakeTokenizer loads or fits the tokenizer that cfg describes.
func MakeTokenizer(ctx context.Context, cfg Config, phase func(Phase)) (data.Tokenizer, error) {
	c := cfg.Tokenizer
	switch {
	case c.Path != "":
		return LoadTokenizer(c.Path)
	case c.Kind == "bytes":
		return bpe.Bytes()
	}
	corpus, err := data.OpenCorpus(cfg.Data.Config)
	if err != nil {
		return nil, err
	}
	var t data.Tokenizer
	if c.Kind == "characters" {
		var text []byte
		for doc, err := range trainingText(corpus) {
			if err != nil {
				return nil, err
			}
			text = append(text, doc...)
		}
		t, err = bpe.Characters(text)
	} else {
		var pattern bpe.Pattern
		if pattern, err = bpe.ParsePattern(c.Pattern); err != nil {
			return nil, err
		}
		t, err = bpe.Train(ctx, trainingText(corpus), bpe.TrainConfig{
			Pattern: pattern, Vocab: c.Vocab, Special: []string{bpe.EndOfText}, Workers: cfg.Threads,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	notify(phase, Phase{"tokenizer", fmt.Sprintf("%s, %d tokens, fitted to the training text", c.Kind, t.Vocab())})
	return t, nil
}

// trainingText streams the documents that are not held out.
func trainingText(c *data.Corpus) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for doc, err := range c.Documents() {
			if err == nil && doc.Split == data.Validation {
				continue
			}
			if !yield(doc.Text, err) {
				return
			}
		}
	}
}

// LoadTokenizer reads a tokenizer.json of any kind, a tokenizer.model of
// SentencePiece, a directory that holds either, or a .tiktoken rank file whose
// name tells its encoding.
func LoadTokenizer(path string) (data.Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir := path
		path = filepath.Join(dir, "tokenizer.json")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if model := filepath.Join(dir, "tokenizer.model"); isFile(model) {
				path = model
			}
		}
	}
	switch base := filepath.Base(path); {
	case strings.HasSuffix(base, ".tiktoken"):
		encoding, err := bpe.EncodingByName(strings.TrimSuffix(base, ".tiktoken"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return bpe.LoadTiktoken(path, encoding)
	case strings.Contains(base, ".model"): // Mistral's are called tokenizer.model.v3 and the like
		return spm.Load(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadTokenizer(f, path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// ReadTokenizer reads a tokenizer.json of any kind; name stands for the source
// in errors.
func ReadTokenizer(r io.Reader, name string) (data.Tokenizer, error) {
	doc, err := hf.ReadDocument(r)
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	kind, err := doc.ModelType()
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	var t data.Tokenizer
	if kind == "BPE" && doc.ByteLevel() {
		t, err = bpe.FromDocument(doc)
	} else {
		t, err = spm.FromDocument(doc)
	}
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	return t, nil
}

// tokenizerFiles are the tokenizer as Hugging Face reads it.
func tokenizerFiles(t data.Tokenizer, roles hf.Roles) ([]checkpoint.File, error) {
	config, err := t.ConfigJSON(roles)
	if err != nil {
		return nil, err
	}
	vocabulary := checkpoint.File{Name: "tokenizer.json", Write: func(w io.Writer) error {
		_, err := w.Write(t.AppendJSON(nil)) // it takes a while: beside the steps
		return err
	}}
	return []checkpoint.File{vocabulary, bytesFile("tokenizer_config.json", config)}, nil
}
