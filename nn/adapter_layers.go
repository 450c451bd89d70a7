package nn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Entries of Adapter.Ranks and Alphas are "LAYER=NUMBER", the layer as in Targets. Of several that
// mean a layer the first counts.

// Entry writes one.
func Entry(layer string, number float64) string {
	return layer + "=" + strconv.FormatFloat(number, 'g', -1, 64)
}

// parseEntry is what an entry says; ok is false for a text that is none.
func parseEntry(entry string) (layer string, number float64, ok bool) {
	layer, text, ok := strings.Cut(entry, "=")
	number, err := strconv.ParseFloat(text, 64)
	return layer, number, ok && err == nil && layer != "" && number > 0
}

// Entries are the layers and numbers of a list that Validate has found right.
func Entries(list []string) (layers []string, numbers []float64) {
	for _, entry := range list {
		layer, number, _ := parseEntry(entry)
		layers, numbers = append(layers, layer), append(numbers, number)
	}
	return layers, numbers
}

// numberOf is what a list has for a layer, or other.
func numberOf(list []string, layer string, other float64) float64 {
	layers, numbers := Entries(list)
	for i, name := range layers {
		if isTarget(name, layer) {
			return numbers[i]
		}
	}
	return other
}

// RankOf is the rank of the adapter of a layer.
func (a Adapter) RankOf(layer string) int { return int(numberOf(a.Ranks, layer, float64(a.Rank))) }

// AlphaOf is the alpha of the adapter of a layer.
func (a Adapter) AlphaOf(layer string) float64 {
	return numberOf(a.Alphas, layer, a.WithDefaults().Alpha)
}

// ScaleOf is Scale for a layer, which may have a rank and an alpha of its own.
func (a Adapter) ScaleOf(layer string) float64 {
	a.Alpha, a.Rank = a.AlphaOf(layer), a.RankOf(layer)
	return a.Scale()
}

// checkEntries returns the faults of the list of a key, whose numbers are above 0, at most most and,
// where whole asks for it, without fractions.
func checkEntries(key string, list []string, most float64, whole bool) (errs []error) {
	for _, entry := range list {
		_, number, ok := parseEntry(entry)
		if !ok || number > most || whole && number != float64(int(number)) {
			errs = append(errs, fmt.Errorf("lora.%s: %q is no LAYER=NUMBER, such as q_proj=8", key, entry))
		}
	}
	return errs
}

// checkLayers returns the faults of the list of a key whose entries mean none of the layers that are
// adapted.
func (b *Builder) checkLayers(key string, list []string) (errs []error) {
	layers, _ := Entries(list)
	for _, name := range layers {
		if !slices.ContainsFunc(b.layers, func(layer string) bool { return isTarget(name, layer) && b.tuning.Adapter.adapts(layer) }) {
			errs = append(errs, fmt.Errorf("lora.%s: no layer that is adapted is called %q; the nearest are %s", key, name, strings.Join(nearest(name, b.layers), ", ")))
		}
	}
	return errs
}
