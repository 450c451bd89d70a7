package main

import (
	"math/rand/v2"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
)

// noiseKind is the kind of models that make pictures of random numbers.
func noiseKind() kind {
	return kind{
		plural: "models that draw pictures from random numbers",
		has: func(m nn.Model) bool {
			switch m.(type) {
			case nn.PictureGenerator, nn.Autoencoder:
				return true
			}
			return false
		},
		sample: (*sampleFlags).runNoise, unprompted: true,
	}
}

// unprompted is the kind of the model, if it is one that takes no prompt.
func (f *sampleFlags) unprompted() (kind, bool) {
	m, err := f.describe()
	if err != nil {
		return kind{}, false
	}
	for _, k := range kinds() {
		if k.unprompted && k.has(m) {
			return k, true
		}
	}
	return kind{}, false
}

// noiseDrawn is what --json prints.
type noiseDrawn struct {
	Model   string      `json:"model"`
	Out     string      `json:"out"`
	Image   string      `json:"image,omitempty"`
	Seed    uint64      `json:"seed"`
	Latents [][]float32 `json:"latents,omitempty"` // of each picture
}

// runNoise draws --count pictures, each of the random numbers of its own seed; with --image
// it tells that picture again.
func (f *sampleFlags) runNoise(c *cobra.Command) error {
	given := map[string]bool{"model": true, "device": true, "precision": true, "json": true, "seed": true, "count": true, "out": true, "image": true}
	for _, name := range changed(c) {
		if !given[name] {
			return usagef("--%s is for models that take a prompt: this one draws from random numbers, and takes --out, --count, --seed and --image", name)
		}
	}
	switch {
	case f.pictures.out == "":
		return usagef("--out is missing: name the PNG file to write")
	case f.count > maxDrawn || f.count < 1:
		return usagef("--count is %d; use 1 to %d", f.count, maxDrawn)
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	told := noiseDrawn{Model: m.Dir, Out: f.pictures.out, Image: f.pictures.image, Seed: f.asked.Seed}
	d, err := m.noiseDrawer()
	if err != nil {
		return err
	}
	var all [][]byte
	if f.pictures.image != "" {
		if all, err = d.again(f.pictures.image); err != nil {
			return err
		}
	}
	for i := range f.count {
		if f.pictures.image != "" {
			break
		}
		z, pixels, err := d.random(rand.New(rand.NewPCG(f.asked.Seed+uint64(i), 0)))
		if err != nil {
			return err
		}
		all, told.Latents = append(all, pixels), append(told.Latents, z)
	}
	return f.drawn(c.OutOrStdout(), picture.Grid(all, d.side, columnsOfGrid), len(all), told)
}
