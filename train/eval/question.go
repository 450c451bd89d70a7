package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Question is a completion to score after a prompt: a line of JSON Lines.
type Question struct {
	Prompt, Completion string
	Line               int // from 1
}

// ParseQuestions reads a JSON object {"prompt": …, "completion": …} from each line that
// is not empty; other keys are for the caller's own use. Errors name the line; name is
// what they call the source.
func ParseQuestions(text []byte, name string) ([]Question, error) {
	var questions []Question
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("%s:%d: bytes that are not UTF-8 (convert it, for example with iconv -f ENCODING -t UTF-8)", name, number)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		q, err := parseQuestion(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		q.Line = number
		questions = append(questions, q)
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s has no lines; write one object {\"prompt\": …, \"completion\": …} a line", name)
	}
	return questions, nil
}

func parseQuestion(line []byte) (Question, error) {
	var keys struct {
		Prompt     *string `json:"prompt"`
		Completion *string `json:"completion"`
	}
	if err := json.Unmarshal(line, &keys); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return Question{}, fmt.Errorf("not a JSON object, at byte %d: %w", syntax.Offset, err)
		case errors.As(err, &kind) && kind.Field != "":
			return Question{}, fmt.Errorf("%q is a %s; make it a string", kind.Field, kind.Value)
		}
		return Question{}, fmt.Errorf("not a JSON object with the keys prompt and completion: %w", err)
	}
	switch {
	case keys.Prompt == nil:
		return Question{}, errors.New(`there is no "prompt"; give "" for none`)
	case keys.Completion == nil || *keys.Completion == "":
		return Question{}, errors.New(`there is no "completion" to score`)
	}
	return Question{Prompt: *keys.Prompt, Completion: *keys.Completion}, nil
}
