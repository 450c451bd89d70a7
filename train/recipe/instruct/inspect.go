package instruct

import (
	"context"
	"fmt"
	"io"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// inspect shows a conversation as the model gets it, and how many there are, are cut
// and are left out.
func inspect(ctx context.Context, env recipe.Env, v recipe.View) (recipe.Inspection, error) {
	tokens, id, err := text.OpenTokenizer(ctx, env)
	if err != nil {
		return nil, err
	}
	in, err := text.ReadConversations(ctx, env, tokens, id, nil)
	if err != nil {
		return nil, err
	}
	in.Tell(env)
	set := in.Train
	if v.Split == "validation" {
		if set = in.Validation; set == nil {
			return nil, fmt.Errorf("%w: --split validation: the configuration holds no conversations out; set data.validation or data.validation_paths", recipe.ErrView)
		}
	}
	if v.Sample >= uint64(set.Examples()) {
		return nil, fmt.Errorf("%w: --sample is %d; there are examples 0 to %d", recipe.ErrView, v.Sample, set.Examples()-1)
	}
	size := env.Config.Sequences(data.Rows{Batch: 1})
	loader, err := instruct.NewLoader(set, data.LoaderConfig{Sequences: size, Seed: env.Config.Run.Seed}, in.Config.Packing, in.Pad)
	if err != nil {
		return nil, err
	}
	x := set.Example(int(v.Sample))
	r := &example{
		Split: v.Split, Sample: v.Sample, Source: x.Source, Template: in.Encoder.Template().Name(), Stats: set.Stats(),
		Rows: loader.Epoch(), Density: loader.Density(), Tokens: x.Tokens, Counted: x.Counted,
	}
	for _, id := range x.Tokens {
		r.Texts = append(r.Texts, string(tokens.TokenBytes(id)))
	}
	return r, nil
}

// example is what data inspect shows of instruction data.
type example struct {
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

func (r *example) print(w io.Writer, tokens string) error {
	s := r.Stats
	_, err := fmt.Fprintf(w, `%-12s %d, %d truncated, %d dropped, %d left out without an answer
%-12s %d, %d of them trained (%.1f%%), %d end a turn
%-12s %d, full to %.1f%%
%-12s %s
%-12s %d of %s, %s, %d tokens

%s`, "examples", s.Examples, s.Truncated, s.Dropped, s.Empty,
		"tokens", s.Tokens, s.Counted, 100*float64(s.Counted)/float64(s.Tokens), s.Ends,
		"rows", r.Rows, 100*r.Density, "template", r.Template,
		"example", r.Sample, r.Split, r.Source, len(r.Tokens), tokens)
	return err
}

// lines has a line for each token: its place, a mark where it is trained, its id and text.
func (r *example) lines() string {
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
func (r *example) colours() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%strained%s %stokens%s, %snot trained%s\n\n", text.EvenToken, text.Plain, text.OddToken, text.Plain, text.Unscored, text.Plain)
	for i, piece := range r.Texts {
		colour := text.Unscored
		if r.Counted[i] {
			colour = []string{text.EvenToken, text.OddToken}[i%2]
		}
		b.WriteString(colour + strings.ReplaceAll(piece, "\n", "↵"+text.Plain+"\n"+colour) + text.Plain)
	}
	b.WriteString("\n")
	return b.String()
}

// Print writes the example for people.
func (r *example) Print(w io.Writer, colour bool) error {
	if colour {
		return r.print(w, r.colours())
	}
	return r.print(w, r.lines())
}
