package hub

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/mmap"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/nn/hub/safetensors"
)

// Fingerprint hashes the names, types, shapes and bytes of the weights in dir. Merging
// an adapter rounds, so it goes with the very weights that it was trained on.
func Fingerprint(dir string) (manifest.Sum, error) {
	weights, err := safetensors.OpenDir(dir)
	if err != nil {
		return 0, err
	}
	defer weights.Close()
	tensors := slices.Clone(weights.Tensors())
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	h := xxh3.New()
	for _, t := range tensors {
		fmt.Fprintf(h, "%q %v %v\n", t.Name, t.DType, t.Shape)
		for part := range slices.Chunk(t.Data, 4*StreamElements) {
			h.Write(part)
			mmap.Release(part)
		}
	}
	return manifest.Sum(h.Sum64()), nil
}
