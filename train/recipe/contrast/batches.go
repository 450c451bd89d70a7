package contrast

import (
	"context"
	"encoding/json"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/train/checkpoint"
)

// Fields of a row, beside those of pictures. All but the first two are what prepare finds.
const (
	captionField       = "captions"       // (L) int32, tokens
	endsField          = "ends"           // (L) float32, see clip.Ends
	pictureSlopesField = "picture_slopes" // (E) float32
	captionSlopesField = "caption_slopes" // (E) float32
	slopesField        = "slopes"         // (1) float32, by the scale
	lossField          = "pair_loss"      // (1) float32
	rightField         = "pair_right"     // (1) float32: 1 where the caption is found, else 0
)

// loader makes batches of pictures with their captions.
type loader struct {
	picture.Loader
	captions [][]int32 // of each picture of Set
	length   int
	end      int32
	width    int // E
}

// loader adds captions to batches of pictures.
func (m *model) loader(of data.Source) *loader {
	l := &loader{Loader: *of.(*picture.Loader), length: m.Context(), end: m.end, width: m.Pair.Config().(*clip.PairConfig).Projection}
	for _, p := range l.Set {
		l.captions = append(l.captions, m.caption(p.Caption))
	}
	return l
}

// caption are the tokens of a caption.
func (m *model) caption(text string) []int32 {
	return tokenizers.Caption(m.tokens, text, m.Context(), m.pad)
}

// Fields are those of a row.
func (l *loader) Fields() []data.Field {
	floats := func(name string, shape ...int) data.Field {
		return data.Field{Name: name, Kind: data.Float32, Shape: shape}
	}
	fields := append(l.Loader.Fields(), data.Field{Name: captionField, Kind: data.Int32, Shape: []int{l.length}}, floats(endsField, l.length))
	if l.Held {
		return fields
	}
	return append(fields, floats(pictureSlopesField, l.width), floats(captionSlopesField, l.width), floats(slopesField), floats(lossField), floats(rightField))
}

// NewBatch allocates a batch of this rank's rows.
func (l *loader) NewBatch() *data.Batch { return data.NewBatch(l.Batch, l.Fields()) }

// Fill sets dst to this rank's share of the step that begins at sample position.
func (l *loader) Fill(dst *data.Batch, position uint64) error {
	if err := l.Loader.Fill(dst, position); err != nil {
		return err
	}
	first, _ := l.Share()
	for row := range l.Batch {
		to := dst.Ints[captionField][row*l.length:][:l.length]
		if clear(to); dst.Floats[picture.Counts][row] > 0 {
			at, _, _ := l.Pick(position + first + uint64(row))
			copy(to, l.captions[at])
		}
		clip.Ends(to, l.end, dst.Floats[endsField][row*l.length:])
		if dst.Floats[picture.Counts][row] == 0 { // a row has some place of length 1
			dst.Floats[endsField][row*l.length] = 1
		}
	}
	return nil
}

// prepare embeds the pictures and captions of a step, and gives its rows the gradients of the loss
// by their places.
func (m *model) prepare(_ context.Context, b *data.Batch) error {
	l := m.job.Train.(*loader)
	first, rows := l.Share()
	pictured, _, err := m.embedder.Pictures(b.Raw[picture.Field][:rows*m.data.Bytes()])
	if err != nil {
		return err
	}
	captioned, scale, err := m.embedder.Captions(b.Ints[captionField][:rows*l.length], m.end)
	if err != nil {
		return err
	}
	n, e := int(l.Stride()), l.width
	all := make([]float64, 2*n*e) // a slot for each; the others add 0 to it
	for i, v := range pictured {
		all[int(first)*e+i], all[(n+int(first))*e+i] = float64(v), float64(captioned[i])
	}
	if all, err = m.sums(all); err != nil {
		return err
	}
	places := make([]float32, len(all))
	for i, v := range all {
		places[i] = float32(v)
	}
	c := clip.NewContrast(places[:n*e], places[n*e:], n, scale)
	clear(b.Floats[slopesField])
	clear(b.Floats[pictureSlopesField])
	clear(b.Floats[captionSlopesField])
	for row := range rows {
		at := int(first) + row
		copy(b.Floats[pictureSlopesField][row*e:], c.Pictures[at*e:][:e])
		copy(b.Floats[captionSlopesField][row*e:], c.Captions[at*e:][:e])
		b.Floats[slopesField][row], b.Floats[lossField][row], b.Floats[rightField][row] = c.Scale[at], float32(c.Loss[at]), 0
		if c.Right[at] {
			b.Floats[rightField][row] = 1
		}
	}
	return nil
}

// files are those beside the weights: transformers' CLIPModel, CLIPTokenizer and CLIPImageProcessor.
func (m *model) files() ([]checkpoint.File, error) {
	keys, err := m.HuggingFace()
	if err != nil {
		return nil, err
	}
	text := keys["text_config"].(map[string]any)
	text["bos_token_id"], text["eos_token_id"], text["pad_token_id"] = m.tokens.Frame().Before[0], m.end, m.pad
	roles := hf.Roles{MaxLength: m.Context(), Pad: string(m.tokens.TokenBytes(m.pad)), BOS: string(m.tokens.TokenBytes(m.tokens.Frame().Before[0])), EOS: string(m.tokens.TokenBytes(m.end))}
	roles.Unknown = roles.EOS
	half := []float64{0.5, 0.5, 0.5}[:m.data.Channels()]
	side := map[string]int{"height": m.data.Size, "width": m.data.Size}
	processor := map[string]any{"image_processor_type": "CLIPImageProcessor", "do_resize": true, "size": map[string]int{"shortest_edge": m.data.Size}, "resample": 3,
		"do_center_crop": true, "crop_size": side, "do_rescale": true, "rescale_factor": 1. / 255, "do_normalize": true, "image_mean": half, "image_std": half, "do_convert_rgb": m.data.Channels() == 3}
	var files []checkpoint.File
	for name, keys := range map[string]any{"config.json": keys, "preprocessor_config.json": processor} {
		text, err := json.MarshalIndent(keys, "", "  ")
		if err != nil {
			return nil, err
		}
		files = append(files, vfs.Bytes(name, append(text, '\n')))
	}
	tokens, err := tokenizers.Files(m.tokens, roles)
	return append(files, tokens...), err
}
