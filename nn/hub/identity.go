package hub

import (
	"path/filepath"

	"gotrain/data"
	"gotrain/data/hf"
	"gotrain/data/tokenizers"
	"gotrain/data/vfs"
	"gotrain/nn"
)

// Identity is what other programs must know of a language model beside its weights:
// its special tokens and its chat template. Fine-tuning keeps that of the base.
type Identity struct {
	Special nn.SpecialTokens
	Roles   hf.Roles
}

// FreshIdentity is that of a model that is trained from scratch: texts begin and
// end with the end-of-text token, if the tokenizer has one.
func FreshIdentity(t data.Tokenizer, context int) Identity {
	id := Identity{Special: nn.SpecialTokens{BOS: -1, PAD: -1}, Roles: tokenizers.FreshRoles(t, context)}
	if e, err := tokenizers.NewEncoder(t); err == nil {
		id.Special.BOS, id.Special.EOS = int(e.EndOfText()), []int{int(e.EndOfText())}
	}
	return id
}

// ReadIdentity reads the special tokens, their roles and the chat template of the
// model in dir. What its files leave out it has not, whatever a fresh model would
// have; roles of tokens that the tokenizer lacks are left out too.
func ReadIdentity(dir string, t data.Tokenizer, context int) (Identity, error) {
	var id Identity
	text, err := ReadText(filepath.Join(dir, ConfigFile))
	if err != nil {
		return id, err
	}
	if id.Special, _, err = ReadSpecial(dir, text, nn.MaxSize); err != nil {
		return id, err
	}
	if id.Roles, err = hf.ReadRoles(dir); err != nil {
		return id, err
	}
	id.Roles.MaxLength = context
	for _, role := range []*string{&id.Roles.BOS, &id.Roles.EOS, &id.Roles.Pad, &id.Roles.Unknown} {
		if _, ok := t.Special(*role); !ok {
			*role = ""
		}
	}
	return id, nil
}

// ConfigFiles are config.json and, for a model of text, generation_config.json.
func ConfigFiles(m nn.Model, s nn.SpecialTokens) ([]vfs.Content, error) {
	config, err := nn.ConfigJSON(m, s)
	if err != nil {
		return nil, err
	}
	files := []vfs.Content{vfs.Bytes(ConfigFile, config)}
	if _, ok := m.Config().(nn.TextConfig); !ok {
		return files, nil
	}
	generation, err := nn.GenerationJSON(s)
	return append(files, vfs.Bytes(GenerationFile, generation)), err
}

// Files are what transformers and other programs read of a model of text beside its
// weights: tokenizer and configuration.
func Files(m nn.Model, t data.Tokenizer, id Identity) ([]vfs.Content, error) {
	files, err := tokenizers.Files(t, id.Roles)
	if err != nil {
		return nil, err
	}
	config, err := ConfigFiles(m, id.Special)
	return append(files, config...), err
}
