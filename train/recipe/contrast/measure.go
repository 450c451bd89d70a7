package contrast

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/nn/clip"
	"example.com/gotrain/train/recipe"
)

// mostMeasured bounds the held-out pictures of a measurement.
const mostMeasured = 2000

// measure tells of how many held-out pictures the nearest of all their captions is true: their own,
// and of drawn shapes one that says less or more of the same shape.
func (m *model) measure(held *loader) func(context.Context) (recipe.Measured, error) {
	set := held.Set[:min(len(held.Set), mostMeasured)]
	texts := make([]string, len(set))
	for i, p := range set {
		texts[i] = p.Caption
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	return func(ctx context.Context) (recipe.Measured, error) {
		var pixels []byte
		for _, p := range set {
			pixels = append(pixels, p.Pixels...)
		}
		var ids []int32
		for _, text := range texts {
			ids = append(ids, m.caption(text)...)
		}
		pictured, _, err := m.embedder.Pictures(pixels)
		if err != nil {
			return recipe.Measured{}, err
		}
		captioned, _, err := m.embedder.Captions(ids, m.end)
		if err != nil || ctx.Err() != nil {
			return recipe.Measured{}, err
		}
		right := 0
		for i, at := range clip.Nearest(pictured, captioned, held.width) {
			if own := set[i].Caption; own == texts[at] || m.data.Shapes > 0 && agree(own, texts[at]) {
				right++
			}
		}
		return recipe.Measured{Values: []recipe.Measurement{{Name: "retrieved", Value: float64(right) / float64(len(set))}},
			Notes: []recipe.Note{{Name: "retrieved_signature", Text: fmt.Sprintf("%d held-out pictures, the nearest of their %d captions by cosine; chance is %.3g", len(set), len(texts), 1/float64(len(texts)))}}}, nil
	}
}

// agree tells that one caption has all the words of the other.
func agree(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	return !slices.ContainsFunc(x, func(word string) bool { return !slices.Contains(y, word) })
}
