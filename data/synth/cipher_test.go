package synth

import (
	"slices"
	"strings"
	"testing"
)

func TestCipher(t *testing.T) {
	if got, want := Encipher([]string{"the", "rays", "of", "light"}), "ah tibv wko nujkw"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	text := strings.Repeat("The least parts of Bodies, by their Attraction; and the Rays of Light are many. ", 3) + "Whence it is that Nature doth nothing in vain, and all that Order which we see in the World?"
	draw := func(n int, seed uint64) (pairs [][2]string) {
		for p, err := range Cipher(text, n, seed) {
			if err != nil {
				t.Fatal(err)
			}
			pairs = append(pairs, p)
		}
		return pairs
	}
	a, b, other := draw(40, 1), draw(40, 1), draw(40, 2)
	if !slices.Equal(a, b) || slices.Equal(a, other) || len(a) != 40 {
		t.Errorf("%d pairs; the same seed gives the same: %t, another others: %t", len(a), slices.Equal(a, b), !slices.Equal(a, other))
	}
	seen := map[string]bool{}
	for _, p := range a {
		source, target := strings.Fields(p[0]), strings.Fields(p[1])
		if seen[p[0]] || len(source) != len(target) || len(source) < leastWords || len(source) > mostWords {
			t.Errorf("%q", p)
		}
		seen[p[0]] = true
		if len(source) >= 3 && strings.Map(encipher, source[0]) != target[2] {
			t.Errorf("%q: the first of three words is not the last", p)
		}
	}
	for _, c := range []struct {
		text string
		n    int
	}{{"too short", 1}, {text, 100000}} {
		var last error
		for _, err := range Cipher(c.text, c.n, 1) {
			last = err
		}
		if last == nil {
			t.Errorf("%d pairs of %d bytes: no error", c.n, len(c.text))
		}
	}
}
