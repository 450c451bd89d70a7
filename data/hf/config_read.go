package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names of the files beside a tokenizer.json.
const (
	ConfigFile   = "tokenizer_config.json"
	rolesFile    = "special_tokens_map.json"
	addedFile    = "added_tokens.json"
	templateFile = "chat_template.jinja"
)

// TokenizerConfig is what the files beside a tokenizer.json say of it.
type TokenizerConfig struct {
	Roles  Roles
	Tokens []NamedToken // that transformers adds to those of tokenizer.json, in its order
	// Says has the values, as JSON, of keys that must agree with tokenizer.json, see [Document.Agree].
	Says map[string]json.RawMessage
	// Notes name the keys that nobody here knows, by file.
	Notes []string
}

// A NamedToken is an added token of a TokenizerConfig, whose id the vocabulary tells.
type NamedToken struct {
	AddedToken
	Key string // that names it; "" for one of added_tokens_decoder, which is added where the vocabulary has none
}

// ReadRoles reads the roles of the tokenizer in dir, as [ReadConfig].
func ReadRoles(dir string) (Roles, error) {
	c, err := ReadConfig(dir)
	return c.Roles, err
}

// ReadConfig reads what transformers does beside the tokenizer.json in dir: tokenizer_config.json; special_tokens_map.json and
// added_tokens.json where the former has no added_tokens_decoder; and chat_template.jinja, whose template goes before that of
// the former. A file that is not there says nothing.
func ReadConfig(dir string) (TokenizerConfig, error) {
	path := filepath.Join(dir, ConfigFile)
	text, err := readSmall(path)
	if err != nil {
		return TokenizerConfig{}, err
	}
	c, legacy := TokenizerConfig{}, true
	if text != nil {
		if c, legacy, err = parseConfig(text); err != nil {
			return c, InFile(err, path)
		}
	}
	if legacy {
		if err := c.readLegacy(dir); err != nil {
			return c, err
		}
	}
	template, err := readSmall(filepath.Join(dir, templateFile))
	if template != nil {
		c.Roles.ChatTemplate = string(template)
	}
	return c, err
}

// ParseConfig reads the text of a tokenizer_config.json.
func ParseConfig(text []byte) (TokenizerConfig, error) {
	c, _, err := parseConfig(text)
	return c, err
}

// parseConfig also says whether files of earlier versions of transformers count.
func parseConfig(text []byte) (c TokenizerConfig, legacy bool, err error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return c, false, jsonFault(err)
	}
	if c.Says, c.Notes, err = checkConfig(keys); err != nil {
		return c, false, err
	}
	var doc struct {
		MaxLength json.Number          `json:"model_max_length"`
		Template  templateJSON         `json:"chat_template"`
		Decoder   map[string]tokenJSON `json:"added_tokens_decoder"`
		Extra     extraJSON            `json:"extra_special_tokens"`
		Further   extraJSON            `json:"additional_special_tokens"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return c, false, jsonFault(err)
	}
	c.Roles.ChatTemplate = string(doc.Template)
	if n, err := doc.MaxLength.Float64(); err == nil && n > 0 && n < 1<<31 {
		c.Roles.MaxLength = int(n)
	}
	if err := c.addDecoder(doc.Decoder); err != nil {
		return c, false, err
	}
	if err := c.addRoles(keys); err != nil {
		return c, false, err
	}
	extra := doc.Extra
	if len(extra.list)+len(extra.named) == 0 {
		extra = doc.Further
	}
	c.addExtra(extra)
	return c, IsNull(keys["added_tokens_decoder"]), nil
}

// addDecoder adds the tokens of added_tokens_decoder in order of their keys.
func (c *TokenizerConfig) addDecoder(decoder map[string]tokenJSON) error {
	ids := map[int]tokenJSON{}
	for key, token := range decoder {
		id, err := strconv.Atoi(key)
		if err != nil {
			return Faultf("added_tokens_decoder", "%s is not the id of a token", Quote(key))
		}
		ids[id] = token
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		c.Tokens = append(c.Tokens, NamedToken{AddedToken: ids[id].added(false)})
	}
	return nil
}

// addRoles adds the tokens that keys name.
func (c *TokenizerConfig) addRoles(keys map[string]json.RawMessage) error {
	set := func(key string, to *string) error {
		var token tokenJSON
		if IsNull(keys[key]) {
			return nil
		}
		if err := json.Unmarshal(keys[key], &token); err != nil {
			return Faultf(key, "neither a text nor a token")
		}
		*to = token.Content
		c.Tokens = slices.DeleteFunc(c.Tokens, func(t NamedToken) bool { return t.Key == key }) // of another file
		c.Tokens = append(c.Tokens, NamedToken{token.added(true), key})
		return nil
	}
	for _, role := range c.Roles.named() {
		if err := set(role.key, role.token); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		var content string
		if !ownToken(key) || json.Unmarshal(keys[key], &content) != nil || content == "" {
			continue
		}
		c.addExtra(extraJSON{named: map[string]string{key: content}})
	}
	return nil
}

// ownToken tells of the key of a token that a model has beside those that all may have.
func ownToken(key string) bool {
	var r Roles
	return strings.HasSuffix(key, "_token") && !slices.ContainsFunc(r.named(), func(role role) bool { return role.key == key })
}

func (c *TokenizerConfig) addExtra(extra extraJSON) {
	for _, key := range slices.Sorted(maps.Keys(extra.named)) {
		if c.Roles.Other == nil {
			c.Roles.Other = map[string]string{}
		}
		c.Roles.Other[key] = extra.named[key]
		c.Tokens = append(c.Tokens, NamedToken{tokenJSON{Content: extra.named[key]}.added(true), key})
	}
	for _, token := range extra.list {
		c.Tokens = append(c.Tokens, NamedToken{token.added(true), "extra_special_tokens"})
	}
}

// readLegacy reads special_tokens_map.json and added_tokens.json.
func (c *TokenizerConfig) readLegacy(dir string) error {
	path := filepath.Join(dir, rolesFile)
	text, err := readSmall(path)
	if err != nil {
		return err
	}
	if text != nil {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(text, &keys); err != nil {
			return InFile(jsonFault(err), path)
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if configKeys[key] != Used && !ownToken(key) || configKeys[key] == Used && !strings.HasSuffix(key, "_token") && !strings.HasSuffix(key, "_special_tokens") {
				c.Notes = append(c.Notes, unknownKey(rolesFile, key))
			}
		}
		if err := c.addRoles(keys); err != nil {
			return InFile(err, path)
		}
		var doc struct {
			Extra   extraJSON `json:"extra_special_tokens"`
			Further extraJSON `json:"additional_special_tokens"`
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			return InFile(jsonFault(err), path)
		}
		c.addExtra(doc.Extra)
		c.addExtra(doc.Further)
	}
	path = filepath.Join(dir, addedFile)
	if text, err = readSmall(path); err != nil || text == nil {
		return err
	}
	var ids map[string]int
	if err := json.Unmarshal(text, &ids); err != nil {
		return InFile(jsonFault(err), path)
	}
	special := map[string]bool{}
	for _, t := range c.Tokens {
		special[t.Content] = t.Special
	}
	contents := slices.SortedFunc(maps.Keys(ids), func(a, b string) int { return ids[a] - ids[b] })
	var tokens []NamedToken
	for _, content := range contents {
		tokens = append(tokens, NamedToken{AddedToken: AddedToken{Content: content, Special: special[content], Normalized: !special[content]}})
	}
	c.Tokens = append(tokens, c.Tokens...)
	return nil
}

// A tokenJSON is a token in either spelling: "<s>" or {"content": "<s>", …}; null is none.
type tokenJSON struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized *bool  `json:"normalized"`
	Special    bool   `json:"special"`
}

func (t *tokenJSON) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return json.Unmarshal(data, &t.Content)
	}
	type plain tokenJSON
	return json.Unmarshal(data, (*plain)(t))
}

// added returns the token, a special one if it names a part.
func (t tokenJSON) added(part bool) AddedToken {
	a := AddedToken{Content: t.Content, SingleWord: t.SingleWord, LStrip: t.LStrip, RStrip: t.RStrip, Special: t.Special || part}
	a.Normalized = !a.Special
	if t.Normalized != nil {
		a.Normalized = *t.Normalized
	}
	return a
}

// An extraJSON is further special tokens: a list, or an object of named ones.
type extraJSON struct {
	list  []tokenJSON
	named map[string]string
}

func (e *extraJSON) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return json.Unmarshal(data, &e.list)
	}
	var named map[string]tokenJSON
	if err := json.Unmarshal(data, &named); err != nil {
		return err
	}
	e.named = map[string]string{}
	for key, token := range named {
		e.named[key] = token.Content
	}
	return nil
}

// A templateJSON is a chat template, or a list of named ones, of which it is the one named default.
type templateJSON string

func (t *templateJSON) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return json.Unmarshal(data, (*string)(t))
	}
	var list []struct {
		Name, Template string
	}
	err := json.Unmarshal(data, &list)
	for _, named := range list {
		if named.Name == "default" {
			*t = templateJSON(named.Template)
		}
	}
	return err
}

// maxConfigBytes is the most that a tokenizer_config.json or a chat template may hold.
const maxConfigBytes = 16 << 20

// readSmall reads a file of at most maxConfigBytes, nil for one that is not there.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > maxConfigBytes:
		return nil, fmt.Errorf("tokenizer: %s: %d bytes, more than %d; is this the file of a tokenizer?", path, info.Size(), maxConfigBytes)
	}
	return os.ReadFile(path)
}
