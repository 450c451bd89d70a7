package bpe

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"example.com/gotrain/data/hf"
)

// Load reads tokenizer.json, from path itself or from the directory path.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadJSON(f, path)
}

// ReadJSON reads a tokenizer.json; name stands for the source in errors. It takes byte-level BPE models, and reports
// anything that would alter ids and that it does not know as an *UnsupportedError. Truncation and padding are ignored.
func ReadJSON(r io.Reader, name string) (*Tokenizer, error) {
	doc, err := hf.ReadDocument(r)
	if err != nil {
		return nil, inFile(err, name)
	}
	t, err := FromDocument(doc)
	return t, inFile(err, name)
}

// ErrCharacters says that the tokens of a BPE are not bytes, though its text is spelled in the byte alphabet: it is one of
// characters, which package spm reads.
var ErrCharacters = errors.New("tokenizer: the tokens are not bytes")

// FromDocument makes the tokenizer of a tokenizer.json, with ErrCharacters where that is not one of bytes.
func FromDocument(doc *hf.Document) (*Tokenizer, error) {
	var cfg Config
	var model modelJSON
	err := doc.DecodeModel(&model)
	if err != nil {
		return nil, err
	}
	if cfg.Normalizer, err = hf.ParseNormalizer(doc.Normalizer); err != nil {
		return nil, err
	}
	if err = readPreTokenizer(&cfg, doc.PreTokenizer); err != nil {
		return nil, err
	}
	if err := checkDecoder(doc.Decoder); err != nil {
		return nil, err
	}
	if cfg.Frame, err = hf.ParseFrame(doc.PostProcessor); err != nil {
		return nil, err
	}
	if cfg.Added, err = doc.AddedTokens(func(text string) (int64, bool) { id, ok := model.Vocab[text]; return id, ok }, len(model.Vocab)); err != nil {
		return nil, err
	}
	if err := readModel(&cfg, &model); err != nil {
		return nil, err
	}
	return New(cfg)
}

type modelJSON struct {
	Type         string           `json:"type"`
	Dropout      *float64         `json:"dropout"`
	Unknown      *string          `json:"unk_token"`
	ByteFallback bool             `json:"byte_fallback"`
	Prefix       string           `json:"continuing_subword_prefix"`
	Suffix       string           `json:"end_of_word_suffix"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int64 `json:"vocab"`
	Merges       []hf.Merge       `json:"merges"`
}

// readPreTokenizer reads a pre_tokenizer into a Pattern where it is one, ByteLevel with its own expression, Digits and
// that, or Split by a known expression and ByteLevel without; else into a PreTokenizer.
func readPreTokenizer(cfg *Config, raw json.RawMessage) error {
	list, err := hf.PreTokenizerSteps(raw)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return &UnsupportedError{What: "pre_tokenizer", Value: "", Cure: "only byte-level tokenizers are supported: one of the pre-tokenizers must be ByteLevel"}
	}
	last := list[len(list)-1]
	if last.Type == "ByteLevel" && (last.AddPrefixSpace == nil || !*last.AddPrefixSpace) {
		useRegex := hf.On(last.UseRegex)
		switch first := list[0]; {
		case len(list) == 1 && useRegex:
			cfg.Pattern = GPT2
			return nil
		case len(list) == 2 && useRegex && first.Type == "Digits" && first.IndividualDigits:
			cfg.Pattern = Digits
			return nil
		case len(list) == 2 && !useRegex && first.Type == "Split" && first.Pattern.Regex != nil &&
			(first.Behavior == "Isolated" && !first.Invert || first.Behavior == "Removed" && first.Invert):
			if p, ok := patternOfRegex(*first.Pattern.Regex); ok {
				cfg.Pattern = p
				return nil
			}
		}
	}
	p, err := hf.ParsePreTokenizer(raw, true, matcherOf)
	cfg.PreTokenizer = &p
	return err
}

// matcherOf returns the scanner of an expression that is that of a Pattern, nil for any other.
func matcherOf(regex string) func([]byte) [][2]int {
	p, ok := patternOfRegex(regex)
	if !ok {
		return nil
	}
	split := newSplitter(p)
	return func(text []byte) [][2]int {
		var spans [][2]int
		for i := 0; i < len(text); {
			end := split.next(text, i)
			spans = append(spans, [2]int{i, end})
			i = end
		}
		return spans
	}
}

// checkDecoder reads a decoder, which has to be the byte alphabet's.
func checkDecoder(raw json.RawMessage) error {
	d, err := hf.ParseDecoder(raw)
	if err != nil {
		return err
	}
	if !d.ByteLevel && !hf.IsNull(raw) {
		return ErrCharacters
	}
	return nil
}

// lacksBytes says whether there are bytes that are no tokens.
func (m *modelJSON) lacksBytes() bool {
	for b := range 256 {
		if _, ok := m.Vocab[string(hf.CharOfByte(byte(b)))]; !ok {
			return true
		}
	}
	return false
}

func readModel(cfg *Config, m *modelJSON) error {
	switch {
	case m.Type != "BPE" && (m.Type != "" || m.Merges == nil):
		return &UnsupportedError{What: "model", Value: m.Type, Cure: "only BPE is supported"}
	case m.Dropout != nil && *m.Dropout != 0:
		return &UnsupportedError{What: "model.dropout", Value: strconv.FormatFloat(*m.Dropout, 'g', -1, 64), Cure: "set it to null"}
	case m.Prefix != "" || m.Suffix != "" || (m.Unknown != nil || m.ByteFallback) && m.lacksBytes():
		return ErrCharacters
	}
	cfg.IgnoreMerges = m.IgnoreMerges
	added := make(map[int32]string, len(cfg.Added))
	for _, a := range cfg.Added {
		added[a.ID] = a.Content
	}
	size := int64(0)
	for token, id := range m.Vocab {
		if id < 0 || id >= maxVocab {
			return faultf("model.vocab["+quote(token)+"]", "id %d is outside 0 … %d", id, maxVocab-1)
		}
		size = max(size, id+1)
	}
	cfg.Tokens = make([]string, size)
	for spelling, id := range m.Vocab {
		token, ok := hf.Unspell(spelling)
		if content, isAdded := added[int32(id)]; isAdded && content == spelling {
			if token != spelling {
				continue // spelled as it is: known by Added alone
			}
		} else if !ok {
			token = spelling
		}
		if token == "" {
			return faultf("model.vocab", "id %d is empty", id)
		}
		if cfg.Tokens[id] != "" {
			one, other := string(hf.AppendSpelled(nil, token)), string(hf.AppendSpelled(nil, cfg.Tokens[id]))
			return faultf("model.vocab["+quote(max(one, other))+"]", "id %d is %s too", id, quote(min(one, other)))
		}
		cfg.Tokens[id] = token
	}
	for i, merge := range m.Merges {
		left, ok := m.Vocab[merge.Left]
		right, ok2 := m.Vocab[merge.Right]
		if !ok || !ok2 {
			return faultf("model.merges["+strconv.Itoa(i)+"]", "%s or %s is not in model.vocab", quote(merge.Left), quote(merge.Right))
		}
		cfg.Merges = append(cfg.Merges, Merge{int32(left), int32(right)})
	}
	return nil
}
