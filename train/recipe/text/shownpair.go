package text

import (
	"fmt"
	"io"
	"strings"

	"example.com/gotrain/data"
)

// ShownPair is a source and its target as a model gets them, for people to look at.
type ShownPair struct {
	Source      []int32  `json:"source"`
	SourceTexts []string `json:"source_texts"`
	Inputs      []int32  `json:"inputs"` // of the decoder
	Targets     []int32  `json:"targets"`
	TargetTexts []string `json:"target_texts"`
}

// NewShownPair has the texts of a pair whose decoder begins from start.
func NewShownPair(t data.Tokenizer, source, target []int32, start int32) ShownPair {
	p := ShownPair{Source: source, Targets: target, SourceTexts: texts(t, source), TargetTexts: texts(t, target)}
	if len(target) > 0 {
		p.Inputs = append([]int32{start}, target[:len(target)-1]...)
	}
	return p
}

func texts(t data.Tokenizer, ids []int32) (all []string) {
	for _, id := range ids {
		all = append(all, string(t.TokenBytes(id)))
	}
	return all
}

// PrintPair writes a line for each place, or both texts with their tokens in two colours in turn.
func (p ShownPair) PrintPair(w io.Writer, colour bool) error {
	if colour {
		_, err := io.WriteString(w, coloured(p.SourceTexts)+"\n"+coloured(p.TargetTexts)+"\n")
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%5s %7s %-24s %7s %7s %s\n", "place", "source", "token", "input", "target", "token")
	for i := range max(len(p.Source), len(p.Targets)) {
		fmt.Fprintf(&b, "%5d", i)
		if i < len(p.Source) {
			fmt.Fprintf(&b, " %7d %-24q", p.Source[i], p.SourceTexts[i])
		} else {
			fmt.Fprintf(&b, " %7s %-24s", "-", "-")
		}
		if i < len(p.Targets) {
			fmt.Fprintf(&b, " %7d %7d %q", p.Inputs[i], p.Targets[i], p.TargetTexts[i])
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// coloured has tokens in two colours in turn.
func coloured(texts []string) string {
	var b strings.Builder
	for i, t := range texts {
		b.WriteString([]string{EvenToken, OddToken}[i%2] + strings.ReplaceAll(t, "\n", "↵") + Plain)
	}
	return b.String()
}
