// Package tokenizers opens and keeps tokenizers of any kind.
//
// [Load] reads one from a file or a directory and tells its kind by the content,
// [Save] writes it as Hugging Face reads it, and [NewEncoder] makes it what package
// data tokenizes a corpus with: a tokenizer that can end a document. What the
// kinds compute is the business of data/bpe and data/spm.
package tokenizers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gotrain/data"
	"gotrain/data/bpe"
	"gotrain/data/hf"
	"gotrain/data/spm"
	"gotrain/data/vfs"
	"gotrain/data/wordpiece"
)

// File is the name of a tokenizer in a directory.
const File = "tokenizer.json"

// Load reads a tokenizer.json of any kind, a tokenizer.model of SentencePiece, a
// directory that holds either, or a .tiktoken rank file whose name tells its
// encoding. A path where nothing is may be one of [Names].
func Load(path string) (data.Tokenizer, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && IsName(path) {
		return Named(path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir := path
		path = filepath.Join(dir, File)
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
	return Read(f, path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// Read reads a tokenizer.json of any kind; name stands for the source in errors.
func Read(r io.Reader, name string) (data.Tokenizer, error) {
	doc, err := hf.ReadDocument(r)
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	kind, err := doc.ModelType()
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	var t data.Tokenizer
	switch {
	case kind == "BPE" && doc.ByteLevel():
		if t, err = bpe.FromDocument(doc); errors.Is(err, bpe.ErrCharacters) {
			t, err = spm.FromDocument(doc)
		}
	case kind == "WordPiece" || kind == "WordLevel":
		t, err = wordpiece.FromDocument(doc)
	default:
		t, err = spm.FromDocument(doc)
	}
	if err != nil {
		return nil, hf.InFile(err, name)
	}
	return t, nil
}

// Files are the tokenizer as Hugging Face reads it, tokenizer.json and
// tokenizer_config.json with the roles of its tokens.
func Files(t data.Tokenizer, roles hf.Roles) ([]vfs.Content, error) {
	config, err := t.ConfigJSON(roles)
	if err != nil {
		return nil, err
	}
	vocabulary := vfs.Content{Name: File, Write: func(w io.Writer) error {
		_, err := w.Write(t.AppendJSON(nil)) // it takes a while: only when it is written
		return err
	}}
	return []vfs.Content{vocabulary, vfs.Bytes("tokenizer_config.json", config)}, nil
}

// Save writes Files into dir, which it makes. Texts begin and end with the
// end-of-text token, if there is one; context is the longest sequence in tokens, 0
// for no limit.
func Save(fsys vfs.FS, dir string, t data.Tokenizer, context int) error {
	files, err := Files(t, FreshRoles(t, context))
	if err != nil {
		return err
	}
	if err := vfs.MkdirAll(fsys, dir); err != nil {
		return err
	}
	for _, f := range files {
		if err := vfs.WriteFile(fsys, filepath.Join(dir, f.Name), f.Write); err != nil {
			return err
		}
	}
	return nil
}

// FreshRoles are the roles of tokens for a model that is trained from scratch.
func FreshRoles(t data.Tokenizer, context int) hf.Roles {
	roles := hf.Roles{MaxLength: context}
	if e, err := NewEncoder(t); err == nil {
		roles.BOS = string(t.TokenBytes(e.end))
		roles.EOS = roles.BOS
	}
	return roles
}
