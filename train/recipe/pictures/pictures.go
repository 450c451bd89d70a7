// Package pictures is what recipes of pictures share: their data, and sheets of pictures.
package pictures

import (
	"fmt"
	"math/rand/v2"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// Unit is what samples are counted in.
var Unit = recipe.Unit{Name: "images", PerSample: 1}

// Formats are the kinds of data of such a recipe.
func Formats() []config.Choice {
	return []config.Choice{{Name: picture.Format, New: func() any { c := picture.Default(); return &c }}}
}

// Section is the section data of c.
func Section(c config.Config) picture.Config { return *c.Data.Value().(*picture.Config) }

// Files are those of a model beside its weights.
func Files(m nn.Model) func() ([]checkpoint.File, error) {
	return func() ([]checkpoint.File, error) {
		text, err := nn.ConfigJSON(m, nn.SpecialTokens{BOS: -1, PAD: -1})
		return []checkpoint.File{vfs.Bytes("config.json", text)}, err
	}
}

// Read reads the pictures of env, and tells what was left out.
func Read(env recipe.Env) (*picture.Set, error) {
	set, err := picture.Read(Section(env.Config), env.Config.Run.Seed)
	if err != nil {
		return nil, err
	}
	for _, damaged := range set.Damaged {
		env.Telling("damaged", "left out: %v", damaged)
	}
	return set, nil
}

// Tell tells of the pictures that were read, with more behind it.
func Tell(env recipe.Env, set *picture.Set, more string) {
	size := Section(env.Config).Size
	env.Telling("pictures", "%d of %d × %d pixels to learn from, %d held out%s", len(set.Train), size, size, len(set.Held), more)
}

// Give gives j the batches of a set.
func Give(j *recipe.Job, set *picture.Set) {
	c, p := j.Config, Section(j.Config)
	j.Train = &picture.Loader{Rows: c.TrainRows(), Config: p, Set: set.Train, Seed: c.Run.Seed}
	j.Epoch, j.TrainUnits, j.EvalUnits = uint64(len(set.Train)), int64(len(set.Train)), int64(len(set.Held))
	bytes := int64(len(set.Train)+len(set.Held)) * int64(p.Bytes())
	j.Reading = data.Memory{Passing: bytes, Kept: bytes}
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: fmt.Sprintf("%d pictures, %d held out", len(set.Train), len(set.Held)), Cure: "data.train has to name the same pictures on all nodes"})
	if len(set.Held) > 0 {
		j.Eval = &picture.Loader{Rows: c.EvalRows(), Config: p, Set: set.Held, Held: true}
	}
}

// Input are the pictures of a batch as a graph has them, rows of them: bytes times scale, plus
// shift.
func Input(g *autograd.Graph, rows int, p picture.Config, scale, shift float32) nn.Pictures {
	x := autograd.Pixels(g, picture.Field, rows, p.Bytes())(scale, shift)
	return nn.Pictures{X: autograd.Reshape(x, rows*p.Size*p.Size, p.Channels()), Batch: rows, Height: p.Size, Width: p.Size}
}

// drawSeed is that of the latents that sheets are drawn of, the same at every evaluation.
const drawSeed = 20

// Latents fills to with the numbers from N(0, 1) of a sheet, by its number.
func Latents(sheet uint64, to []float32) {
	rng := rand.New(rand.NewPCG(drawSeed, sheet))
	for i := range to {
		to[i] = float32(rng.NormFloat64())
	}
}
