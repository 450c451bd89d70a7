package diffusion

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/nn/unet"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// Control is what pictures are drawn under beside their captions (Zhang et al. 2023).
type Control struct {
	Kind   string        `yaml:"kind"`   // contour: Canny's of the picture; depth: of drawn shapes; files: pictures of the same names; "" is none
	From   string        `yaml:"from"`   // of files, the folder
	Canny  picture.Canny `yaml:"canny"`  // of contours
	Widths []int         `yaml:"widths"` // channels of the layers that read conditions; default from 16 on, twice as many each time a side halves
}

// Kinds of conditions.
const (
	contour = "contour"
	depth   = "depth"
	files   = "files"
)

// validate returns all faults, of the section control.
func (o Control) validate(c config.Config) error {
	if o.Kind == "" {
		return nil
	}
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(slices.Contains([]string{contour, depth, files}, o.Kind), "kind is %q; use %s, %s or %s, or leave it out", o.Kind, contour, depth, files)
	fault(c.Base != "", "kind: a ControlNet learns beside a base that stays as it is: use gotrain finetune --base DIR")
	p, ok := c.Data.Value().(*picture.Config)
	fault(!ok || o.Kind != depth || p.Shapes > 0, "kind: depth is that of drawn shapes; name pictures of depths of your own by kind: files")
	fault(len(own(c).Prompts) == 0, "kind: evaluations draw held-out pictures by their captions and conditions: leave recipe.prompts out")
	fault((o.Kind == files) == (o.From != ""), "from is the folder of kind: files, and of no other")
	if err := o.Canny.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("canny: %w", err))
	}
	return errors.Join(errs...)
}

// learnControl has the control alone learn. A new one begins as a copy of the U-Net's way down.
func (m *model) learnControl(part recipe.Part, c config.Config) {
	if _, err := os.Stat(filepath.Join(c.Base, pipeline.Control, "config.json")); err != nil {
		part.Base, part.Copies = "", filepath.Join(c.Base, pipeline.Denoiser)
	}
	m.job.Parts = append(m.job.Parts, part)
	phase := &m.job.Phases[0]
	phase.Learns, phase.With = pipeline.Control, nil
}

// readConditions reads conditions of files.
func (m *model) readConditions(set *picture.Set) error {
	if m.config.Control.Kind != files {
		return nil
	}
	from := m.config.Control.From
	entries, err := os.ReadDir(from)
	if err != nil {
		return config.Faultf("recipe.control.from: %w", err)
	}
	found := map[string][]string{} // file names by their stems
	for _, e := range entries {
		found[stem(e.Name())] = append(found[stem(e.Name())], e.Name())
	}
	m.conditions = map[string][]byte{}
	for _, p := range slices.Concat(set.Train, set.Held) {
		name := stem(p.Origin.File)
		if m.conditions[name] != nil {
			return config.Faultf("recipe.control.from: two pictures are called %s: conditions are found by names, so give each its own", name)
		}
		if len(found[name]) != 1 {
			return config.Faultf("recipe.control.from: %s has %d pictures called %s, such as %s.png; it needs one for each of data.train", from, len(found[name]), name, name)
		}
		if m.conditions[name], err = picture.ReadFile(filepath.Join(from, found[name][0]), m.data.Size, unet.ConditionChannels); err != nil {
			return config.Faultf("recipe.control.from: %w", err)
		}
	}
	return nil
}

// stem is the name of a file without its folder and extension.
func stem(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// condition writes what a picture, whose pixels are as the row has them, is drawn under.
func (m *model) condition(p picture.Picture, pixels []byte, mirrored bool, to []byte) {
	var grey []byte
	switch m.config.Control.Kind {
	case files:
		copy(to, m.conditions[stem(p.Origin.File)])
		if mirrored {
			picture.Mirror(to, m.data.Size, unet.ConditionChannels)
		}
		return
	case depth:
		shape := picture.NewShape(m.job.Config.Run.Seed, uint64(p.Origin.Offset))
		if mirrored {
			shape = shape.Mirrored()
		}
		grey = shape.Depth(m.data)
	default:
		grey = m.contours(pixels)
	}
	picture.Coloured(to, grey)
}

// contours are those of a picture.
func (m *model) contours(pixels []byte) []byte {
	return m.config.Control.Canny.Contours(pixels, m.data.Size, m.data.Size, m.data.Channels())
}

// overlap is the intersection over the union of contours, 1 where there are none.
func overlap(a, b []byte) float64 {
	both, either := 0.0, 0.0
	for i := range a {
		if a[i] != 0 && b[i] != 0 {
			both++
		}
		if a[i] != 0 || b[i] != 0 {
			either++
		}
	}
	if either == 0 {
		return 1
	}
	return both / either
}

// measured is how many held-out pictures are drawn again by an evaluation, twice each.
const measured = 32

// showControlled has evaluations draw held-out pictures again by their captions and conditions, and
// tells how far the contours of what is drawn are those of the pictures, under their conditions and
// under those of others.
func (m *model) showControlled(d *pipeline.Drawer, set *picture.Set) {
	of := slices.Concat(set.Held, set.Train)
	draw := func(ctx context.Context, of []picture.Picture, conditions [][]byte, seed uint64) ([][]byte, error) {
		r := pipeline.Request{Conditions: conditions, Guidance: m.config.Guidance, Method: m.config.Sampler, Steps: m.config.Steps, Seed: seed}
		for _, p := range of {
			r.Prompts = append(r.Prompts, p.Caption)
		}
		return d.Draw(ctx, r)
	}
	conditions := func(of []picture.Picture) [][]byte {
		all := make([][]byte, len(of))
		for i, p := range of {
			all[i] = make([]byte, m.Side*m.Side*unet.ConditionChannels)
			m.condition(p, p.Pixels, false, all[i])
		}
		return all
	}
	m.job.Show = func(ctx context.Context) (recipe.Shown, error) {
		of := of[:min(len(of), m.config.Shown)]
		under := conditions(of)
		drawn, err := draw(ctx, of, under, drawSeed)
		shown := recipe.Shown{Name: "drawn", Text: "conditions, and pictures that are drawn under them"}
		if err == nil {
			shown.Picture = picture.Grid(slices.Concat(under, drawn), m.Side, len(of))
		}
		return shown, err
	}
	of = of[:min(len(of), max(measured, m.config.Shown))]
	m.job.Measure = func(ctx context.Context) (recipe.Measured, error) {
		right, all := [2]float64{}, conditions(of)
		for first := 0; first < len(of); first += m.config.Shown {
			some := of[first:min(first+m.config.Shown, len(of))]
			for other := range right {
				under := make([][]byte, len(some))
				for i := range some {
					under[i] = all[(first+i+other)%len(all)]
				}
				drawn, err := draw(ctx, some, under, drawSeed+1+uint64(first))
				if err != nil {
					return recipe.Measured{}, err
				}
				for i, pixels := range drawn {
					right[other] += overlap(m.contours(pixels), m.contours(some[i].Pixels)) / float64(len(of))
				}
			}
		}
		return recipe.Measured{Values: []recipe.Measurement{{Name: "contour_iou", Value: right[0]}, {Name: "contour_iou_shuffled", Value: right[1]}},
			Notes: []recipe.Note{{Name: "contour_iou_signature", Text: fmt.Sprintf("%d held-out pictures drawn by their captions and conditions, and by the conditions of the next, %s of %d steps, guidance %g; pixels of Canny's contours (%d, %d) in both over those in either",
				len(of), m.config.Sampler, m.config.Steps, m.config.Guidance, m.config.Control.Canny.Low, m.config.Control.Canny.High)}}}, nil
	}
}
