package diffusion

import (
	"math/rand/v2"

	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/nn/unet"
)

// Fields of a row, beside those of pictures.
const (
	latentsField = "latents"  // (side, side, channels) float32, in place of the picture
	captionField = "captions" // (L) int32, tokens
	timesField   = "times"    // (W) float32, nn.TimeFeatures
	levelsField  = "levels"   // (levelWidth) float32
)

// levelWidth are α and σ of the level, how the prediction is made of picture and noise, and the
// weight of the row.
const levelWidth = 5

// loader makes batches of pictures or latents with captions and times. All is a function of the
// seed and the number of a sample; those of held-out pictures are at times that are spread evenly.
type loader struct {
	picture.Loader
	captions  [][]int32 // of each picture of Set
	without   []int32   // of ""
	latents   []float32 // of each picture, one behind the other; nil for pictures themselves
	size      []int     // of latents
	timeWidth int
	levels    []diffusion.Level
	told      func(t int) float64 // a time as the model learns it
	config    Config
	prior     int // pictures of Set from here on weigh as config.Prior says
	// condition writes what the row that shows picture at of Set, mirrored or not, is drawn under;
	// nil for none.
	condition func(p picture.Picture, pixels []byte, mirrored bool, to []byte)
}

// Fields are those of a row.
func (l *loader) Fields() []data.Field {
	fields := l.Loader.Fields()
	if l.size != nil {
		fields[0] = data.Field{Name: latentsField, Kind: data.Float32, Shape: l.size}
	}
	if l.condition != nil {
		fields = append(fields, data.Field{Name: pipeline.Condition, Kind: data.Uint8, Shape: []int{l.Loader.Config.Size, l.Loader.Config.Size, unet.ConditionChannels}})
	}
	return append(fields, data.Field{Name: captionField, Kind: data.Int32, Shape: []int{len(l.without)}},
		data.Field{Name: timesField, Kind: data.Float32, Shape: []int{l.timeWidth}}, data.Field{Name: levelsField, Kind: data.Float32, Shape: []int{levelWidth}})
}

// NewBatch allocates a batch of this rank's rows.
func (l *loader) NewBatch() *data.Batch {
	b := data.NewBatch(l.Batch, l.Fields())
	if l.size != nil {
		b.Raw[picture.Field] = make([]byte, l.Batch*l.Config.Bytes()) // no field: the loader of pictures writes there
	}
	return b
}

// Fill sets dst to this rank's share of the step that begins at sample position.
func (l *loader) Fill(dst *data.Batch, position uint64) error {
	if err := l.Loader.Fill(dst, position); err != nil {
		return err
	}
	first, _ := l.Share()
	for row := range l.Batch {
		sample := position + first + uint64(row)
		at, mirrored, _ := l.Pick(sample)
		there := dst.Floats[picture.Counts][row] > 0
		caption := l.without
		t, dropped := l.draw(sample)
		if there && !dropped {
			caption = l.captions[at]
		}
		copy(dst.Ints[captionField][row*len(caption):], caption)
		nn.TimeFeatures(l.told(t), dst.Floats[timesField][row*l.timeWidth:][:l.timeWidth])
		l.level(t, dst.Floats[levelsField][row*levelWidth:][:levelWidth])
		if at >= l.prior {
			dst.Floats[levelsField][(row+1)*levelWidth-1] *= float32(l.config.Prior.Weight)
		}
		if l.condition != nil {
			side := l.Loader.Config.Size
			to := dst.Raw[pipeline.Condition][row*side*side*unet.ConditionChannels:][:side*side*unet.ConditionChannels]
			if clear(to); there {
				l.condition(l.Set[at], dst.Raw[picture.Field][row*l.Loader.Config.Bytes():][:l.Loader.Config.Bytes()], mirrored, to)
			}
		}
		if l.size != nil {
			n := l.size[0] * l.size[1] * l.size[2]
			to := dst.Floats[latentsField][row*n:][:n]
			if clear(to); there {
				copy(to, l.latents[at*n:])
			}
		}
	}
	return nil
}

// timeSeed sets the times of samples apart from other draws of the seed.
const timeSeed = 0x74696d65

// draw is the time of a sample, and whether its caption is left out.
func (l *loader) draw(sample uint64) (t int, dropped bool) {
	if l.Held {
		const golden = 0x9e3779b97f4a7c15 // multiples of it are spread evenly
		return int((sample * golden >> 32) * uint64(len(l.levels)) >> 32), false
	}
	rng := rand.New(rand.NewPCG(l.Seed^timeSeed, sample))
	return rng.IntN(len(l.levels)), rng.Float64() < l.config.Dropout
}

// level writes the numbers of a time.
func (l *loader) level(t int, to []float32) {
	level, p := l.levels[t], diffusion.Prediction(l.config.Prediction)
	picture, noise := p.Target(level)
	for i, v := range []float64{level.Alpha, level.Sigma, picture, noise, p.MinSNR(level, l.config.MinSNR)} {
		to[i] = float32(v)
	}
}
