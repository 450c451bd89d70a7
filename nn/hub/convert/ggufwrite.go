package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/gguf"
)

// ggufOutput is a GGUF file in the making.
type ggufOutput struct {
	metadata gguf.Metadata
	tensors  []gguf.Tensor
}

// fileTypes are the values of general.file_type: the type of most matrices.
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q4_0: 2, gguf.Q8_0: 7, gguf.Q5_0: 8, gguf.Q4_K: 14, gguf.Q6_K: 18, gguf.BF16: 32}

// quantizationVersion is that of ggml's block formats.
const quantizationVersion uint32 = 2

func newGGUFOutput(s *source, opt Options, r *Report) (output, error) {
	keys, err := hubKeysOf(s.model)
	if err != nil {
		return nil, err
	}
	a, err := keys.architecture()
	if err != nil {
		return nil, err
	}
	scaling := keys.Rope
	out := &ggufOutput{}
	elements := map[gguf.Type]int{}
	head := headTensor(s.model.Params(), a)
	replaced := map[replacement]int{}
	for i, p := range s.model.Params() {
		t, err := ggufTensor(s.tensors[i], p, keys.HeadDim, a, opt, head, replaced)
		if err != nil {
			return nil, err
		}
		size, _ := t.Type.Block()
		r.Bytes += int64(p.Shape.Size() / size * blockBytes(t.Type))
		if len(t.Shape) > 1 {
			elements[t.Type] += p.Shape.Size()
		}
		r.Types[t.Type.String()]++
		out.tensors = append(out.tensors, t)
	}
	if scaling.kind() == "llama3" {
		out.tensors = append(out.tensors, scaling.factorTensor(keys.HeadDim, keys.Theta))
	}
	for _, with := range slices.SortedFunc(maps.Keys(replaced), replacement.compare) {
		r.Notes = append(r.Notes, with.note(replaced[with]))
	}
	most := gguf.F32
	for _, t := range slices.Sorted(maps.Keys(elements)) {
		if elements[t] > elements[most] {
			most = t
		}
	}
	out.metadata = gguf.Metadata{
		{Key: "general.architecture", Value: a.name},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: modelName(s.path)},
		{Key: "general.file_type", Value: fileTypes[most]},
		{Key: "general.quantization_version", Value: quantizationVersion},
	}
	switch a.name {
	case "gpt2":
		out.metadata = append(out.metadata, keys.gpt2Metadata()...)
	case "gemma3":
		m, err := keys.gemma3Metadata()
		if err != nil {
			return nil, err
		}
		out.metadata = append(out.metadata, m...)
	default:
		m, err := keys.llamaMetadata(a, scaling, r)
		if err != nil {
			return nil, err
		}
		out.metadata = append(out.metadata, m...)
	}
	tokenizer, notes, err := tokenizerMetadata(s.tokenizer, s.vocab(), s.special)
	r.Notes = append(r.Notes, notes...)
	out.metadata = append(out.metadata, tokenizer...)
	return out, err
}

// modelName is a name for the model: that of its directory or file.
func modelName(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		path = full
	}
	return strings.TrimSuffix(filepath.Base(path), ".gguf")
}

// ggufTensor says how parameter p is stored; head is GGUF's name of the head, replaced
// counts the matrices that get another type than was asked for. As in llama.cpp's own
// converter vectors and learned positions are float32.
func ggufTensor(t tensor, p nn.Param, headDim int, a architecture, opt Options, head string, replaced map[replacement]int) (gguf.Tensor, error) {
	name := a.ggufName(p.Name)
	if name == "" {
		return gguf.Tensor{}, fmt.Errorf("parameter %q has no name in GGUF's architecture %s", p.Name, a.name)
	}
	if offset := a.offset(p); offset != 0 {
		t.change = shifted(t.change, offset)
	}
	source := t
	if source.change != nil { // the change is made to the model's layout
		t = tensor{name: t.name, stored: t.stored, shape: t.shape, typ: gguf.F32}
	}
	if a.transposes(p) {
		t.shape, t.transposed = []int{t.shape[1], t.shape[0]}, !t.transposed
	}
	if a.interleaves(p) {
		t.order = compose(t.order, toGGUF(headDim))
	}
	as := gguf.F32
	if len(t.shape) > 1 && name != "position_embd.weight" {
		as = source.typ
		if opt.Type != nil {
			as = *opt.Type
		}
		if _, ok := fileTypes[as]; !ok {
			as = gguf.F32
		}
		wanted := as
		if name == head && opt.Type != nil {
			as = headType(as)
		}
		if fits := fitting(as, t.shape[1]); fits != as {
			replaced[replacement{wanted: as, as: fits, cols: t.shape[1]}]++
			as = fits
		} else if as != wanted {
			replaced[replacement{wanted: wanted, as: as, head: name}]++
		}
	}
	result := gguf.Tensor{Name: name, Type: as, Shape: t.shape, From: encoded{t, as}}
	if source.change != nil {
		result.From = settled{source, encoded{t, as}}
	}
	return result, nil
}

// shifted adds x to the elements, once they have been changed.
func shifted(change func([]float32, int), x float32) func([]float32, int) {
	return func(values []float32, offset int) {
		if change != nil {
			change(values, offset)
		}
		for i := range values {
			values[i] += x
		}
	}
}

// compose gives the order that first applies second to a row, then stored.
func compose(stored, second func(int) int) func(int) int {
	if stored == nil {
		return second
	}
	return func(r int) int { return stored(second(r)) }
}

func (o *ggufOutput) write(ctx context.Context, fsys vfs.FS, temp string) error {
	return vfs.WriteFile(fsys, temp, func(w io.Writer) error {
		return gguf.Write(interruptible{ctx, w}, o.metadata, o.tensors)
	})
}

func (o *ggufOutput) finish(fsys vfs.FS, temp, dst string, c *Certificate) error {
	if err := checkFree(fsys, dst); err != nil {
		return err
	}
	if c != nil {
		if err := c.write(fsys, ggufParity(dst)); err != nil {
			return err
		}
	}
	if err := fsys.Rename(temp, dst); err != nil {
		if c != nil {
			err = errors.Join(err, fsys.Remove(ggufParity(dst)))
		}
		return err
	}
	return fsys.SyncDir(filepath.Dir(dst))
}
