// Package ladder trains and reads the runs that scaling laws are fitted to.
//
// A [Config] names sizes and budgets; [Open] makes a [Rung] of each pair, a run in a
// directory of its own. A rung that is done is left as it is, so that the same command
// goes on after a crash. [Points] reads what runs have reached, those of a ladder or any
// others, and [WriteTable] writes it as a table. Package scale fits the laws.
package ladder

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

// Config is the file of a ladder. Each size is trained for each budget, which is given in
// one of three ways.
type Config struct {
	Config             string     `yaml:"config"`               // that every run begins from: a file, or the name of one that ships
	Dir                string     `yaml:"dir"`                  // of the runs, one directory each
	Count              string     `yaml:"count"`                // all, non-embedding: the parameters that N counts
	Set                []string   `yaml:"set"`                  // path.to.key=VALUE of every run
	Sizes              [][]string `yaml:"sizes"`                // path.to.key=VALUE of each size
	Budgets            []float64  `yaml:"budgets"`              // C = 6·N·D floating-point operations
	Tokens             []float64  `yaml:"tokens"`               // D
	TokensPerParameter []float64  `yaml:"tokens_per_parameter"` // D/N
}

// Load reads a ladder with assignments over it, as --set gives them.
func Load(file string, assignments []string) (Config, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c := Config{Count: string(scale.CountAll)}
	if err := config.Read(file, src, assignments, &c); err != nil {
		return c, err
	}
	return c, c.validate(file)
}

func (c Config) validate(file string) error {
	given := 0
	for _, list := range [][]float64{c.Budgets, c.Tokens, c.TokensPerParameter} {
		if len(list) > 0 {
			given++
		}
		for _, x := range list {
			if !(x > 0) || math.IsInf(x, 1) {
				return fmt.Errorf("%s: a budget is %g; it has to be above 0", file, x)
			}
		}
	}
	switch {
	case c.Config == "":
		return fmt.Errorf("%s: config is missing: the configuration that every run begins from, such as opticks", file)
	case c.Dir == "":
		return fmt.Errorf("%s: dir is missing: the directory of the runs", file)
	case len(c.Sizes) == 0:
		return fmt.Errorf("%s: sizes is missing: a list of settings for each size, such as [model.layers=2, model.width=64]", file)
	case given != 1:
		return fmt.Errorf("%s: give one of budgets, tokens and tokens_per_parameter", file)
	}
	return CheckCount(c.Count)
}

// CheckCount says what is wrong with a count of parameters.
func CheckCount(count string) error {
	if c := scale.Count(count); c != scale.CountAll && c != scale.CountBody {
		return fmt.Errorf("count is %q; use %s (%s) or %s (%s)", count, scale.CountAll, scale.CountAll.Text(), scale.CountBody, scale.CountBody.Text())
	}
	return nil
}

// Rung is a run of a ladder.
type Rung struct {
	Config config.Config
	N, D   float64 // N as the ladder counts it
}

// C is its number of floating-point operations.
func (r Rung) C() float64 { return scale.FLOPsPerParameterToken * r.N * r.D }

// Open returns the rungs by their compute, the cheapest first, so that each can be
// compared with a law of those before it. The steps of a rung follow from its budget, its
// warmup is at most a tenth of them, and its tokens are in the ladder's one cache.
func (c Config) Open(ctx context.Context, table recipe.Table) ([]Rung, error) {
	var rungs []Rung
	for i, size := range c.Sizes {
		set := append([]string{fmt.Sprintf("data.cache_dir=%q", filepath.Join(c.Dir, "cache"))}, c.Set...)
		cfg, err := config.Load(c.Config, append(set, size...), table.Config())
		if err != nil {
			return nil, fmt.Errorf("sizes[%d]: %w", i, err)
		}
		of, err := c.rungs(ctx, table, cfg)
		if err != nil {
			return nil, fmt.Errorf("sizes[%d]: %w", i, err)
		}
		rungs = append(rungs, of...)
	}
	slices.SortStableFunc(rungs, func(a, b Rung) int { return cmp.Or(cmp.Compare(a.C(), b.C()), cmp.Compare(a.N, b.N)) })
	for i := 1; i < len(rungs); i++ {
		if rungs[i].Config.Run.Dir == rungs[i-1].Config.Run.Dir {
			return nil, fmt.Errorf("two rungs have N = %.0f and D = %.0f: leave one size or budget out", rungs[i].N, rungs[i].D)
		}
	}
	return rungs, nil
}

// rungs are those of one size, of which cfg is the configuration.
func (c Config) rungs(ctx context.Context, table recipe.Table, cfg config.Config) (rungs []Rung, err error) {
	n, unit, err := c.size(ctx, table, cfg)
	if err != nil {
		return nil, err
	}
	perStep := float64(cfg.StepSamples() * unit)
	for _, d := range c.tokens(n) {
		steps := math.Round(d / perStep)
		if steps < 1 || steps > 1<<40 {
			return nil, fmt.Errorf("%.3g tokens are %.3g steps of %.0f tokens; change the budget or train.batch", d, d/perStep, perStep)
		}
		rung := Rung{Config: cfg, N: n, D: steps * perStep}
		rung.Config.Train.Steps, rung.Config.Train.Epochs = int(steps), 0
		rung.Config.Optimizer.Warmup = min(cfg.Optimizer.Warmup, int(steps)/10)
		rung.Config.Run.Dir = filepath.Join(c.Dir, fmt.Sprintf("n%.0f-d%.0f", n, rung.D))
		if err := rung.Config.Validate(table.Config()); err != nil {
			return nil, err
		}
		rungs = append(rungs, rung)
	}
	return rungs, nil
}

// size returns N of a configuration, and the tokens of a sample.
func (c Config) size(ctx context.Context, table recipe.Table, cfg config.Config) (n float64, unit int, err error) {
	job, err := table.Design(ctx, recipe.Env{Config: cfg, FS: vfs.OS{}})
	if err != nil {
		return 0, 0, err
	}
	if job.Unit.Name != "tokens" {
		return 0, 0, fmt.Errorf("%s: recipe %s counts in %s; scaling laws are of tokens", c.Config, cfg.Recipe.Name(), job.Unit.Name)
	}
	return float64(forecast.Parameters(job, scale.Count(c.Count))), job.Unit.PerSample, nil
}

// Waiting is the state of a rung that has not begun; the others are those of package runs.
const Waiting runs.State = "waiting"

// Standing is where a rung stands.
type Standing struct {
	Run   string     `json:"run"`
	State runs.State `json:"state"`
	N     float64    `json:"n"`
	D     float64    `json:"d"`
	C     float64    `json:"c"`
	Steps int        `json:"steps"`
}

// States tells where rungs stand.
func States(rungs []Rung, tables config.Tables) ([]Standing, error) {
	all := make([]Standing, len(rungs))
	for i, r := range rungs {
		dir := r.Config.Run.Dir
		all[i] = Standing{dir, Waiting, r.N, r.D, r.C(), r.Config.Train.Steps}
		if _, err := runs.Find(dir); err != nil {
			continue // there is no run yet
		}
		run, err := runs.Open(dir, tables)
		if err != nil {
			return nil, err
		}
		all[i].State = run.State
	}
	return all, nil
}

// tokens are the D of a size of N parameters.
func (c Config) tokens(n float64) []float64 {
	all := slices.Clone(c.Tokens)
	for _, budget := range c.Budgets {
		all = append(all, budget/scale.FLOPsPerParameterToken/n)
	}
	for _, ratio := range c.TokensPerParameter {
		all = append(all, ratio*n)
	}
	return all
}

// TableName is the file of a ladder's directory that has what its runs have reached.
const TableName = "table.csv"

// resamples of the laws that a ladder keeps while it grows.
const resamples = 200

// Record writes the table of the runs that are done, and the laws that are fitted to them
// once there are enough.
func (c Config) Record(ctx context.Context, table recipe.Table) error {
	dirs, err := runs.Find(c.Dir)
	if err != nil {
		return err
	}
	results, err := Read(ctx, table, func(string, ...any) {}, dirs)
	if err != nil {
		return err
	}
	count := scale.Count(c.Count)
	if err := WriteTable(vfs.OS{}, filepath.Join(c.Dir, TableName), results, count); err != nil {
		return err
	}
	o := scale.Defaults()
	o.Resamples = resamples
	r, err := scale.Make(Points(results, count, false), count, o)
	if err != nil {
		return nil // too few of them yet
	}
	return r.Write(vfs.OS{}, filepath.Join(c.Dir, scale.FileName))
}
