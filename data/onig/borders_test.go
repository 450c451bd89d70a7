package onig

import (
	"strings"
	"testing"
)

// Quantifiers go to 100,000 and groups 199 deep; what is more is refused, as is what takes more than 50,000 instructions.
func TestBorders(t *testing.T) {
	for _, c := range []struct {
		pattern string
		ok      bool
	}{
		{"a{0,100000}?", false}, {"(?:a{300}){100}", true}, {"(?:a{300}){200}", false}, {"a{100001}", false}, {"a{1,100001}", false}, {"a{40000}", true},
		{strings.Repeat("(", 199) + "a" + strings.Repeat(")", 199), true}, {strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200), false},
		{strings.Repeat("[", 199) + "a" + strings.Repeat("]", 199), true}, {strings.Repeat("[", 200) + "a" + strings.Repeat("]", 200), false},
	} {
		if _, err := Compile(c.pattern); (err == nil) != c.ok {
			t.Errorf("%.40s…: %v", c.pattern, err)
		}
	}
}
