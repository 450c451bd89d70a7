package seq2seq

import (
	"context"
	"fmt"
	"io"

	"example.com/gotrain/data"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// inspect shows a pair as the model gets it, and how many there are and are left out.
func inspect(ctx context.Context, env recipe.Env, v recipe.View) (recipe.Inspection, error) {
	tokens, id, err := text.OpenTokenizer(ctx, env)
	if err != nil {
		return nil, err
	}
	enc, err := text.PairEncoder(tokens, &id)
	if err != nil {
		return nil, err
	}
	o, err := read(ctx, env, enc, nil)
	if err != nil {
		return nil, err
	}
	set := o.train
	if v.Split == "validation" {
		if set = o.held; set.Len() == 0 {
			return nil, fmt.Errorf("%w: --split validation: the configuration holds no pairs out; set data.validation or data.validation_paths", recipe.ErrView)
		}
	}
	if v.Sample >= uint64(set.Len()) {
		return nil, fmt.Errorf("%w: --sample is %d; there are pairs 0 to %d", recipe.ErrView, v.Sample, set.Len()-1)
	}
	d, err := section(env.Config)
	if err != nil {
		return nil, err
	}
	loader, err := pairs.NewLoader(set, data.LoaderConfig{Sequences: env.Config.Sequences(data.Rows{Batch: 1}), Seed: env.Config.Run.Seed}, d.Pairs.Packing, enc)
	if err != nil {
		return nil, err
	}
	x := set.Example(int(v.Sample))
	r := &example{
		Split: v.Split, Sample: v.Sample, From: x.Origin.String(), Stats: set.Stats(), Rows: loader.Epoch(),
		ShownPair: text.NewShownPair(tokens, x.Source, x.Target, enc.Start),
	}
	r.SourceDensity, r.TargetDensity = loader.Density(env.Config.Length())
	return r, nil
}

// example is what data inspect shows of pairs.
type example struct {
	Split         string      `json:"split"`
	Sample        uint64      `json:"sample"`
	From          string      `json:"from"`
	Stats         pairs.Stats `json:"stats"`
	Rows          int         `json:"rows"`           // of an epoch
	SourceDensity float64     `json:"source_density"` // parts of the positions of an epoch that hold tokens
	TargetDensity float64     `json:"target_density"`
	text.ShownPair
}

// Print writes the pair for people.
func (r *example) Print(w io.Writer, colour bool) error {
	s := r.Stats
	long := ""
	if s.Long > 0 {
		long = fmt.Sprintf(", %d left out as too long, the first at %s", s.Long, s.LongFirst)
	}
	if _, err := fmt.Fprintf(w, `%-8s %d%s
%-8s %d of sources, %d of targets
%-8s %d, full to %.1f%% and %.1f%%
%-8s %d of %s, %s: %d tokens → %d

`, "pairs", s.Pairs, long, "tokens", s.SourceTokens, s.TargetTokens, "rows", r.Rows, 100*r.SourceDensity, 100*r.TargetDensity,
		"pair", r.Sample, r.Split, r.From, len(r.Source), len(r.Targets)); err != nil {
		return err
	}
	return r.PrintPair(w, colour)
}
