package instruct

import (
	"strings"
	"testing"

	"example.com/gotrain/data/instruct"
	"example.com/gotrain/train/recipe/text"
)

// TestExampleForPeople: what is shown of a conversation, a line a token and in colours: those that are trained in two colours
// in turn, the others dim.
func TestExampleForPeople(t *testing.T) {
	r := &example{Split: "validation", Sample: 4, Source: "f:7", Template: "chatml", Rows: 11, Density: 0.875, Tokens: []int32{5, 6, 7, 8}, Texts: []string{"a", "b\n", "c", "d"}, Counted: []bool{false, true, true, true},
		Stats: instruct.Stats{Examples: 20, Truncated: 1, Dropped: 2, Empty: 3, Tokens: 400, Counted: 100, Ends: 21}}
	const head = "examples     20, 1 truncated, 2 dropped, 3 left out without an answer\ntokens       400, 100 of them trained (25.0%), 21 end a turn\nrows         11, full to 87.5%\ntemplate     chatml\nexample      4 of validation, f:7, 4 tokens\n\n"
	even, odd, dim, plain := text.EvenToken, text.OddToken, text.Unscored, text.Plain
	for colour, want := range map[bool]string{
		false: head + "place loss         id token\n    0 -             5 \"a\"\n    1 trained       6 \"b\\n\"\n    2 trained       7 \"c\"\n    3 trained       8 \"d\"\n",
		true: head + even + "trained" + plain + " " + odd + "tokens" + plain + ", " + dim + "not trained" + plain + "\n\n" +
			dim + "a" + plain + odd + "b↵" + plain + "\n" + odd + plain + even + "c" + plain + odd + "d" + plain + "\n",
	} {
		var out strings.Builder
		if err := r.Print(&out, colour); err != nil || out.String() != want {
			t.Errorf("colours %t: %v\n%q, want\n%q", colour, err, out.String(), want)
		}
	}
}
