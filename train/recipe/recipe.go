// Package recipe says what a run learns, from what, and by whom.
//
// A [Recipe] is a row of a table ([Table]; package all has that of this program) and
// a folder below this one: it reads its own section of the configuration and opens a
// [Job]: models ([Part]), losses and who learns from them ([Phase]), batches
// (data.Source), what is measured ([Metric]) and shown. The loop of package train
// runs any Job, saves it, and goes on with it to the same bits.
//
// Recipes do not import each other. What several share is a package of its own, such
// as text for those that read and write language.
package recipe

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
)

// Recipe is a row of the table.
type Recipe struct {
	Name string
	// Config returns a pointer to the recipe's keys in the section recipe, with their
	// defaults; nil for a recipe that has none.
	Config func() any
	// Formats are the kinds of data that the recipe learns from, the values of
	// data.format. A configuration that names no recipe gets the first that takes
	// its format.
	Formats []config.Choice
	// Check returns all faults of a configuration that only this recipe knows; nil for
	// none.
	Check func(c config.Config) error
	// Base finds the base that a path names and tells its model section, where it is a
	// directory of several models; nil for a recipe that goes on with a single one.
	Base func(path string) (dir string, model nn.Spec, err error)
	// Design returns the job without its data: what a plan needs.
	Design func(ctx context.Context, env Env) (*Job, error)
	// Open returns the job with its data.
	Open func(ctx context.Context, env Env) (*Job, error)
	// Inspect shows a sample as the model gets it; nil for a recipe that cannot. A view
	// of what is not there is an ErrView.
	Inspect func(ctx context.Context, env Env, v View) (Inspection, error)
}

// View says which sample to show.
type View struct {
	Split  string // train or validation
	Sample uint64 // in the order of training, or of held-out data
}

// ErrView says that a View shows nothing.
var ErrView = errors.New("nothing to show")

// Sheeted is an Inspection that has a picture.
type Sheeted interface{ Sheet() image.Image }

// Inspection is a sample, which package json writes too.
type Inspection interface {
	// Print writes it for people, with the colours of a terminal or without.
	Print(w io.Writer, colour bool) error
}

// Env is what a run gives a recipe.
type Env struct {
	Config   config.Config
	Families nn.Families
	FS       vfs.FS
	// From is the checkpoint that the run goes on from, "" at its beginning.
	From string
	// Dry leaves nothing behind: neither a tokenizer nor a cache of data. The job
	// has the sizes of its data, but no sources.
	Dry bool
	// Held says that all of the data are held out: Job.Eval has them, Job.Train nothing.
	// Only a recipe of conversations knows it, and only in a Dry run.
	Held bool
	// Sum adds numbers up over the ranks, in their order; all of them call it alike, from
	// Job.Prepare. It is nil for a process that is alone.
	Sum func(mine []float64) ([]float64, error)
	// Now is the time; nil is that of the machine.
	Now func() time.Time
	// Tell and Progress are told what is prepared; they may be nil.
	Tell     func(Prepared)
	Progress func(data.Progress)
}

// Prepared is a part of the work before the first step, with what it found.
type Prepared struct{ Name, Detail string }

// Telling calls Tell where there is one.
func (e Env) Telling(name, format string, args ...any) {
	if e.Tell != nil {
		e.Tell(Prepared{name, fmt.Sprintf(format, args...)})
	}
}

// Sums are Sum's, or mine where that is nil.
func (e Env) Sums(mine []float64) ([]float64, error) {
	if e.Sum == nil {
		return mine, nil
	}
	return e.Sum(mine)
}

// Today is the time of now.
func (e Env) Today() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// Table is all that a configuration may name.
type Table struct {
	Families nn.Families
	Recipes  []Recipe
}

// Config is the table as package config reads it.
func (t Table) Config() config.Tables {
	tables := config.Tables{Families: t.Families}
	for _, r := range t.Recipes {
		tables.Recipes = append(tables.Recipes, config.Recipe{Name: r.Name, Config: r.Config, Formats: r.Formats, Check: r.Check, Base: r.Base})
	}
	return tables
}

// Find returns the recipe that a configuration names.
func (t Table) Find(c config.Config) (Recipe, error) {
	i := slices.IndexFunc(t.Recipes, func(r Recipe) bool { return r.Name == c.Recipe.Name() })
	if i < 0 {
		return Recipe{}, fmt.Errorf("recipe.kind: %q is not a recipe of this program", c.Recipe.Name())
	}
	return t.Recipes[i], nil
}

// Design is Recipe.Design of the recipe that env's configuration names.
func (t Table) Design(ctx context.Context, env Env) (*Job, error) {
	r, err := t.Find(env.Config)
	if err != nil {
		return nil, err
	}
	env.Families = t.Families
	return r.Design(ctx, env)
}

// Inspect is Recipe.Inspect of the recipe that env's configuration names.
func (t Table) Inspect(ctx context.Context, env Env, v View) (Inspection, error) {
	r, err := t.Find(env.Config)
	if err != nil {
		return nil, err
	}
	if r.Inspect == nil {
		return nil, fmt.Errorf("%w: recipe %s does not show single samples", ErrView, r.Name)
	}
	env.Families = t.Families
	return r.Inspect(ctx, env, v)
}

// Open is Recipe.Open of the recipe that env's configuration names.
func (t Table) Open(ctx context.Context, env Env) (*Job, error) {
	r, err := t.Find(env.Config)
	if err != nil {
		return nil, err
	}
	env.Families = t.Families
	j, err := r.Open(ctx, env)
	if err != nil || j.Config.Train.Epochs == 0 {
		return j, err
	}
	if err := j.countSteps(); err != nil {
		if j.Close != nil {
			err = errors.Join(err, j.Close())
		}
		return nil, err
	}
	env.Telling("steps", "%d: %g epochs of %d sequences, %d a step", j.Config.Train.Steps, env.Config.Train.Epochs, j.Epoch, j.Config.StepSamples())
	return j, nil
}
