// Package tokenizers opens and keeps tokenizers of any kind.
//
// [Open] reads one from a file or a directory and tells its kind by the content,
// [Save] writes it as Hugging Face reads it, and [NewEncoder] makes it what package
// data tokenizes a corpus with: a tokenizer that can begin and end a document.
// [Prompts] are texts to go on from. What the kinds compute is the business of
// data/bpe, data/spm and data/wordpiece.
package tokenizers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/spm"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/wordpiece"
)

// File is the name of a tokenizer in a directory.
const File = "tokenizer.json"

// Opened is a tokenizer with what the files beside it say.
type Opened struct {
	Tokenizer data.Tokenizer
	Roles     hf.Roles // of its tokens; none where no file says so
	Notes     []string // what nobody here knows or was left out, for the user
}

// Load is the Tokenizer of Open.
func Load(path string) (data.Tokenizer, error) {
	o, err := Open(path)
	return o.Tokenizer, err
}

// Open reads a tokenizer.json of any kind, a tokenizer.model of SentencePiece, a directory that holds either, or a .tiktoken
// rank file whose name tells its encoding. A path where nothing is may be one of [Names]. Beside a tokenizer.json it reads tokenizer_config.json and its relatives, whose
// tokens transformers adds.
func Open(path string) (Opened, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && IsName(path) {
		t, err := Named(path)
		return Opened{Tokenizer: t}, err
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
	var o Opened
	var err error
	base := filepath.Base(path)
	if strings.HasSuffix(base, ".tiktoken") {
		encoding, err := bpe.EncodingByName(strings.TrimSuffix(base, ".tiktoken"))
		if err != nil {
			return o, fmt.Errorf("%s: %w", path, err)
		}
		o.Tokenizer, err = bpe.LoadTiktoken(path, encoding)
		return o, err
	}
	var c hf.TokenizerConfig
	model := strings.Contains(base, ".model") // Mistral's are called tokenizer.model.v3 and the like
	if model || base == File {
		if c, err = hf.ReadConfig(filepath.Dir(path)); err != nil {
			return o, err
		}
		o.Roles, o.Notes = c.Roles, c.Notes
	}
	if model {
		o.Tokenizer, err = spm.Load(path)
		return o, err
	}
	f, err := os.Open(path)
	if err != nil {
		return o, err
	}
	defer f.Close()
	var notes []string
	o.Tokenizer, notes, err = read(f, path, c)
	o.Notes = append(o.Notes, notes...)
	return o, err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// Read reads a tokenizer.json of any kind by itself; name stands for the source in errors.
func Read(r io.Reader, name string) (data.Tokenizer, error) {
	t, _, err := read(r, name, hf.TokenizerConfig{})
	return t, err
}

// read reads a tokenizer.json, beside which stands c, and returns what was left out.
func read(r io.Reader, name string, c hf.TokenizerConfig) (t data.Tokenizer, notes []string, err error) {
	doc, err := hf.ReadDocument(r)
	if err != nil {
		return nil, nil, hf.InFile(err, name)
	}
	if err := doc.Amend(c); err != nil {
		return nil, nil, err
	}
	if t, err = fromDocument(doc); err != nil {
		return nil, nil, hf.InFile(err, name)
	}
	notes = doc.Notes()
	slices.Sort(notes)
	return t, slices.Compact(notes), nil
}

// fromDocument makes the tokenizer of its kind.
func fromDocument(doc *hf.Document) (data.Tokenizer, error) {
	kind, err := doc.ModelType()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "BPE" && doc.ByteLevel():
		t, err := bpe.FromDocument(doc)
		if errors.Is(err, bpe.ErrCharacters) {
			return spm.FromDocument(doc)
		}
		return t, err
	case kind == "WordPiece" || kind == "WordLevel":
		return wordpiece.FromDocument(doc)
	}
	return spm.FromDocument(doc)
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

// Save writes Files into dir, which it makes.
func Save(fsys vfs.FS, dir string, t data.Tokenizer, roles hf.Roles) error {
	files, err := Files(t, roles)
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
