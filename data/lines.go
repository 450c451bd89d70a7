package data

import (
	"bufio"
	"fmt"
	"strings"
)

// Lines are the texts of a file: of a table or of JSON Lines, by its name, those at key, else
// each line that is not empty.
func Lines(path, key string) ([]string, error) {
	format := FormatOf(path)
	var texts []string
	if format == FormatText {
		in, err := OpenText(path, "")
		if err != nil {
			return nil, err
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, MaxTableRow)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				texts = append(texts, line)
			}
		}
		err = lines.Err()
		if err != nil {
			return nil, fmt.Errorf("data: %s: %w", path, err)
		}
	} else {
		corpus, err := OpenCorpus(Config{Paths: []string{path}, Format: format, TextKey: key})
		if err != nil {
			return nil, err
		}
		for doc, err := range corpus.Documents() {
			if err != nil {
				return nil, err
			}
			texts = append(texts, string(doc.Text))
		}
	}
	if len(texts) == 0 {
		return nil, settingf("data: %s has no text", path)
	}
	return texts, nil
}
