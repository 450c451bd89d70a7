package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SpecialTokens are the ids that config.json and generation_config.json name;
// negative ids and an empty EOS or Start mean none.
type SpecialTokens struct {
	BOS, PAD int
	EOS      []int // any of them ends a text
	Start    []int // decoder_start_token_id: what the text of a decoder follows, at most one
}

// keys adds the ids to the keys of a configuration file.
func (s SpecialTokens) keys(to map[string]any) {
	if s.BOS >= 0 {
		to["bos_token_id"] = s.BOS
	}
	if s.PAD >= 0 {
		to["pad_token_id"] = s.PAD
	}
	if len(s.Start) > 0 {
		to["decoder_start_token_id"] = s.Start[0]
	}
	switch len(s.EOS) {
	case 0:
	case 1:
		to["eos_token_id"] = s.EOS[0]
	default:
		to["eos_token_id"] = s.EOS
	}
}

// ParseSpecialTokens reads the ids from a config.json or generation_config.json.
// An id may be absent, null, a number or a list of numbers.
func ParseSpecialTokens(file string, text []byte) (SpecialTokens, error) {
	raw, err := ParseHF(file, text)
	if err != nil {
		return SpecialTokens{}, err
	}
	s := SpecialTokens{BOS: raw.Int("bos_token_id", -1), PAD: raw.Int("pad_token_id", -1)}
	var list []int
	if json.Unmarshal(raw.keys["eos_token_id"], &list) == nil {
		s.EOS = list
	} else if id := raw.Int("eos_token_id", -1); id >= 0 {
		s.EOS = []int{id}
	}
	if id := raw.Int("decoder_start_token_id", -1); id >= 0 {
		s.Start = []int{id}
	}
	return s, errors.Join(*raw.faults...)
}

// With returns s with the tokens that other has in their place.
func (s SpecialTokens) With(other SpecialTokens) SpecialTokens {
	if other.BOS >= 0 {
		s.BOS = other.BOS
	}
	if other.PAD >= 0 {
		s.PAD = other.PAD
	}
	if len(other.EOS) > 0 {
		s.EOS = other.EOS
	}
	if len(other.Start) > 0 {
		s.Start = other.Start
	}
	return s
}

// Check wants the ids that file names to be inside the vocabulary of a model: no
// other ever comes out of it or may go in.
func (s SpecialTokens) Check(file string, vocab int) error {
	var outside []string
	check := func(key string, id int) {
		if id >= vocab {
			outside = append(outside, fmt.Sprintf("%s %d", key, id))
		}
	}
	check("bos_token_id", s.BOS)
	check("pad_token_id", s.PAD)
	for _, id := range s.EOS {
		if id < 0 {
			return fmt.Errorf("%s: eos_token_id: %d in a list is no token", file, id)
		}
		check("eos_token_id", id)
	}
	for _, id := range s.Start {
		check("decoder_start_token_id", id)
	}
	if len(outside) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s: outside the vocabulary of %d tokens: correct it, or take it out", file, strings.Join(outside, ", "), vocab)
}
