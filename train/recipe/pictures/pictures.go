// Package pictures is what recipes of pictures share: their data, and sheets of pictures.
package pictures

import (
	"fmt"
	"image"
	"image/color"
	"math"

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

// Read reads the pictures of env, and tells of them.
func Read(env recipe.Env) (*picture.Set, error) {
	p := Section(env.Config)
	set, err := picture.Read(p, env.Config.Run.Seed)
	if err != nil {
		return nil, err
	}
	for _, damaged := range set.Damaged {
		env.Telling("damaged", "left out: %v", damaged)
	}
	env.Telling("pictures", "%d of %d × %d pixels to learn from, %d held out", len(set.Train), p.Size, p.Size, len(set.Held))
	return set, nil
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

// Sheet is lines of pictures beside each other, with a pixel between them.
type Sheet struct {
	*image.RGBA
	columns, size, channels int
}

// NewSheet returns an empty sheet of pictures of size × size pixels.
func NewSheet(lines, columns, size, channels int) Sheet {
	return Sheet{image.NewRGBA(image.Rect(0, 0, columns*(size+1)-1, lines*(size+1)-1)), columns, size, channels}
}

// Paint puts pictures from the beginning of a line on, row by row; element i of them is at(i),
// (pictures, size, size, channels).
func (s Sheet) Paint(line, pictures int, at func(i int) byte) {
	for i := range pictures * s.size * s.size {
		n, y, x := i/(s.size*s.size), i/s.size%s.size, i%s.size
		c := color.RGBA{at(i * s.channels), at(i * s.channels), at(i * s.channels), 255}
		if s.channels == 3 {
			c.G, c.B = at(i*s.channels+1), at(i*s.channels+2)
		}
		s.SetRGBA(n%s.columns*(s.size+1)+x, (line+n/s.columns)*(s.size+1)+y, c)
	}
}

// Byte is the byte of a share in [0, 1].
func Byte(share float64) byte { return byte(math.Round(255 * min(max(share, 0), 1))) }
