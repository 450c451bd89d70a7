package diffusion

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe/pictures"
)

// Prior are pictures of a class, which a model that learns from a few pictures of one of its members
// keeps (Ruiz et al. 2023, DreamBooth): as a rule drawn by the base itself.
type Prior struct {
	Paths   []string `yaml:"train"`   // files or patterns, captioned as those of data.train; none for no prior
	Caption string   `yaml:"caption"` // of those without a text beside them, such as "a dog"
	Weight  float64  `yaml:"weight"`  // of their loss
}

// validate returns all faults, of the section prior.
func (p Prior) validate() error {
	var errs []error
	if !(p.Weight > 0) || math.IsInf(p.Weight, 0) {
		errs = append(errs, fmt.Errorf("weight is %g; use a positive number, such as 1", p.Weight))
	}
	if p.Caption != "" && len(p.Paths) == 0 {
		errs = append(errs, errors.New("caption is that of recipe.prior.train, which names no pictures"))
	}
	return errors.Join(errs...)
}

// add puts the pictures of a prior behind those of training, which are repeated until a pass has as
// many of them, and returns the place of the first.
func (p Prior) add(c config.Config, set *picture.Set) (int, error) {
	if len(p.Paths) == 0 {
		return len(set.Train), nil
	}
	section := pictures.Section(c)
	section.Paths, section.Shapes, section.Validation, section.ValidationPaths, section.Captions = p.Paths, 0, 0, nil, true
	prior, err := picture.Read(section, c.Run.Seed)
	if err != nil {
		return 0, config.Faultf("recipe.prior: %w", err)
	}
	for i := range prior.Train {
		if prior.Train[i].Caption == "" {
			prior.Train[i].Caption = p.Caption
		}
	}
	set.Train = slices.Repeat(set.Train, max(1, len(prior.Train)/len(set.Train)))
	first := len(set.Train)
	set.Train = append(set.Train, prior.Train...)
	return first, nil
}
