package gan

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn"
)

// DCGAN is the row of the table of families.
func DCGAN() nn.Family { return nn.NewFamily("dcgan", Config{}, newDCGAN, nil) }

func newDCGAN(c Config, t nn.Tuning) (nn.Model, error) {
	return newModel("dcgan", c, t, network{drawDCGAN, judgeDCGAN})
}

// halving is the layer of 4 × 4 pixels that halves a picture, and turned round doubles it.
func halving() nn.ConvLayer {
	return nn.ConvLayer{Kernel: 4, Stride: 2, Pad: [4]int{1, 1, 1, 1}, Std: initStd, NoBias: true}
}

// whole is the layer that makes the smallest level of a pixel, and a pixel of that.
func whole() nn.ConvLayer {
	return nn.ConvLayer{Kernel: smallest, Stride: 1, Std: initStd, NoBias: true}
}

// drawDCGAN: (rows, latent) → pictures in [-1, 1].
func drawDCGAN(c *Config, b *nn.Builder, z *autograd.Node, s nn.Statistics) nn.Pictures {
	x := nn.Pictures{X: z, Batch: z.Shape().Rows(), Height: 1, Width: 1}
	layer := whole()
	for i := range c.levels() {
		x = b.ConvTransposed(fmt.Sprintf("main.%d", 3*i), x, c.width(c.levels()-1-i), layer)
		x = b.BatchNorm(fmt.Sprintf("main.%d", 3*i+1), x, ir.ReLU, s)
		layer = halving()
	}
	x = b.ConvTransposed(fmt.Sprintf("main.%d", 3*c.levels()), x, c.Channels, layer)
	x.X = autograd.Tanh(x.X)
	return x
}

// judgeDCGAN: pictures → (rows, 1).
func judgeDCGAN(c *Config, b *nn.Builder, x nn.Pictures, s nn.Statistics) *autograd.Node {
	spectral := c.spectral(s)
	layer := halving()
	layer.Spectral = spectral
	x = b.Conv("main.0", x, c.Width, layer).LeakyReLU()
	for i := 1; i < c.levels(); i++ {
		x = b.Conv(fmt.Sprintf("main.%d", 3*i-1), x, c.width(i), layer)
		if c.Spectral {
			x = x.LeakyReLU()
		} else {
			x = b.BatchNorm(fmt.Sprintf("main.%d", 3*i), x, ir.LeakyReLU, s)
		}
	}
	layer = whole()
	layer.Spectral = spectral
	return b.Conv(fmt.Sprintf("main.%d", 3*c.levels()-1), x, 1, layer).X
}

// spectral is that of the layers of a discriminator.
func (c *Config) spectral(s nn.Statistics) *nn.Spectral {
	if !c.Spectral {
		return nil
	}
	return &nn.Spectral{Write: s == nn.WrittenStatistics}
}
