package gan

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// Residual is the row of the table of families.
func Residual() nn.Family { return nn.NewFamily("residual-gan", Config{}, newResidual, nil) }

func newResidual(c Config, t nn.Tuning) (nn.Model, error) {
	return newModel("residual-gan", c, t, network{drawResidual, judgeResidual})
}

// half keeps the variance of a sum of two.
var half = float32(math.Sqrt(0.5))

// joined is the sum of a block's two ways.
func joined(x, y nn.Pictures) nn.Pictures {
	sum := x.Add(y)
	sum.X = autograd.Scale(sum.X, half)
	return sum
}

// drawResidual: (rows, latent) → pictures in [-1, 1]. Two layers make a style of the random
// numbers; each convolution's channels are normalised by picture, scaled and shifted by it.
func drawResidual(c *Config, b *nn.Builder, z *autograd.Node, _ nn.Statistics) nn.Pictures {
	rows, levels := z.Shape().Rows(), c.levels()
	style := z
	b.Std(1/math.Sqrt(float64(c.Latent)), func() {
		for i := range 2 {
			style = autograd.LeakyReLU(b.Linear(fmt.Sprintf("mapping.%d", i), style, c.Latent))
		}
	})
	width := c.width(levels)
	first := b.Learned("input", nn.Init{Std: 1}, smallest*smallest*width)
	x := nn.Pictures{Batch: rows, Height: smallest, Width: smallest}
	x.X = autograd.Reshape(autograd.Broadcast(autograd.Reshape(first, 1, smallest*smallest*width), rows, smallest*smallest*width), rows*smallest*smallest, width)
	for i := range levels + 1 {
		b.In(fmt.Sprintf("blocks.%d", i), func() {
			width := c.width(levels - i)
			if i > 0 {
				x = x.Double()
			}
			y := x
			for j := range 2 {
				y = b.Conv(fmt.Sprintf("conv%d", j), y, width, nn.Same(3))
				y = styled(b, fmt.Sprintf("style%d", j), y, style).LeakyReLU()
			}
			if x.Channels() != width {
				x = b.Conv("skip", x, width, nn.Same(1))
			}
			x = joined(x, y)
		})
	}
	x = b.Conv("to_rgb", x, c.Channels, nn.Same(1))
	x.X = autograd.Tanh(x.X)
	return x
}

// styled normalises each channel of each picture, and scales and shifts it by its style, of
// which "name" makes both (Huang & Belongie 2017).
func styled(b *nn.Builder, name string, x nn.Pictures, style *autograd.Node) nn.Pictures {
	rows, pixels, channels := x.Batch, x.Height*x.Width, x.Channels()
	both := b.Linear(name, style, 2*channels) // (rows, 2·channels)
	y := autograd.Reshape(b.GroupNorm(name+"_norm", x, channels, "").X, rows, pixels, channels)
	of := func(from int) *autograd.Node {
		return autograd.Broadcast(autograd.Reshape(autograd.Slice(both, 1, from, from+channels), rows, 1, channels), rows, pixels, channels)
	}
	y = autograd.Add(autograd.Mul(y, autograd.Shift(of(0), 1)), of(channels))
	x.X = autograd.Reshape(y, rows*pixels, channels)
	return x
}

// judgeResidual: pictures → (rows, 1).
func judgeResidual(c *Config, b *nn.Builder, x nn.Pictures, s nn.Statistics) *autograd.Node {
	spectral := c.spectral(s)
	layer := func(kernel int) nn.ConvLayer {
		l := nn.Same(kernel)
		l.Spectral = spectral
		return l
	}
	x = b.Conv("from_rgb", x, c.Width, layer(1))
	for i := 1; i <= c.levels(); i++ {
		b.In(fmt.Sprintf("blocks.%d", i-1), func() {
			width := c.width(i)
			y := b.Conv("conv0", x.LeakyReLU(), x.Channels(), layer(3))
			y = b.Conv("conv1", y.LeakyReLU(), width, layer(3)).Halve()
			x = x.Halve()
			if x.Channels() != width {
				x = b.Conv("skip", x, width, layer(1))
			}
			x = joined(x, y)
		})
	}
	return b.SpectralLinear("head", x.LeakyReLU().Flat(), 1, spectral)
}
