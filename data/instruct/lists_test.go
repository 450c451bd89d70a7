package instruct

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/hf"
)

// Keys that are not read, merged and named.
func TestListsOfUnread(t *testing.T) {
	a := []Unread{{"b", "x:1", 1}, {"d", "x:2", 3}}
	got := MergeUnread(a, []Unread{{"a", "y:1", 1}, {"b", "y:2", 2}, {"e", "y:3", 1}})
	if want := []Unread{{"a", "y:1", 1}, {"b", "x:1", 3}, {"d", "x:2", 3}, {"e", "y:3", 1}}; !slices.Equal(got, want) || a[0].Records != 1 {
		t.Errorf("%v, want %v; %v", got, want, a)
	}
	if got, want := ListUnread(got[:2]), "keys a (y:1), b (3 records, first x:1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var many []Unread
	for i := range 22 {
		many = append(many, Unread{fmt.Sprint("k", i), "f", 1})
	}
	if got := ListUnread(many[:20]); strings.Contains(got, "more") || strings.Count(got, "(f)") != 20 {
		t.Error(got)
	}
	if got := ListUnread(many); !strings.HasSuffix(got, "k19 (f), and 2 more") {
		t.Error(got)
	}
}

// Tokens of bytes and of spans, where their places rise and where they do not.
func TestPlacesByHand(t *testing.T) {
	rising := []hf.Span{{Begin: 0, End: 2}, {Begin: 2, End: 4}, {Begin: 2, End: 4}, {Begin: 5, End: 7}}
	falling := []hf.Span{{Begin: 4, End: 6}, {Begin: 0, End: 2}, {Begin: 2, End: 4}}
	for _, c := range []struct {
		spans []hf.Span
		at    []int // the token of each byte
	}{
		{rising, []int{0, 0, 1, 1, -1, 3, 3, -1}},
		{falling, []int{1, 1, 2, 2, 0, 0, -1}},
		{nil, []int{-1}},
	} {
		p := newPlaces(c.spans)
		for i, want := range c.at {
			if got := p.at(i); got != want {
				t.Errorf("byte %d of %v is of token %d, want %d", i, c.spans, got, want)
			}
		}
		for begin := range 8 {
			for end := begin; end <= 8; end++ {
				var got, want []int
				p.over(chat.Span{Begin: begin, End: end}, func(token int) { got = append(got, token) })
				for i, s := range c.spans {
					if s.Begin < end && s.End > begin {
						want = append(want, i)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("[%d, %d) of %v: %v, want %v", begin, end, c.spans, got, want)
				}
			}
		}
	}
	p := newPlaces(rising)
	for _, c := range []struct {
		begin, end int
		want       []int
		fault      string
	}{
		{2, 4, []int{1}, ""}, {2, 6, []int{1, 2, 3}, ""}, {3, 3, nil, ""}, {4, 6, nil, "begins"}, {2, 5, nil, "ends"}, {0, 1, nil, "is the first token"}, {0, 3, []int{0, 1}, ""},
	} {
		var got []int
		err := p.marked("abcdefgh", chat.Span{Begin: c.begin, End: c.end}, func(token int) { got = append(got, token) })
		if !slices.Equal(got, c.want) || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("[%d, %d): %v, %v; want %v, %q", c.begin, c.end, got, err, c.want, c.fault)
		}
	}
	if firstRune("éa") != "é" || lastRune("aé") != "é" {
		t.Error("first and last characters")
	}
}

// Of special tokens one of which is the end of another, both stay text where a message spells the longer one.
func TestSpecialTokensInEachOther(t *testing.T) {
	template, err := chat.Parse("plain", "{% for m in messages %}{{ m.content }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][]string{{"<x>", "x>"}, {"x>", "<x>"}, {"<x>", "<x"}} {
		e := NewEncoder(byteTokens(t, names...), template, chat.Vars{})
		for _, text := range []string{"a<x>b", "<x>", "x><x>", "<x><x"} {
			ids, err := e.Prompt([]chat.Message{{Role: "user", Content: text}})
			if err != nil {
				t.Fatal(err)
			}
			var want []int32
			for _, b := range []byte(text) {
				want = append(want, int32(b))
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%q with %q: %v, want %v", text, names, ids, want)
			}
		}
	}
}
