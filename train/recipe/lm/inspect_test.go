package lm

import (
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/recipe/text"
)

// TestRowForPeople: what is shown of a sequence, a line a token and in colours: each in two colours in turn, one that is
// no target dim, the end of a document reversed.
func TestRowForPeople(t *testing.T) {
	b, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	r := &row{Split: "train", Sample: 3, Windows: 9, Source: "s", Inputs: []int32{'a', 256, 'b', '\n', 'c'}, Targets: []int32{256, -1, '\n', 'c', -1}, Counted: 3, EndOfText: 256, enc: tokenizers.NewEncoder(b, nil, 256)}
	const title = "train sequence 3 of 9 in a pass, of source s: 5 tokens, 3 targets count\n"
	even, odd, dim, end, plain := text.EvenToken, text.OddToken, text.Unscored, text.EndToken, text.Plain
	for colour, want := range map[bool]string{
		false: title + "place      id token                     target\n    0      97 \"a\"                          256\n    1     256 \"<|endoftext|>\"          ignored  end of a document\n" +
			"    2      98 \"b\"                           10\n    3      10 \"\\n\"                          99\n    4      99 \"c\"                      ignored\n",
		true: title + even + "tokens" + odd + " in" + even + " turn" + plain + ", " + end + "end of a document" + plain + ", " + dim + "not a target" + plain + "\n\n" +
			even + "a" + plain + end + "<|endoftext|>" + plain + dim + "b" + plain + odd + "↵" + plain + "\n" + odd + plain + even + "c" + plain + "\n",
	} {
		var out strings.Builder
		if err := r.Print(&out, colour); err != nil || out.String() != want {
			t.Errorf("colours %t: %v\n%q, want\n%q", colour, err, out.String(), want)
		}
	}
	r.Source = ""
	if got := r.title(); got != "train sequence 3 of 9 in a pass: 5 tokens, 3 targets count\n" {
		t.Errorf("without a source %q", got)
	}
}
