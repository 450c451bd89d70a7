package ladder

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/scale"
)

// Figure is the file of a comparison of Transformers with LSTMs of as many parameters
// outside of embeddings and head, trained on as many tokens of the same text: figure 7 of
// Kaplan et al. 2020.
type Figure struct {
	Config string     `yaml:"config"` // that every run begins from, of a Transformer
	Dir    string     `yaml:"dir"`    // of the runs: transformer/RUN and lstm/RUN
	Set    []string   `yaml:"set"`    // path.to.key=VALUE of every run
	Sizes  [][]string `yaml:"sizes"`  // path.to.key=VALUE of each Transformer
	Tokens float64    `yaml:"tokens"` // that each run is trained on
	Layers int        `yaml:"layers"` // of an LSTM, whose width follows from the Transformer's size
	LSTM   []string   `yaml:"lstm"`   // path.to.key=VALUE of each LSTM
}

// unequal is how far the sizes of a pair may lie apart.
const unequal = 0.02

// LoadFigure reads a comparison with assignments over it, as --set gives them.
func LoadFigure(file string, assignments []string) (Figure, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return Figure{}, fmt.Errorf("config: %w", err)
	}
	f := Figure{Layers: 2}
	if err := config.Read(file, src, assignments, &f); err != nil {
		return f, err
	}
	if f.Layers < 1 {
		return f, fmt.Errorf("%s: layers is %d; an LSTM has one or more", file, f.Layers)
	}
	return f, f.transformers().validate(file)
}

func (f Figure) transformers() Config {
	c := Config{Config: f.Config, Dir: f.Dir, Count: string(scale.CountBody), Set: slices.Clone(f.Set), Sizes: f.Sizes, Tokens: []float64{f.Tokens}}
	if f.Dir != "" {
		c.Dir = filepath.Join(f.Dir, "transformer")
		c.Set = append(c.Set, fmt.Sprintf("data.cache_dir=%q", filepath.Join(f.Dir, "cache")))
	}
	return c
}

// Side is one kind of model of a comparison.
type Side struct {
	Name   string // transformer, lstm
	Ladder Config
	Rungs  []Rung // by size
}

// Open returns both sides; runs of one place are a pair.
func (f Figure) Open(ctx context.Context, table recipe.Table) (sides [2]Side, err error) {
	c := f.transformers()
	sides[0] = Side{Name: "transformer", Ladder: c}
	if sides[0].Rungs, err = c.Open(ctx, table); err != nil {
		return sides, err
	}
	other := c
	other.Dir = filepath.Join(f.Dir, "lstm")
	sides[1] = Side{Name: "lstm", Ladder: other}
	for _, r := range sides[0].Rungs {
		rungs, err := f.counterpart(ctx, table, other, r)
		if err != nil {
			return sides, fmt.Errorf("an LSTM beside %s: %w", r.Config.Run.Dir, err)
		}
		sides[1].Rungs = append(sides[1].Rungs, rungs...)
		if apart := rungs[0].N/r.N - 1; math.Abs(apart) > unequal {
			return sides, fmt.Errorf("%s has %.1f%% more parameters than %s: take a larger size, or other layers", rungs[0].Config.Run.Dir, 100*apart, r.Config.Run.Dir)
		}
	}
	return sides, nil
}

// counterpart is the run of the LSTM whose size is the closest to that of r.
func (f Figure) counterpart(ctx context.Context, table recipe.Table, c Config, r Rung) ([]Rung, error) {
	count := func(width int) (float64, error) {
		cfg, err := f.lstm(table, r.Config, width)
		if err != nil {
			return 0, err
		}
		n, _, err := c.size(ctx, table, cfg)
		return n, err
	}
	width, err := nearest(r.N, count)
	if err != nil {
		return nil, err
	}
	cfg, err := f.lstm(table, r.Config, width)
	if err != nil {
		return nil, err
	}
	return c.rungs(ctx, table, cfg)
}

// lstm is the configuration of a Transformer with an LSTM in its place.
func (f Figure) lstm(table recipe.Table, cfg config.Config, width int) (config.Config, error) {
	const name = "lstm"
	family, err := table.Config().Families.Find(name)
	if err != nil {
		return cfg, err
	}
	text, model := cfg.Text(), family.Config()
	if f.Layers == 1 {
		text.Dropout = 0 // it acts between layers
	}
	for _, set := range []string{
		fmt.Sprintf("layers=%d", f.Layers), fmt.Sprintf("width=%d", width), fmt.Sprintf("context=%d", text.Context),
		fmt.Sprintf("vocab=%d", text.Vocab), fmt.Sprintf("dropout=%g", text.Dropout),
	} {
		if err := config.Set(model, set); err != nil {
			return cfg, err
		}
	}
	if err := cfg.Model.Set(name, model); err != nil {
		return cfg, err
	}
	for _, set := range f.LSTM {
		if err := config.Set(&cfg, set); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// nearest returns the argument with which a rising function is the closest to n.
func nearest(n float64, count func(width int) (float64, error)) (int, error) {
	const most = 1 << 16
	low, high := 1, 2 // count(low) < n ≤ count(high)
	for {
		at, err := count(high)
		if err != nil {
			return 0, err
		}
		if at >= n {
			break
		}
		if low, high = high, 2*high; high > most {
			return 0, errors.New("no width is large enough")
		}
	}
	for high-low > 1 {
		middle := (low + high) / 2
		at, err := count(middle)
		if err != nil {
			return 0, err
		}
		if at < n {
			low = middle
		} else {
			high = middle
		}
	}
	below, err := count(low)
	if err != nil {
		return 0, err
	}
	above, err := count(high)
	if err != nil {
		return 0, err
	}
	if n-below < above-n {
		return low, nil
	}
	return high, nil
}

// A Curve is the loss of a run by the position in the context.
type Curve struct {
	Run  string    `json:"run"`
	Side string    `json:"side"`
	N    float64   `json:"n"`
	D    float64   `json:"d"`
	NLL  []float64 `json:"nll"` // nats, of the token behind each position
}

// Mean is the loss over positions [from, to).
func (c Curve) Mean(from, to int) float64 {
	var sum float64
	for _, nll := range c.NLL[from:to] {
		sum += nll
	}
	return sum / float64(to-from)
}

// Ranges are the positions that a comparison takes for early and late: of 256, 32 to 63 and
// 128 to 255.
func (c Curve) Ranges() (early, late [2]int) {
	n := len(c.NLL)
	return [2]int{n / 8, n / 4}, [2]int{n / 2, n}
}

// Gain is how far the loss falls from the early to the late positions.
func (c Curve) Gain() float64 {
	early, late := c.Ranges()
	return c.Mean(early[0], early[1]) - c.Mean(late[0], late[1])
}

// WriteCurves writes a table with a row a position and a column a curve.
func WriteCurves(fsys vfs.FS, file string, curves []Curve) error {
	return vfs.WriteFile(fsys, file, func(w io.Writer) error {
		table := csv.NewWriter(w)
		row := []string{"position"}
		for _, c := range curves {
			row = append(row, fmt.Sprintf("%s n=%.0f d=%.0f", c.Side, c.N, c.D))
		}
		err := table.Write(row)
		for t := range curves[0].NLL {
			row = append(row[:0], strconv.Itoa(t))
			for _, c := range curves {
				row = append(row, strconv.FormatFloat(c.NLL[t], 'f', 6, 64))
			}
			err = errors.Join(err, table.Write(row))
		}
		table.Flush()
		return errors.Join(err, table.Error())
	})
}
