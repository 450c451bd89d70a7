package main

import (
	"fmt"
	"io"
	"strings"

	"gotrain/data/instruct"
)

// exampleReport is what data inspect shows of instruction data.
type exampleReport struct {
	Split    string         `json:"split"`
	Sample   uint64         `json:"sample"`
	Source   string         `json:"source"`
	Template string         `json:"template"`
	Stats    instruct.Stats `json:"stats"`
	Rows     int            `json:"rows"`    // of an epoch
	Density  float64        `json:"density"` // part of the positions of an epoch that hold tokens
	Tokens   []int32        `json:"tokens"`
	Texts    []string       `json:"texts"`
	Counted  []bool         `json:"counted"` // the loss counts the token
}

func (r *exampleReport) print(w io.Writer, tokens string) error {
	s := r.Stats
	_, err := fmt.Fprintf(w, `%-12s %d, %d truncated, %d dropped
%-12s %d, %d of them trained (%.1f%%), %d end a turn
%-12s %d, full to %.1f%%
%-12s %s
%-12s %d of %s, %s, %d tokens

%s`, "examples", s.Examples, s.Truncated, s.Dropped,
		"tokens", s.Tokens, s.Counted, 100*float64(s.Counted)/float64(s.Tokens), s.Ends,
		"rows", r.Rows, 100*r.Density, "template", r.Template,
		"example", r.Sample, r.Split, r.Source, len(r.Tokens), tokens)
	return err
}

// lines has a line for each token: its place, a mark where it is trained, its id and text.
func (r *exampleReport) lines() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5s %-7s %7s %s\n", "place", "loss", "id", "token")
	for i, id := range r.Tokens {
		mark := "-"
		if r.Counted[i] {
			mark = "trained"
		}
		fmt.Fprintf(&b, "%5d %-7s %7d %q\n", i, mark, id, r.Texts[i])
	}
	return b.String()
}

// colours has the text with the trained tokens in two colours in turn and the others dim.
func (r *exampleReport) colours() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%strained%s %stokens%s, %snot trained%s\n\n", evenToken, plain, oddToken, plain, unscored, plain)
	for i, text := range r.Texts {
		colour := unscored
		if r.Counted[i] {
			colour = []string{evenToken, oddToken}[i%2]
		}
		b.WriteString(colour + strings.ReplaceAll(text, "\n", "↵"+plain+"\n"+colour) + plain)
	}
	b.WriteString("\n")
	return b.String()
}
