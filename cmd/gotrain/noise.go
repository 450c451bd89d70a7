package main

import (
	"math/rand/v2"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
)

// changed are the names of the flags that were given.
func changed(c *cobra.Command) (names []string) {
	c.Flags().Visit(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return names
}

// noiseDrawer draws a picture at a time.
type noiseDrawer struct {
	opened         *opened
	side, channels int
	latents        int // numbers of a picture
	painter        *generate.Painter
	logits         bool // pixels are those of a share
}

// noiseDrawer is the model as it draws.
func (o *opened) noiseDrawer() (*noiseDrawer, error) {
	d := &noiseDrawer{opened: o}
	if g, ok := o.Model.(nn.PictureGenerator); ok {
		d.channels, d.side = o.Model.Config().(nn.AdversarialConfig).Picture()
		d.latents = g.Latent()
		painter, err := generate.NewPainter(g, o.Store, o.config.Compute())
		d.painter = painter
		return d, err
	}
	a := o.Model.(nn.Autoencoder)
	section := o.Model.Config().(nn.AutoencoderConfig)
	channels, latent, factor := section.Picture()
	d.channels = channels
	var err error
	if d.logits, err = section.Logits(); err != nil {
		return nil, usagef("--model: %s: %w", o.Dir, err)
	}
	leaves, err := o.config.Leaves()
	if err != nil {
		return nil, err
	}
	for _, l := range leaves {
		if l.Key == "data.size" {
			d.side, _ = strconv.Atoi(l.Text)
		}
	}
	if d.side == 0 {
		return nil, usagef("--model: %s does not tell how large its pictures are: name a checkpoint or a run of gotrain", o.Dir)
	}
	small := d.side / factor
	d.latents = small * small * latent
	d.painter, err = generate.NewDecoder(a, o.Store, o.config.Compute(), small)
	return d, err
}

// random draws random numbers, and their picture.
func (d *noiseDrawer) random(rng *rand.Rand) (z []float32, pixels []byte, err error) {
	z = make([]float32, d.latents)
	for i := range z {
		z[i] = float32(rng.NormFloat64())
	}
	pixels, err = d.draw(z)
	return z, pixels, err
}

// draw is the picture of random numbers.
func (d *noiseDrawer) draw(z []float32) ([]byte, error) {
	y, err := d.painter.Paint(z)
	return picture.Bytes(y, d.logits), err
}

// again is the picture of a file, and how an autoencoder tells it again.
func (d *noiseDrawer) again(name string) ([][]byte, error) {
	a, ok := d.opened.Model.(nn.Autoencoder)
	if !ok {
		return nil, usagef("--image is for autoencoders, which tell a picture again; a model of family %s draws from random numbers alone", d.opened.Model.Family())
	}
	pixels, err := picture.ReadFile(name, d.side, d.channels)
	if err != nil {
		return nil, usageError{err}
	}
	if d.painter, err = generate.NewRetelling(a, d.opened.Store, d.opened.config.Compute(), d.side); err != nil {
		return nil, err
	}
	x := make([]float32, len(pixels))
	for i, p := range pixels {
		x[i] = float32(p)/127.5 - 1
	}
	told, err := d.draw(x)
	return [][]byte{pixels, told}, err
}
