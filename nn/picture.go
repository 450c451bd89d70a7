package nn

import (
	"math"

	"example.com/gotrain/autograd"
)

// Pictures are B pictures of Height × Width pixels as layers hand them on: X is
// (B·Height·Width, C), a row a pixel.
type Pictures struct {
	X                    *autograd.Node
	Batch, Height, Width int
}

// Channels is C.
func (p Pictures) Channels() int { return p.X.Shape().Cols() }

// with is p with other values of its pixels.
func (p Pictures) with(x *autograd.Node) Pictures { p.X = x; return p }

// Add is p + q, of one size.
func (p Pictures) Add(q Pictures) Pictures { return p.with(autograd.Add(p.X, q.X)) }

// Double repeats each pixel twice in both directions.
func (p Pictures) Double() Pictures {
	x := autograd.Upsample(p.X, p.Batch, p.Height, p.Width, [2]int{2, 2})
	return Pictures{x, p.Batch, 2 * p.Height, 2 * p.Width}
}

// Halve is the mean of each 2 × 2 pixels.
func (p Pictures) Halve() Pictures {
	x := autograd.AvgPool(p.X, p.Batch, p.Height, p.Width, [2]int{2, 2})
	return Pictures{x, p.Batch, p.Height / 2, p.Width / 2}
}

// Scale is factor·p.
func (p Pictures) Scale(factor float64) Pictures { return p.with(autograd.Scale(p.X, float32(factor))) }

// SiLU is x·σ(x).
func (p Pictures) SiLU() Pictures { return p.with(autograd.Activation(p.X, Act("silu"))) }

// LeakyReLU is x, or 0.2·x where x < 0.
func (p Pictures) LeakyReLU() Pictures { return p.with(autograd.LeakyReLU(p.X)) }

// Flat has a row for each picture, its pixels behind each other.
func (p Pictures) Flat() *autograd.Node {
	return autograd.Reshape(p.X, p.Batch, p.Height*p.Width*p.Channels())
}

// AutoencoderConfig is the configuration of a family of autoencoders.
type AutoencoderConfig interface {
	Configuration
	// Picture is the number of channels of pictures, of latents, and the pixels of a side of
	// a picture for each of its latent.
	Picture() (channels, latent, factor int)
	SetChannels(int)
	// Logits tells whether Decode gives logits of pixels in [0, 1], else pixels in [-1, 1], as
	// Encode takes them. It is an error where the configuration leaves that open.
	Logits() (bool, error)
	SetLogits(bool)
}

// Autoencoder is a model that makes a latent picture of a picture, and a picture of that.
type Autoencoder interface {
	Model
	// Encode gives mean and logarithm of the variance of each element of the latents.
	Encode(g *autograd.Graph, x Pictures) (mean, logVariance Pictures)
	// Decode gives pictures of latents.
	Decode(g *autograd.Graph, z Pictures) Pictures
}

// DenoiserConfig is the configuration of a family of denoisers.
type DenoiserConfig interface {
	Configuration
	// Denoised is the number of channels of pictures, what their sides have to be multiples of,
	// and the width of the states of captions; 0 is left open.
	Denoised() (channels, factor, context int)
	SetDenoised(channels, context int)
}

// Denoiser is a model that tells of a noisy picture what the noise is, or what another
// prediction of package diffusion asks for.
type Denoiser interface {
	Model
	// TimeWidth is the number of TimeFeatures that the model reads.
	TimeWidth() int
	// Denoise tells of x, the pictures' times (B, TimeWidth) and the states of their captions
	// (B·L, D), L for each.
	Denoise(g *autograd.Graph, x Pictures, times, context *autograd.Node) Pictures
}

// TimeFeatures are a time as a Denoiser reads it: cosines and then sines of wavelengths from 2π
// towards 10000·2π.
func TimeFeatures(time float64, to []float32) {
	half := len(to) / 2
	for i := range half {
		sin, cos := math.Sincos(time * math.Pow(10000, -float64(i)/float64(half)))
		to[i], to[half+i] = float32(cos), float32(sin)
	}
}

// ConvLayer is a convolution of Kernel × Kernel pixels, each Stride pixels, with zeros beside
// the picture: above, left, below and right.
type ConvLayer struct {
	Kernel, Stride int
	Pad            [4]int
	Std            float64 // of the first weights; 0 takes torch's, uniform within 1/√(in·kernel²)
	Zero           bool    // the first weights are 0
	NoBias         bool
	Spectral       *Spectral // nil leaves the weights as they are
}

// init is the distribution of the first weights, of inputs for each output.
func (c ConvLayer) init(inputs int) Init {
	if c.Zero || c.Std > 0 {
		return Init{Std: c.Std}
	}
	return Init{Bound: 1 / math.Sqrt(float64(inputs))}
}

// Conv declares "name.weight" (out, in, kernel, kernel) and, unless that is left out,
// "name.bias" (out), torch's Conv2d.
func (b *Builder) Conv(name string, p Pictures, out int, c ConvLayer) Pictures {
	in, k := p.Channels(), c.Kernel
	w := b.param(Param{Name: name + ".weight", Shape: []int{out, in, k, k}, Init: c.init(in * k * k), Decay: true})
	w = b.spectral(name, w, c.Spectral)
	bias := b.bias(name, out, !c.NoBias)
	cfg := autograd.ConvConfig{Batch: p.Batch, Height: p.Height, Width: p.Width, Stride: [2]int{c.Stride, c.Stride}, Pad: c.Pad}
	x := b.layer(name, func() *autograd.Node {
		if k == 1 && c.Stride == 1 && c.Pad == [4]int{} {
			return autograd.Linear(p.X, autograd.Reshape(w, out, in), bias, autograd.OutIn)
		}
		return autograd.Conv(p.X, autograd.Transpose(w, 0, 2, 3, 1), bias, cfg)
	})
	height, width := (p.Height+c.Pad[0]+c.Pad[2]-k)/c.Stride+1, (p.Width+c.Pad[1]+c.Pad[3]-k)/c.Stride+1
	return Pictures{x, p.Batch, height, width}
}

// Same is the layer that keeps a picture's size, kernel being odd.
func Same(kernel int) ConvLayer {
	pad := kernel / 2
	return ConvLayer{Kernel: kernel, Stride: 1, Pad: [4]int{pad, pad, pad, pad}}
}

// GroupNorm normalises groups of channels of each picture with "name.weight" and
// "name.bias", followed by act ("" is none).
func (b *Builder) GroupNorm(name string, p Pictures, groups int, act string) Pictures {
	channels := p.Channels()
	w := b.param(Param{Name: name + ".weight", Shape: []int{channels}, Init: Init{Value: 1}})
	bias := b.bias(name, channels, true)
	return p.with(b.layer(name, func() *autograd.Node {
		return autograd.GroupNorm(p.X, w, bias, p.Batch, groups, float32(b.style.NormEps), activations[act])
	}))
}

// SelfAttention lets all pixels of a picture attend to each other with heads of p's channels:
// "to_q", "to_k", "to_v" and "to_out.0", the names of diffusers.
func (b *Builder) SelfAttention(p Pictures, heads int) Pictures {
	channels := p.Channels()
	q, k, v := b.Linear("to_q", p.X, channels), b.Linear("to_k", p.X, channels), b.Linear("to_v", p.X, channels)
	y := b.layer("attention", func() *autograd.Node {
		return autograd.Attention(q, k, v, autograd.AttentionMask{}, autograd.AttentionConfig{Batch: p.Batch, Heads: heads})
	})
	return p.with(b.Linear("to_out.0", y, channels))
}
