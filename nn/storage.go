package nn

import (
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/autograd/ir"
)

// Storage names the type in which the frozen weights of linear layers lie in memory.
// Products decode them as they go, in float32 or bfloat16 like others. Tables of tokens,
// and a head of its own, are float32 beside Float32 and bfloat16 beside the others; norms
// and biases are float32.
type Storage string

// The storages, with the bits that an element takes.
const (
	Float32   Storage = "float32"    // 32
	BFloat16  Storage = "bfloat16"   // 16
	Int8      Storage = "int8"       // 8: absmax of each row (Dettmers et al. 2022)
	NF4       Storage = "nf4"        // 4.5: absmax of 64 elements (Dettmers et al. 2023)
	NF4Double Storage = "nf4-double" // 4.127: the same, the absmax quantised too
)

var storages = map[Storage]ir.DType{Float32: ir.F32, BFloat16: ir.BF16, Int8: ir.Int8, NF4: ir.NF4, NF4Double: ir.NF4Double}

// Validate returns an error for a storage that there is not; "" is Float32.
func (s Storage) Validate() error {
	if _, ok := storages[s]; ok || s == "" {
		return nil
	}
	var names []string
	for name := range storages {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return fmt.Errorf("is %q; use one of %s", s, strings.Join(names, ", "))
}

// matrix is the type of the weights of linear layers.
func (s Storage) matrix() ir.DType { return storages[s] }

// table is that of tables of tokens and of a head.
func (s Storage) table() ir.DType {
	if s.matrix() == ir.F32 {
		return ir.F32
	}
	return ir.BF16
}
