package hf

import (
	"encoding/json"
	"strings"
)

// A Merge is an entry of model.merges in either spelling: "a b" or ["a", "b"].
type Merge struct{ Left, Right string }

// UnmarshalJSON reads both.
func (m *Merge) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		var pair []string
		if err := json.Unmarshal(data, &pair); err != nil {
			return err
		}
		if len(pair) != 2 {
			return Faultf("model.merges", "%s is not a pair", Quote(string(data)))
		}
		m.Left, m.Right = pair[0], pair[1]
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	left, right, ok := strings.Cut(text, " ")
	if !ok || strings.Contains(right, " ") {
		return Faultf("model.merges", "%s is not two tokens and a space", Quote(text))
	}
	m.Left, m.Right = left, right
	return nil
}
