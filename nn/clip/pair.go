package clip

import (
	"math"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
)

// PairFamily is the row of the table of families.
func PairFamily() nn.Family {
	return nn.NewFamily(PairName, PairConfig{
		Text:       Config{Layers: 2, Heads: 4, Width: 128, Context: 16},
		Picture:    PictureConfig{Layers: 4, Heads: 4, Width: 128, Patch: 8},
		Projection: 64,
	}, NewPair, &nn.Hub{ModelTypes: []string{pairType}, Keys: pairKeys, Parse: parsePair})
}

// Pair is both encoders of CLIP. It is read-only and safe for concurrent use.
type Pair struct {
	nn.Core
	config PairConfig
}

// NewPair returns the model of a configuration, or all faults of c and t.
func NewPair(c PairConfig, t nn.Tuning) (*Pair, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.SetDefaults()
	var f nn.Faults
	if c.Text.Vocab == 0 {
		f.Add("text.vocab", "is missing: it is the tokenizer's")
	}
	if c.Picture.Size == 0 || c.Picture.Channels == 0 {
		f.Add("picture.size", "and channels are missing: they are those of the pictures")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	m := &Pair{config: c}
	var err error
	style := nn.Style{Layout: autograd.OutIn, InitStd: c.Text.InitStd, ResidualStd: c.Text.InitStd, NormEps: c.Text.NormEps, Bias: true}
	m.Core, err = nn.NewCore(PairName, t, style, func(b *nn.Builder) {
		g, side := b.Graph, c.Picture.Size
		b.Inputs = nn.Inputs{Batch: 1, Length: c.Text.Context, IDs: g.Ints("ids", c.Text.Context)}
		c.captions(b, g.Floats("ends", 1, c.Text.Context))
		c.pictures(b, nn.Pictures{X: g.Floats("x", side*side, c.Picture.Channels), Batch: 1, Height: side, Width: side})
		c.scale(b)
	})
	return m, err
}

// Config returns the configuration, with all defaults.
func (m *Pair) Config() any { c := m.config; return &c }

// Context is the number of tokens of a caption.
func (m *Pair) Context() int { return m.config.Text.Context }

// EmbedCaptions gives captions of tokens ids (B·Context) int32 their places (B, E), of length 1.
// ends (B, Context) is 1 at the first end token of each, else 0.
func (m *Pair) EmbedCaptions(g *autograd.Graph, ids, ends *autograd.Node) *autograd.Node {
	length := m.config.Text.Context
	return m.config.captions(m.Builder(g, nn.Inputs{Batch: ids.Shape().Size() / length, Length: length, IDs: ids}), ends)
}

// Ends marks the first token end of a caption's ids in to: that which EmbedCaptions reads.
func Ends(ids []int32, end int32, to []float32) {
	clear(to[:len(ids)])
	if at := slices.Index(ids, end); at >= 0 {
		to[at] = 1
	}
}

// EmbedPictures gives pictures, of elements in [-1, 1], their places (B, E), of length 1, and what
// the encoder tells of each before it is projected, (B, D).
func (m *Pair) EmbedPictures(g *autograd.Graph, x nn.Pictures) (places, features *autograd.Node) {
	return m.config.pictures(m.Builder(g, nn.Inputs{}), x)
}

// Scale is the logarithm of what cosines are multiplied by, a scalar that is learnt.
func (m *Pair) Scale(g *autograd.Graph) *autograd.Node {
	return m.config.scale(m.Builder(g, nn.Inputs{}))
}

func (c *PairConfig) scale(b *nn.Builder) *autograd.Node {
	return b.Number("logit_scale", -math.Log(c.Temperature))
}

// captions builds the encoder of captions.
func (c *PairConfig) captions(b *nn.Builder, ends *autograd.Node) *autograd.Node {
	batch, length, width := b.Batch, c.Text.Context, c.Text.Width
	x := autograd.Reshape(c.Text.encode(b), batch, length, width)
	at := autograd.Broadcast(autograd.Reshape(ends, batch, length, 1), batch, length, width)
	return c.project(b, "text_projection", autograd.Reshape(autograd.Sum(autograd.Mul(x, at), 1), batch, width))
}

// pictures builds the encoder of pictures.
func (c *PairConfig) pictures(b *nn.Builder, p nn.Pictures) (places, features *autograd.Node) {
	cfg := c.Picture
	batch, width := p.Batch, cfg.Width
	n := (p.Height / cfg.Patch) * (p.Width / cfg.Patch)
	b.Inputs = nn.Inputs{Batch: batch, Length: 1 + n}
	b.In("vision_model", func() {
		var x *autograd.Node // (B·(1+P), D)
		b.In("embeddings", func() {
			class := b.Learned("class_embedding", nn.Init{Std: 1 / math.Sqrt(float64(width))}, width)
			patches := b.Conv("patch_embedding", p, width, nn.ConvLayer{Kernel: cfg.Patch, Stride: cfg.Patch, NoBias: true, Std: c.Text.InitStd}).X
			class = autograd.Broadcast(autograd.Reshape(class, 1, width), batch, width)
			x = autograd.Concat(1, class, autograd.Reshape(patches, batch, n*width))
			places := b.Embedding("position_embedding", 1+n, width)
			x = autograd.Add(x, autograd.Broadcast(autograd.Reshape(places, 1, (1+n)*width), batch, (1+n)*width))
		})
		b.Eps(cfg.NormEps, func() {
			x = b.LayerNorm("pre_layrnorm", autograd.Reshape(x, batch*(1+n), width))
			t := tower{cfg.Layers, cfg.Heads, width, cfg.FFN, cfg.Activation, false, c.Text.Layers}
			x = t.run(b, x)
			features = b.LayerNorm("post_layernorm", b.First(x))
		})
	})
	return c.project(b, "visual_projection", features), features
}

// project is (B, D) → (B, E), of length 1.
func (c *PairConfig) project(b *nn.Builder, name string, x *autograd.Node) *autograd.Node {
	y := b.LinearBias(name, x, c.Projection, false)
	squares := autograd.Sum(autograd.Mul(y, y), 1) // (B)
	shrink := autograd.Exp(autograd.Scale(autograd.Log(squares), -0.5))
	batch := y.Shape().Rows()
	return autograd.Mul(y, autograd.Broadcast(autograd.Reshape(shrink, batch, 1), batch, c.Projection))
}
