package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gotrain/data"
	"gotrain/data/hf"
	"gotrain/nn"
)

// identity is what other programs must know of a model beside its weights: its
// special tokens and its chat template. Fine-tuning keeps that of the base.
type identity struct {
	special nn.SpecialTokens
	roles   hf.Roles
}

// freshIdentity is that of a model that is trained from scratch: texts begin and
// end with the end-of-text token, if the tokenizer has one.
func freshIdentity(t data.Tokenizer, context int) identity {
	id := identity{special: nn.SpecialTokens{BOS: -1, PAD: -1}, roles: hf.Roles{MaxLength: context}}
	if e, err := NewEncoder(t); err == nil {
		name := string(t.TokenBytes(e.end))
		id.special.BOS, id.special.EOS = int(e.end), []int{int(e.end)}
		id.roles.BOS, id.roles.EOS = name, name
	}
	return id
}

// findIdentity takes the identity of the checkpoint that the run goes on from,
// else of its base.
func (r *run) findIdentity(from string) (identity, error) {
	if from == "" {
		from = r.cfg.Base
	}
	if from == "" {
		return freshIdentity(r.tokenizer, r.cfg.Model.Context), nil
	}
	return readIdentity(from, r.tokenizer, r.cfg.Model.Context)
}

// readIdentity reads config.json and tokenizer_config.json in dir. What they
// leave out is as fresh.
func readIdentity(dir string, t data.Tokenizer, context int) (identity, error) {
	id := freshIdentity(t, context)
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return id, err
	}
	special, err := nn.ParseSpecialTokens(text)
	if err != nil {
		return id, fmt.Errorf("%s: %w", dir, err)
	}
	if special.BOS >= 0 || len(special.EOS) > 0 {
		id.special = special
	}
	file := filepath.Join(dir, "tokenizer_config.json")
	text, err = os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return id, nil
	}
	if err != nil {
		return id, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return id, fmt.Errorf("%s: %w", file, err)
	}
	for key, role := range map[string]*string{"bos_token": &id.roles.BOS, "eos_token": &id.roles.EOS, "pad_token": &id.roles.Pad, "unk_token": &id.roles.Unknown} {
		if name := tokenName(keys[key]); name != "" {
			if _, ok := t.Special(name); ok {
				*role = name
			}
		}
	}
	id.roles.ChatTemplate, err = readTemplate(dir, keys["chat_template"])
	return id, err
}

// tokenName reads a token, which is a text or an object with its content.
func tokenName(raw json.RawMessage) string {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return name
	}
	var token struct{ Content string }
	if json.Unmarshal(raw, &token) == nil {
		return token.Content
	}
	return ""
}

// readTemplate returns the chat template of tokenizer_config.json, which may be
// one of several by name, or that of the file chat_template.jinja; "" for none.
func readTemplate(dir string, raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return text, nil
	}
	var named []struct{ Name, Template string }
	if json.Unmarshal(raw, &named) == nil {
		for _, t := range named {
			if t.Name == "default" {
				return t.Template, nil
			}
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "chat_template.jinja"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(content), err
}
