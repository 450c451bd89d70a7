package convert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/hub/gguf"
)

// ggufOutput is a GGUF file in the making.
type ggufOutput struct {
	metadata gguf.Metadata
	tensors  []gguf.Tensor
}

// fileTypes are the values of general.file_type: the type of most matrices.
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q8_0: 7, gguf.BF16: 32}

// quantizationVersion is that of ggml's block formats.
const quantizationVersion uint32 = 2

func newGGUFOutput(s *source, opt Options, r *Report) (output, error) {
	keys, a, err := ggufArchitecture(s.model)
	if err != nil {
		return nil, err
	}
	c := s.model.Config()
	scaling, err := ropeOf(keys)
	if err != nil {
		return nil, err
	}
	out := &ggufOutput{}
	elements := map[gguf.Type]int{}
	for i, p := range s.model.Params() {
		t, err := ggufTensor(s.tensors[i], p, c, a, opt, r)
		if err != nil {
			return nil, err
		}
		if len(t.Shape) > 1 {
			elements[t.Type] += p.Shape.Size()
		}
		r.Types[t.Type.String()]++
		out.tensors = append(out.tensors, t)
	}
	if scaling.kind() == "llama3" {
		out.tensors = append(out.tensors, scaling.factorTensor(c.HeadDim, c.RopeTheta))
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
	if a.name == "gpt2" {
		out.metadata = append(out.metadata, gpt2Metadata(c)...)
	} else {
		m, err := llamaMetadata(c, a, scaling, r)
		if err != nil {
			return nil, err
		}
		out.metadata = append(out.metadata, m...)
	}
	tokenizer, notes, err := tokenizerMetadata(s.tokenizer, c.Vocab, s.special)
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

// ggufArchitecture finds the architecture of a model and gives its config.json.
func ggufArchitecture(m nn.Model) (map[string]json.RawMessage, architecture, error) {
	values, err := m.HuggingFace()
	if err != nil {
		return nil, architecture{}, fmt.Errorf("llama.cpp knows what transformers knows: %w", err)
	}
	text, err := encodeJSON(values, "")
	if err != nil {
		return nil, architecture{}, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, architecture{}, err
	}
	kind, _ := values["model_type"].(string)
	for _, a := range architectures {
		if slices.Contains(a.modelTypes, kind) {
			return keys, a, checkActivation(m.Config(), a)
		}
	}
	return nil, architecture{}, fmt.Errorf("GGUF has no architecture that this program writes for model_type %q", kind)
}

// checkActivation wants the one that llama.cpp computes.
func checkActivation(c nn.Config, a architecture) error {
	want := "silu"
	if a.name == "gpt2" {
		want = "gelu_tanh"
	}
	if c.Activation != want {
		return fmt.Errorf("llama.cpp's %s has the activation %s, this model %s: it cannot be written as GGUF", a.name, want, c.Activation)
	}
	return nil
}

// ggufTensor says how parameter p is stored. As in llama.cpp's own converter vectors
// and learned positions are float32, and a matrix whose rows are no whole blocks is
// F16 in place of Q8_0.
func ggufTensor(t tensor, p nn.Param, c nn.Config, a architecture, opt Options, r *Report) (gguf.Tensor, error) {
	name := a.ggufName(p.Name)
	if name == "" {
		return gguf.Tensor{}, fmt.Errorf("parameter %q has no name in GGUF's architecture %s", p.Name, a.name)
	}
	source := t
	if source.change != nil { // the change is made to the model's layout
		t = tensor{name: t.name, stored: t.stored, shape: t.shape, typ: gguf.F32}
	}
	if a.transposes(p) {
		t.shape, t.transposed = []int{t.shape[1], t.shape[0]}, !t.transposed
	}
	if _, ok := projection(p.Name, c); ok && a.interleaved {
		t.order = compose(t.order, toGGUF(c.HeadDim))
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
		if elements, _ := as.Block(); t.shape[1]%elements != 0 {
			as = gguf.F16
			r.Notes = append(r.Notes, fmt.Sprintf("%s is F16: its rows of %d are no whole blocks of %d", name, t.shape[1], elements))
		}
	}
	r.Bytes += int64(t.bytes(as))
	result := gguf.Tensor{Name: name, Type: as, Shape: t.shape, From: encoded{t, as}}
	if source.change != nil {
		result.From = settled{source, encoded{t, as}}
	}
	return result, nil
}

// compose gives the order that first applies second to a row, then stored.
func compose(stored, second func(int) int) func(int) int {
	if stored == nil {
		return second
	}
	return func(r int) int { return stored(second(r)) }
}

// gpt2Metadata are the sizes of a GPT-2.
func gpt2Metadata(c nn.Config) gguf.Metadata {
	return gguf.Metadata{
		{Key: "gpt2.block_count", Value: uint32(c.Layers)},
		{Key: "gpt2.context_length", Value: uint32(c.Context)},
		{Key: "gpt2.embedding_length", Value: uint32(c.Width)},
		{Key: "gpt2.feed_forward_length", Value: uint32(c.FFN)},
		{Key: "gpt2.attention.head_count", Value: uint32(c.Heads)},
		{Key: "gpt2.attention.layer_norm_epsilon", Value: float32(c.NormEps)},
	}
}

// llamaMetadata are the sizes of Llama and its relatives.
func llamaMetadata(c nn.Config, a architecture, scaling rope, r *Report) (gguf.Metadata, error) {
	var m gguf.Metadata
	add := func(key string, value any) { m = append(m, gguf.KV{Key: a.name + "." + key, Value: value}) }
	add("vocab_size", uint32(c.Vocab))
	add("block_count", uint32(c.Layers))
	add("context_length", uint32(c.Context))
	add("embedding_length", uint32(c.Width))
	add("feed_forward_length", uint32(c.FFN))
	add("attention.head_count", uint32(c.Heads))
	add("attention.head_count_kv", uint32(c.KVHeads))
	add("attention.key_length", uint32(c.HeadDim))
	add("attention.value_length", uint32(c.HeadDim))
	add("attention.layer_norm_rms_epsilon", float32(c.NormEps))
	add("rope.dimension_count", uint32(c.HeadDim))
	add("rope.freq_base", float32(c.RopeTheta))
	if c.SlidingWindow > 0 {
		add("attention.sliding_window", uint32(c.SlidingWindow))
		r.Notes = append(r.Notes, fmt.Sprintf("llama.cpp's %s ignores the sliding window of %d tokens: longer texts come out differently there", a.name, c.SlidingWindow))
	}
	more, err := scaling.metadata(a.name + ".")
	return append(m, more...), err
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
