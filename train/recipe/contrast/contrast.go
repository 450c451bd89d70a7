// Package contrast is the recipe of CLIP (Radford et al. 2021): an encoder of pictures and one of
// captions learn to put a picture near its caption, and far from the captions of others.
//
// The loss is that of all pictures of a step, however many ranks and micro-batches share it, by
// what Gao et al. 2021 call a gradient cache: before a step every rank embeds its own pictures and
// captions, all places are exchanged, and the loss gives a gradient by each; the step then goes
// through both encoders once more, with those as constants.
package contrast

import (
	"context"
	"errors"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/pictures"
)

// Name is the recipe's.
const Name = "clip"

// Config is the section recipe.
type Config struct {
	Vocab int `yaml:"vocab"` // about so many tokens at most, of the words of captions
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name: Name, Config: func() any { return &Config{Vocab: 4096} },
		Formats: pictures.Formats(), Check: check, Design: design, Open: open, Inspect: pictures.Inspect,
	}
}

// own is the section recipe of c.
func own(c config.Config) Config { return *c.Recipe.Value().(*Config) }

// check returns what only this recipe finds wrong.
func check(c config.Config) error {
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(own(c).Vocab >= 600, "recipe.vocab is %d; use 600 or more: single bytes are 512 tokens", own(c).Vocab)
	fault(c.LoRA.Rank == 0 && c.Base == "", "recipe %s trains all parameters from the beginning: leave lora and base out", Name)
	fault(!c.Train.DocumentMask, "train.document_mask is for text: leave it out")
	fault(c.Train.Batch*c.Train.Accumulate > 1, "train.batch is 1: a picture is told from those of its step; use 2 or more, such as 64")
	model, ok := c.Model.Value().(*clip.PairConfig)
	fault(ok, "recipe %s needs encoders of pictures and captions, and family %s has none: set model.family %s", Name, c.Model.Name(), clip.PairName)
	if p, isPictures := c.Data.Value().(*picture.Config); ok && isPictures {
		fault(model.Picture.Patch <= 0 || p.Size%model.Picture.Patch == 0, "data.size is %d pixels, and model.picture.patch does not divide them: use a multiple of %d", p.Size, model.Picture.Patch)
		fault(p.Shapes > 0 || p.Captions, "data.captions is not set: without captions there is nothing to learn; each picture needs a text file beside it")
		for _, size := range []struct {
			name       string
			says, data int
		}{{"size", model.Picture.Size, p.Size}, {"channels", model.Picture.Channels, p.Channels()}} {
			fault(size.says == 0 || size.says == size.data, "model.picture.%s is %d, and the pictures have %d: leave it out", size.name, size.says, size.data)
		}
	}
	return errors.Join(errs...)
}

// model is what a job trains.
type model struct {
	*clip.Pair
	tokens   data.Tokenizer
	pad, end int32
	data     picture.Config
	embedder *clip.Embedder
	sums     func([]float64) ([]float64, error)
	job      *recipe.Job
}

// design is the job without its data.
func design(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, err := tokenizers.WordsCLIP([]string{"red circle at the top left"}, own(env.Config).Vocab)
	if err != nil {
		return nil, err
	}
	m, err := newModel(env, tokens)
	if err != nil {
		return nil, err
	}
	return m.job, nil
}

// newModel makes the model of a configuration and its job.
func newModel(env recipe.Env, tokens data.Tokenizer) (*model, error) {
	c := env.Config
	m := &model{tokens: tokens, data: pictures.Section(c), sums: env.Sums}
	if after := tokens.Frame().After; len(after) > 0 {
		m.pad, m.end = after[0], after[0]
	}
	section := *c.Model.Value().(*clip.PairConfig)
	section.Text.Vocab, section.Picture.Size, section.Picture.Channels = tokens.Vocab(), m.data.Size, m.data.Channels()
	if err := c.Model.Set(c.Model.Name(), &section); err != nil {
		return nil, err
	}
	made, err := c.NewModel(env.Families)
	if err != nil {
		return nil, err
	}
	m.Pair = made.(*clip.Pair)
	m.job = &recipe.Job{
		Config: c, Unit: pictures.Unit,
		Parts:  []recipe.Part{{Model: m.Pair, Files: m.files}},
		Phases: []recipe.Phase{{Loss: m.loss, Optimizer: c.Optimizer}},
		Score:  m.score,
	}
	rows, _ := c.MicroBatches()
	m.embedder = clip.NewEmbedder(m.Pair, rows, c.Compute())
	m.job.Makers = []recipe.Tool{m.embedder}
	return m, nil
}

// embed builds both encoders on rows pictures and captions.
func (m *model) embed(g *autograd.Graph, rows int) (pictured, captioned *autograd.Node) {
	pictured, _ = m.EmbedPictures(g, pictures.Input(g, rows, m.data, 2./255, -1))
	captioned = m.EmbedCaptions(g, g.Ints(captionField, rows*m.Context()), g.Floats(endsField, rows, m.Context()))
	return pictured, captioned
}

// loss has the gradients that prepare found; its metrics are those of all pictures of the step.
func (m *model) loss(g *autograd.Graph, rows int) (l recipe.Loss) {
	pictured, captioned := m.embed(g, rows)
	width := pictured.Shape().Cols()
	scale := m.Scale(g)
	g.In("loss", func() {
		along := func(x *autograd.Node, field string) *autograd.Node {
			return autograd.Reshape(autograd.Sum(autograd.Mul(x, g.Floats(field, rows, width))), 1)
		}
		slope := autograd.Reshape(autograd.Sum(g.Floats(slopesField, rows, 1)), 1)
		sum := autograd.Add(autograd.Add(along(pictured, pictureSlopesField), along(captioned, captionSlopesField)), autograd.Mul(autograd.Reshape(scale, 1), slope))
		l.Value = autograd.Reshape(autograd.Mul(sum, g.Floats("loss_weight", 1)))
		counts := g.Floats(picture.Counts, rows, 1)
		told := func(field string) *autograd.Node { return autograd.Mul(g.Floats(field, rows, 1), counts) }
		l.Metrics = []recipe.Metric{{Name: "loss", Sum: told(lossField)}, {Name: "right", Sum: told(rightField), Higher: true},
			{Name: "scale", Sum: autograd.Exp(autograd.Reshape(scale, 1)), Per: recipe.PerRun}}
	})
	return l
}

// away is what cosines with rows without a picture are lowered by.
const away = 1e4

// score is the loss among the pictures of a batch of held-out ones.
func (m *model) score(g *autograd.Graph, rows int) (l recipe.Loss) {
	pictured, captioned := m.embed(g, rows)
	scale := autograd.Min(autograd.Exp(autograd.Reshape(m.Scale(g), 1, 1)), autograd.Broadcast(g.Table("most", func() []float32 { return []float32{clip.MaxScale} }, 1, 1), 1, 1))
	g.In("loss", func() {
		counts := g.Floats(picture.Counts, rows, 1)
		z := autograd.Mul(autograd.MatMul(pictured, captioned, false, true), autograd.Broadcast(scale, rows, rows))
		own := autograd.Reshape(autograd.Sum(autograd.Mul(autograd.Mul(pictured, captioned), autograd.Broadcast(scale, rows, pictured.Shape().Cols())), 1), rows, 1)
		lowered := autograd.Broadcast(autograd.Reshape(autograd.Scale(autograd.Shift(counts, -1), away), 1, rows), rows, rows)
		total := func(z *autograd.Node) *autograd.Node {
			return autograd.Reshape(autograd.LogSumExp(autograd.Add(z, lowered), g.Zeros("any", rows)), rows, 1)
		}
		both := autograd.Scale(autograd.Add(total(z), total(autograd.Transpose(z, 1, 0))), 0.5)
		l.Metrics = []recipe.Metric{{Name: "loss", Sum: autograd.Mul(autograd.Sub(both, own), counts)}}
	})
	return l
}

// open reads the pictures and gives the job its batches.
func open(_ context.Context, env recipe.Env) (*recipe.Job, error) {
	set, err := pictures.Read(env)
	if err != nil {
		return nil, err
	}
	// What has no caption cannot be learnt from here.
	var texts []string
	silent := 0
	for _, side := range []*[]picture.Picture{&set.Train, &set.Held} {
		var told []picture.Picture
		for _, p := range *side {
			if p.Caption == "" {
				silent++
				continue
			}
			told, texts = append(told, p), append(texts, p.Caption)
		}
		*side = told
	}
	if len(set.Train) == 0 {
		return nil, config.Faultf("data.captions: none of the pictures has a text file beside it, such as a.txt beside a.png")
	}
	tokens, err := tokenizers.WordsCLIP(texts, own(env.Config).Vocab)
	if err != nil {
		return nil, err
	}
	pictures.Tell(env, set, fmt.Sprintf("; %d without a caption are left out; %d tokens", silent, tokens.Vocab()))
	m, err := newModel(env, tokens)
	if err != nil {
		return nil, err
	}
	j := m.job
	pictures.Give(j, set)
	j.Facts = append(j.Facts, ranks.Fact{Name: "tokens", Value: fmt.Sprintf("%.16s", tokens.Fingerprint()), Cure: "data.train has to name the same pictures, with the same captions, on all nodes"})
	j.Train, j.Prepare = m.loader(j.Train), m.prepare
	if j.Eval != nil {
		held := m.loader(j.Eval)
		j.Eval, j.Measure = held, m.measure(held)
	}
	return j, nil
}
