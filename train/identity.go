package train

import (
	"fmt"
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
		return freshIdentity(r.tokenizer, r.cfg.Text().Context), nil
	}
	return readIdentity(from, r.tokenizer, r.cfg.Text().Context)
}

// readIdentity reads the special tokens, their roles and the chat template of the
// model in dir. What its files leave out it has not, whatever a fresh model would
// have; roles of tokens that the tokenizer lacks are left out too.
func readIdentity(dir string, t data.Tokenizer, context int) (identity, error) {
	var id identity
	text, err := readText(filepath.Join(dir, "config.json"))
	if err != nil {
		return id, err
	}
	if id.special, err = nn.ParseSpecialTokens(text); err != nil {
		return id, fmt.Errorf("%s: %w", dir, err)
	}
	if id.roles, err = hf.ReadRoles(dir); err != nil {
		return id, err
	}
	id.roles.MaxLength = context
	for _, role := range []*string{&id.roles.BOS, &id.roles.EOS, &id.roles.Pad, &id.roles.Unknown} {
		if _, ok := t.Special(*role); !ok {
			*role = ""
		}
	}
	return id, nil
}
