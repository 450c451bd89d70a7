package hub

import (
	"path/filepath"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
)

// Identity is what other programs must know of a language model beside its weights:
// its special tokens and its chat template. Fine-tuning keeps that of the base.
type Identity struct {
	Special nn.SpecialTokens
	Roles   hf.Roles
}

// FreshIdentity is that of a model that is trained from scratch: texts begin and
// end with the tokens that the roles name, as tokenizers.RolesOf has them.
func FreshIdentity(t data.Tokenizer, said hf.Roles, context int) Identity {
	id := Identity{Special: nn.SpecialTokens{BOS: -1, PAD: -1}, Roles: tokenizers.RolesOf(t, said, context)}
	if bos, ok := t.ID([]byte(id.Roles.BOS)); ok && id.Roles.BOS != "" {
		id.Special.BOS = int(bos)
	}
	if eos, ok := t.ID([]byte(id.Roles.EOS)); ok && id.Roles.EOS != "" {
		id.Special.EOS = []int{int(eos)}
	}
	return id
}

// ReadIdentity reads the special tokens, their roles and the chat template of the
// model in p. What its files leave out it has not, whatever a fresh model would
// have; roles of tokens that the tokenizer lacks are left out too.
func ReadIdentity(p Place, t data.Tokenizer, context int) (Identity, error) {
	var id Identity
	text, err := ReadText(filepath.Join(p.Base, ConfigFile))
	if err != nil {
		return id, err
	}
	if id.Special, _, err = p.ReadSpecial(text, nn.MaxSize); err != nil {
		return id, err
	}
	if id.Roles, err = hf.ReadRoles(p.TokenizerDir()); err != nil {
		return id, err
	}
	id.Roles = id.Roles.Only(func(content string) bool { _, ok := t.Special(content); return ok })
	id.Roles.MaxLength = context
	return id, nil
}

// Ends are the tokens that end a text: eos_token_id of generation_config.json, else
// of config.json, else the tokenizer's end-of-text token. There may be none.
func (id Identity) Ends(t data.Tokenizer) []int32 {
	var ends []int32
	for _, eos := range id.Special.EOS {
		ends = append(ends, int32(eos))
	}
	if len(ends) > 0 || t == nil {
		return ends
	}
	if end, err := tokenizers.EndOfText(t, id.Roles); err == nil {
		ends = append(ends, end)
	}
	return ends
}

// Encoder is t with the tokens that begin and end documents to train on: what the
// tokenizer puts before a text if bos is set, and the tokenizer's eos_token, else an
// eos_token_id.
func (id Identity) Encoder(t data.Tokenizer, bos bool) (tokenizers.Encoder, error) {
	end, err := tokenizers.EndOfText(t, id.Roles, id.Special.EOS...)
	return tokenizers.NewEncoder(t, before(t, bos), end), err
}

// Prompts turns prompts into tokens of t, with what the tokenizer puts before a text
// if bos is set. An empty text begins from BOS, else from EOS.
func (id Identity) Prompts(t data.Tokenizer, bos bool) tokenizers.Prompts {
	p := tokenizers.Prompts{Tokens: t, Before: before(t, bos), Empty: t.Frame().Before}
	if begin, ok := t.ID([]byte(id.Roles.BOS)); len(p.Empty) == 0 && ok && id.Roles.BOS != "" {
		p.Empty = []int32{begin}
	}
	if len(p.Empty) == 0 && id.Special.BOS >= 0 {
		p.Empty = []int32{int32(id.Special.BOS)}
	}
	if end, err := tokenizers.EndOfText(t, id.Roles, id.Special.EOS...); len(p.Empty) == 0 && err == nil {
		p.Empty = []int32{end}
	}
	p.Empty = p.Empty[:min(len(p.Empty), 1)]
	return p
}

func before(t data.Tokenizer, bos bool) []int32 {
	if !bos {
		return nil
	}
	return t.Frame().Before
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
