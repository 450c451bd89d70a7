package hub

import (
	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
)

// Save writes m with its parameters as a directory that Load and transformers read;
// dir must not exist. An adapter of m is merged into the weights. t is the tokenizer
// of a model of text, nil for another. On failure nothing is left.
func Save(fsys vfs.FS, dir string, m nn.Model, from States, t data.Tokenizer) error {
	files, err := saveFiles(m, t)
	if err != nil {
		return err
	}
	weights := TensorsFile(ModelFile, Contents(ModelTensors(m), from), ModelMetadata())
	return vfs.WriteDir(fsys, dir, append(files, weights))
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
