package hub

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// Match pairs the parameters of a model with the tensors of its weights.
type Match struct {
	Tensors map[string]string // of each parameter by its name
	Left    []LeftOut         // the other tensors, in the order of the file
	Notes   []string          // what a user should know
}

// LeftOut is a tensor of a source that is no parameter and whose values change nothing.
type LeftOut struct {
	Tensor string `json:"tensor"`
	Why    string `json:"why"`
}

// wrapper is what a program puts into the names of a model that it holds.
type wrapper struct{ part, by string }

// wrappers stand before the names, insertions before those of any layer.
var (
	wrappers = []wrapper{
		{"base_model.model.", "peft"},
		{"module.", "DistributedDataParallel"},
		{"model.", "a module that holds the model"},
		{"language_model.", "a model of text and pictures"},
		{"net.", "a module that holds the model"},
		{"llm.", "a module that holds the model"},
	}
	insertions = []wrapper{
		{"_orig_mod.", "torch.compile"},
		{"_fsdp_wrapped_module.", "FSDP"},
		{"_checkpoint_wrapped_module.", "activation checkpointing"},
	}
)

// MatchTensors finds the tensor of each parameter, by its name or by what is left of the
// tensor's when known wrappers are taken off; files of a model without its head, such as
// the published GPT-2, lack the first part of names. A tensor that is no parameter is
// known to change nothing, or an error that names it; so is a parameter without tensor.
func MatchTensors(weights *safetensors.Dir, params []nn.Param) (Match, error) {
	return matchTensors(weights, params, func(string) bool { return false })
}

// matchTensors is MatchTensors where parameters and tensors that spare tells of may be there or not:
// those without tensor are not in Match.Tensors.
func matchTensors(weights *safetensors.Dir, params []nn.Param, spare func(name string) bool) (Match, error) {
	names := make(map[string]bool, len(params))
	trunk := ""
	for _, p := range params {
		names[p.Name] = true
		if first, _, ok := strings.Cut(p.Name, "."); trunk == "" && ok {
			trunk = first + "."
		}
	}
	m := Match{Tensors: make(map[string]string, len(params))}
	var rest []safetensors.Tensor
	off := map[string]string{} // what was taken off, and who had put it there
	for _, t := range weights.Tensors() {
		param, ok := unwrap(t.Name, trunk, names, off)
		switch other, twice := m.Tensors[param]; {
		case !ok:
			rest = append(rest, t)
		case twice:
			return m, fmt.Errorf("%s: the tensors %q and %q are both parameter %q: take one of them out", weights.Path(), other, t.Name, param)
		default:
			m.Tensors[param] = t.Name
		}
	}
	for _, part := range slices.Sorted(maps.Keys(off)) {
		m.Notes = append(m.Notes, fmt.Sprintf("%s: the names of tensors have %q, which %s has put there; it is left out", weights.Path(), part, off[part]))
	}
	rest = m.takeHead(rest, params)
	spared := func(t safetensors.Tensor) bool { return spare(t.Name) || spare(trunk+t.Name) }
	rest = slices.DeleteFunc(rest, spared)
	wanted := slices.DeleteFunc(slices.Clone(params), func(p nn.Param) bool { return spare(p.Name) })
	if err := m.missing(weights, wanted, rest); err != nil {
		return m, err
	}
	return m, m.leave(weights, params, rest)
}

// unwrap finds the parameter that a tensor's name means and records in off what it took
// off the name.
func unwrap(name, trunk string, params map[string]bool, off map[string]string) (string, bool) {
	var taken []wrapper
	for _, in := range insertions {
		for strings.HasPrefix(name, in.part) || strings.Contains(name, "."+in.part) {
			at := strings.Index(name, in.part)
			name = name[:at] + name[at+len(in.part):]
			taken = append(taken, in)
		}
	}
	for {
		for _, param := range []string{name, trunk + name, renamed(name), trunk + renamed(name)} {
			if params[param] {
				for _, t := range taken {
					off[t.part] = t.by
				}
				return param, true
			}
		}
		i := slices.IndexFunc(wrappers, func(w wrapper) bool { return strings.HasPrefix(name, w.part) })
		if i < 0 {
			return "", false
		}
		name = strings.TrimPrefix(name, wrappers[i].part)
		taken = append(taken, wrappers[i])
	}
}

// renamed is the name of a tensor of a norm whose parameters have TensorFlow's names, as in
// the published BERT; any other stays.
func renamed(name string) string {
	for old, now := range map[string]string{".gamma": ".weight", ".beta": ".bias"} {
		if rest, ok := strings.CutSuffix(name, old); ok {
			return rest + now
		}
	}
	return name
}

// headName is the last part of the name of a head.
const headName = "lm_head.weight"

// isHead tells whether a tensor is that of a head.
func isHead(name string) bool { return name == headName || strings.HasSuffix(name, "."+headName) }

// takeHead gives a model with tied head, whose file has the head in place of the table,
// the head as its table, as writers do that keep one of the two names.
func (m Match) takeHead(rest []safetensors.Tensor, params []nn.Param) []safetensors.Tensor {
	at := slices.IndexFunc(rest, func(t safetensors.Tensor) bool { return isHead(t.Name) })
	if at < 0 || len(params) == 0 || slices.ContainsFunc(params, func(p nn.Param) bool { return isHead(p.Name) }) {
		return rest
	}
	table := params[0]
	if _, ok := m.Tensors[table.Name]; ok || !slices.Equal(table.Shape, rest[at].Shape) {
		return rest
	}
	m.Tensors[table.Name] = rest[at].Name
	return slices.Delete(rest, at, at+1)
}

// missing is one error about all parameters without tensor.
func (m Match) missing(weights *safetensors.Dir, params []nn.Param, rest []safetensors.Tensor) error {
	var missing []nn.Param
	for _, p := range params {
		if _, ok := m.Tensors[p.Name]; !ok {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	for _, p := range missing {
		if file, ok := weights.Promised(p.Name); ok {
			return fmt.Errorf("%s: there is no tensor for parameter %q %s, though %s says that it is in %s: the download or copy is incomplete, fetch that file again", weights.Path(), p.Name, p.Shape, safetensors.IndexName, file)
		}
	}
	var more string
	if n := len(missing) - 1; n > 0 {
		more = fmt.Sprintf(" and for %d more", n)
	}
	return fmt.Errorf("%s: there is no tensor for parameter %q %s%s%s", weights.Path(), missing[0].Name, missing[0].Shape, more, cureMissing(rest))
}

// cureMissing tells what is there instead.
func cureMissing(rest []safetensors.Tensor) string {
	for _, t := range rest {
		if strings.Contains(t.Name, ".lora_A.") || strings.Contains(t.Name, ".base_layer.") {
			return fmt.Sprintf("; %q is of a model with an adapter in it: save it after peft's merge_and_unload", t.Name)
		}
	}
	if len(rest) == 0 {
		return ": the weights and config.json do not belong together"
	}
	return fmt.Sprintf("; of no parameter there is %q %v: the weights and config.json do not belong together, or names have a prefix that is not known here", rest[0].Name, rest[0].Shape)
}

// leave puts the tensors that are no parameter and change nothing into m, or names
// those that nobody knows.
func (m *Match) leave(weights *safetensors.Dir, params []nn.Param, rest []safetensors.Tensor) error {
	var unknown []safetensors.Tensor
	for _, t := range rest {
		why, err := m.harmless(weights, params, t)
		if err != nil {
			return err
		}
		if why == "" {
			unknown = append(unknown, t)
			continue
		}
		m.Left = append(m.Left, LeftOut{t.Name, why})
	}
	if len(unknown) == 0 {
		return nil
	}
	t, more := unknown[0], ""
	if n := len(unknown) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more (such as %q)", n, unknown[n].Name)
	}
	cure := "it would be lost; take it out of the file if it means nothing, or see whether config.json is that of the weights"
	switch {
	case strings.Contains(t.Name, "lora_"):
		cure = "save the model after peft's merge_and_unload"
	case strings.HasSuffix(t.Name, ".bias"):
		cure = "config.json says that this layer has no bias"
	}
	return fmt.Errorf("%s: tensor %q %v%s belongs to no parameter of the model that config.json describes: %s", weights.Path(), t.Name, t.Shape, more, cure)
}

// buffers are ends of the names of tensors that old versions of transformers stored and
// no version reads, with their dimensions; -1 is any number.
var buffers = []struct {
	end, why string
	dims     int
}{
	{".rotary_emb.inv_freq", "the frequencies of rotary positions, which the configuration tells", 1},
	{".attn.bias", "the causal mask, which is computed", 4},
	{".attn.masked_bias", "what the causal mask puts in, which is known", 0},
	{".attention.masked_bias", "what the causal mask puts in, which is known", 0},
	{"embeddings.position_ids", "the numbers of positions, which are counted", 2},
	{".EncDecAttention.relative_attention_bias.weight", "a bias by distance of attention to the source, which has none", 2},
}

// copies are ends of the names of tensors that are another one again where a head is tied, by
// the end of its name.
var copies = []struct{ end, of string }{
	{"cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"},
	{"cls.predictions.decoder.bias", "cls.predictions.bias"},
	{"encoder.embed_tokens.weight", "shared.weight"},
	{"decoder.embed_tokens.weight", "shared.weight"},
}

// logitsBias is what encoders with decoders add to the logits.
const logitsBias = "final_logits_bias"

// harmless tells why a tensor that is no parameter changes nothing, "" if it may.
func (m *Match) harmless(weights *safetensors.Dir, params []nn.Param, t safetensors.Tensor) (string, error) {
	for _, b := range buffers {
		if strings.HasSuffix(t.Name, b.end) && (len(t.Shape) == b.dims || b.dims == 0 && slices.Equal(t.Shape, []int{1})) {
			return b.why, nil
		}
	}
	if t.Name == logitsBias {
		zero, err := isZero(t)
		if err != nil {
			return "", fmt.Errorf("%s: %w", weights.Path(), err)
		}
		if zero {
			return "zeros, which add nothing to the logits", nil
		}
	}
	for _, p := range params {
		if strings.HasSuffix(t.Name, "cls.predictions.bias") && p.Name == "cls.predictions.decoder.bias" {
			return "the decoder has a bias of its own", nil
		}
	}
	param, ok := m.tiedTo(params, t)
	if !ok {
		return "", nil
	}
	original, _ := weights.Tensor(m.Tensors[param])
	same, err := sameTensor(t, original)
	if err != nil {
		return "", fmt.Errorf("%s: %w", weights.Path(), err)
	}
	if !same {
		return "", nil
	}
	return fmt.Sprintf("a copy of %s, to which the head is tied", original.Name), nil
}

// tiedTo finds the parameter of which t is a copy in a model with a tied head.
func (m *Match) tiedTo(params []nn.Param, t safetensors.Tensor) (string, bool) {
	if isHead(t.Name) && len(params) > 0 {
		return params[0].Name, true
	}
	for _, c := range copies {
		i := slices.IndexFunc(params, func(p nn.Param) bool { return strings.HasSuffix(p.Name, c.of) })
		if i >= 0 && strings.HasSuffix(t.Name, c.end) {
			return params[i].Name, true
		}
	}
	return "", false
}

// sameTensor tells whether two tensors have the same shape and numbers. Types may differ.
func sameTensor(a, b safetensors.Tensor) (bool, error) {
	if !slices.Equal(a.Shape, b.Shape) {
		return false, nil
	}
	if a.DType == b.DType {
		return bytes.Equal(a.Data, b.Data), nil
	}
	size := 1
	for _, n := range a.Shape {
		size *= n
	}
	x, y := make([]float32, min(size, StreamElements)), make([]float32, min(size, StreamElements))
	for at := 0; at < size; at += len(x) {
		n := min(len(x), size-at)
		if err := errors.Join(copyPart(a, x[:n], at), copyPart(b, y[:n], at)); err != nil {
			return false, err
		}
		for i := range n {
			if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
				return false, nil
			}
		}
	}
	return true, nil
}

// copyPart reads elements of a tensor from an offset on.
func copyPart(t safetensors.Tensor, dst []float32, at int) error {
	width := t.DType.Size()
	t.Shape, t.Data = []int{len(dst)}, t.Data[at*width:(at+len(dst))*width]
	return t.CopyFloat32(dst)
}
