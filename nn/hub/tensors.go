package hub

import (
	"io"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/bits16"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
)

// StreamElements is the buffer through which a state passes: memory does not grow
// with the model while it is saved or loaded.
const StreamElements = 1 << 20

// States is where the tensors of a file come from: an exec.Store or an
// exec.Snapshot of one.
type States interface {
	// View returns the elements of a state where they lie, nil if that is not in
	// memory of the process.
	View(state string) []float32
	ReadAt(state string, offset int, dst []float32) error
}

// Tensor is a tensor of a file: a state or, with an adapter, a weight with the
// adapter merged into it.
type Tensor struct {
	Name   string   // in the file
	State  string   // in the store
	Shape  ir.Shape // of the state, or of the first rows of it
	Frozen bool     // no step changes it
	merge  *merge
	bf16   bool // the type in the file, else float32; AsStored sets it
}

// merge is what is added to a weight as it is written.
type merge struct {
	adapter nn.Adapter
	weight  nn.Param
	a, b    Tensor // (r, in), (out, r)
	lengths Tensor // (out), of DoRA
}

// ParamTensors are parameters as they are.
func ParamTensors(params []nn.Param) []Tensor {
	tensors := make([]Tensor, len(params))
	for i, p := range params {
		tensors[i] = Tensor{Name: p.Name, State: p.State(), Shape: p.Shape, Frozen: p.Constant()}
	}
	return tensors
}

// ModelTensors lists the weights of m, with its adapter merged into them.
func ModelTensors(m nn.Model) []Tensor {
	adapters := map[string]Tensor{}
	for _, t := range ParamTensors(nn.Adapters(m.Params())) {
		adapters[t.Name] = t
	}
	base := nn.Base(m.Params())
	tensors := ParamTensors(base)
	for i, p := range base {
		layer, weight := strings.CutSuffix(p.Name, ".weight")
		if a, ok := adapters[layer+nn.LoRAA]; weight && ok {
			tensors[i].Frozen = false
			tensors[i].merge = &merge{m.Tuning().Adapter, p, a, adapters[layer+nn.LoRAB], adapters[layer+nn.DoRAM]}
		}
	}
	return tensors
}

// Bytes is the tensor's size in a file.
func (t Tensor) Bytes() int64 { return int64(t.Shape.Size()) * int64(t.dtype().Size()) }

// dtype is the type of the numbers in the file.
func (t Tensor) dtype() safetensors.DType {
	if t.bf16 {
		return safetensors.BF16
	}
	return safetensors.F32
}

// Reads names the states that the tensor is made from.
func (t Tensor) Reads() []string {
	if t.merge == nil {
		return []string{t.State}
	}
	reads := []string{t.State, t.merge.a.State, t.merge.b.State}
	if t.merge.adapter.DoRA {
		reads = append(reads, t.merge.lengths.State)
	}
	return reads
}

// Content gives the tensor as it is written, with numbers that are read from the
// states meanwhile.
func (t Tensor) Content(from States) safetensors.Tensor {
	content := safetensors.Tensor{Name: t.Name, DType: t.dtype(), Shape: t.Shape}
	reader := stateReader{from, t.State, t.Shape.Size(), t.bf16}
	switch view := from.View(t.State); {
	case t.merge != nil:
		content.From = mergedReader{reader, *t.merge}
	case view != nil && !t.bf16:
		content.Data = safetensors.Bytes(view[:t.Shape.Size()])
	default:
		content.From = reader
	}
	return content
}

// Contents are those of all tensors.
func Contents(tensors []Tensor, from States) []safetensors.Tensor {
	all := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		all[i] = t.Content(from)
	}
	return all
}

// TensorsFile is a safetensors file.
func TensorsFile(name string, tensors []safetensors.Tensor, metadata map[string]string) vfs.Content {
	return vfs.Content{Name: name, Write: func(w io.Writer) error {
		return safetensors.Write(w, tensors, metadata)
	}}
}

// ModelMetadata tells transformers what wrote the weights.
func ModelMetadata() map[string]string { return map[string]string{"format": "pt"} }

// stateReader streams one state.
type stateReader struct {
	from  States
	state string
	size  int
	bf16  bool
}

// WriteTo writes the state's elements, little endian.
func (r stateReader) WriteTo(w io.Writer) (int64, error) { return r.stream(w, nil) }

// stream writes the elements as change leaves them, which gets a part and its
// offset; nil changes nothing.
func (r stateReader) stream(w io.Writer, change func(part []float32, offset int)) (int64, error) {
	var narrow []uint16
	if r.bf16 {
		narrow = make([]uint16, min(StreamElements, r.size))
	}
	var written int64
	err := Elements(r.from, r.state, r.size)(func(off int, part []float32) error {
		if change != nil {
			change(part, off)
		}
		out := safetensors.Bytes(part)
		if r.bf16 {
			for i, x := range part {
				narrow[i] = bits16.BF16(x)
			}
			out = safetensors.Bytes(narrow[:len(part)])
		}
		n, err := w.Write(out)
		written += int64(n)
		return err
	})
	return written, err
}

// mergedReader streams a weight with its adapter merged into it, which is
// computed on the way.
type mergedReader struct {
	stateReader
	merge
}

// WriteTo writes the weight's elements, little endian.
func (r mergedReader) WriteTo(w io.Writer) (int64, error) {
	a, err := r.a.whole(r.from)
	if err != nil {
		return 0, err
	}
	b, err := r.b.whole(r.from)
	if err != nil {
		return 0, err
	}
	layer := r.weight.Layer()
	d := nn.NewDelta(r.weight.Layout, a, b, r.adapter.RankOf(layer), r.adapter.ScaleOf(layer))
	if r.adapter.DoRA {
		lengths, err := r.lengths.whole(r.from)
		if err == nil {
			err = d.Direct(r.weight, lengths, Elements(r.from, r.state, r.size))
		}
		if err != nil {
			return 0, err
		}
	}
	return r.stream(w, d.Merge)
}

// Elements are the first elements of a state, size of them.
func Elements(from States, state string, size int) nn.Elements {
	return func(yield func(offset int, values []float32) error) error {
		buf := make([]float32, min(StreamElements, size))
		for off := 0; off < size; off += len(buf) {
			part := buf[:min(len(buf), size-off)]
			err := from.ReadAt(state, off, part)
			if err == nil {
				err = yield(off, part)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// whole returns all elements of a state, not to be changed.
func (t Tensor) whole(from States) ([]float32, error) {
	if view := from.View(t.State); view != nil {
		return view, nil
	}
	values := make([]float32, t.Shape.Size())
	return values, from.ReadAt(t.State, 0, values)
}

// AdapterFiles are the adapter of m in peft's format; base names the model that it was
// trained on, trained is the fingerprint of its weights, "" where that is not known.
func AdapterFiles(from States, m nn.Model, base, trained string) ([]vfs.Content, error) {
	tensors := Contents(ParamTensors(nn.Adapters(m.Params())), from)
	a := m.Tuning().Adapter
	c := peft.Config{Base: base, Rank: a.Rank, Alpha: a.Alpha, Dropout: a.Dropout, RSLoRA: a.RSLoRA, DoRA: a.DoRA, Ranks: peft.PatternOf(a.Ranks), Alphas: peft.PatternOf(a.Alphas)}
	_, c.Pairs = m.(nn.PairModel)
	_, reads := m.Config().(nn.TextConfig)
	c.Wordless = !reads
	for _, t := range ModelTensors(m) {
		if t.merge != nil {
			c.Targets.Names = append(c.Targets.Names, strings.TrimSuffix(t.Name, ".weight"))
			c.FanInFanOut = t.merge.weight.Layout == autograd.InOut
		}
	}
	text, err := c.JSON()
	if err != nil {
		return nil, err
	}
	return []vfs.Content{
		vfs.Bytes(peft.ConfigFile, text),
		TensorsFile(peft.WeightsFile, peft.Tensors(tensors), peft.Metadata(trained, a.Base)),
	}, nil
}
