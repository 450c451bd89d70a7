package data

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Neither side is ever empty where there are two texts, or one that can be cut.
func TestNoSideIsEmptyByChance(t *testing.T) {
	for n := 2; n <= 12; n++ {
		for _, fraction := range []float64{0.001, 0.1, 0.5} {
			for seed := range 4 {
				dir := t.TempDir()
				var lines strings.Builder
				for i := range n {
					fmt.Fprintf(&lines, "{\"text\": \"record %d of %d\"}\n", i, seed)
					writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), fmt.Appendf(nil, "file %d of %d", i, seed))
				}
				records := writeFile(t, filepath.Join(dir, "a.jsonl"), []byte(lines.String()))
				for _, cfg := range []Config{
					{Paths: []string{records}, Format: FormatJSONL, Validation: fraction},
					{Paths: []string{dir + "/*.txt"}, Validation: fraction},
				} {
					got, err := read(cfg)
					if err != nil || len(got[Train]) == 0 || len(got[Validation]) == 0 || len(got[Train])+len(got[Validation]) != n {
						t.Errorf("%s, validation %v: %d and %d of %d, %v", cfg.Paths, fraction, len(got[Train]), len(got[Validation]), n, err)
					}
				}
			}
		}
	}
}

// Of a single short text the last part is held out.
func TestLastPartOfAShortText(t *testing.T) {
	for _, tt := range []struct {
		text        string
		fraction    float64
		train, held string
	}{
		{"first line\nsecond line\nthird line\n", 0.1, "first line\nsecond line\n", "third line\n"},
		{"first line\nsecond line\nthird line\n", 0.5, "first line\nsecond line\n", "third line\n"},
		{"one two three", 0.01, "one two ", "three"},
		{strings.Repeat("a line of text\n", 60), 0.25, strings.Repeat("a line of text\n", 45), strings.Repeat("a line of text\n", 15)},
		{"word", 0.1, "word", ""},
	} {
		got, err := read(Config{Paths: []string{writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte(tt.text))}, Validation: tt.fraction})
		if err != nil || strings.Join(got[Train], "") != tt.train || strings.Join(got[Validation], "") != tt.held {
			t.Errorf("%.20q, validation %v: %q, %v", tt.text, tt.fraction, got, err)
		}
	}
}
