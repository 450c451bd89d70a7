package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
)

// Save writes m with its parameters as a directory that Load and transformers read;
// dir must not exist. An adapter of m is merged into the weights. t is the tokenizer
// of a model of text, nil for another. On failure nothing is left.
func Save(fsys vfs.FS, dir string, m nn.Model, from States, t data.Tokenizer) error {
	if _, err := fsys.Stat(dir); err == nil {
		return fmt.Errorf("%s exists already: name another place, or remove it", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, err := saveFiles(m, t)
	if err != nil {
		return err
	}
	weights := TensorsFile(ModelFile, Contents(ModelTensors(m), from), ModelMetadata())
	dir = filepath.Clean(dir)
	temp := dir + vfs.TempSuffix
	if err := errors.Join(vfs.MkdirAll(fsys, filepath.Dir(dir)), vfs.RemoveAll(fsys, temp), fsys.Mkdir(temp)); err != nil {
		return err
	}
	for _, f := range append(files, weights) {
		if err := vfs.WriteFile(fsys, filepath.Join(temp, f.Name), f.Write); err != nil {
			return errors.Join(err, vfs.RemoveAll(fsys, temp))
		}
	}
	if err := fsys.Rename(temp, dir); err != nil {
		return errors.Join(err, vfs.RemoveAll(fsys, temp))
	}
	return fsys.SyncDir(filepath.Dir(dir))
}

// saveFiles are those beside the weights.
func saveFiles(m nn.Model, t data.Tokenizer) ([]vfs.Content, error) {
	if t == nil {
		return ConfigFiles(m, nn.SpecialTokens{BOS: -1, PAD: -1})
	}
	context := 0
	if text, ok := m.Config().(nn.TextConfig); ok {
		context = text.Text().Context
	}
	return Files(m, t, FreshIdentity(t, hf.Roles{}, context))
}
