package peft

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub/safetensors"
)

// LoRA is what the adapter is as a section of a configuration, apart from its
// targets and from what single layers have.
func (a *Adapter) LoRA() nn.Adapter {
	return nn.Adapter{Rank: a.Rank, Alpha: a.Alpha, Dropout: a.Dropout, RSLoRA: a.RSLoRA, DoRA: a.DoRA, Base: a.Stored}
}

// base names the base in an error, where the file has it.
func (a *Adapter) base() string {
	if a.Base == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", a.Base)
}

// Fit finds the layers of a in the model of params and names the tensors as its
// parameters are: an adapter of a model without head lacks the first part. The
// result is the section of a configuration that makes such an adapter.
func (a *Adapter) Fit(params []nn.Param) (nn.Adapter, error) {
	fitted := make(map[string]safetensors.Tensor, len(a.Tensors))
	var adapted []nn.Param
	layers := a.Layers()
	for _, layer := range layers {
		p, err := nn.FindLinear(params, layer)
		if err != nil {
			return nn.Adapter{}, fmt.Errorf("%s: it does not belong to the model: %w; name the base that it was trained on%s, or %s", a.dir, err, a.base(), cureMerge)
		}
		if _, twice := fitted[p.Layer()+suffixes[0]]; twice {
			return nn.Adapter{}, fmt.Errorf("%s: the layer %s has two adapters", a.dir, p.Layer())
		}
		if !a.targets(layer) && !a.targets(p.Layer()) {
			return nn.Adapter{}, fmt.Errorf("%s: there are weights for the layer %s, into which %s puts no adapter: peft would leave them out; correct target_modules, or take the tensors out", a.dir, layer, ConfigFile)
		}
		out, in := p.Features()
		rank := a.rankOf(layer)
		shapes := [][]int{{rank, in}, {out, rank}, {out}}
		for i, suffix := range a.Parts() {
			t, shape := a.Tensors[layer+suffix], shapes[i]
			if !slices.Equal(t.Shape, shape) {
				return nn.Adapter{}, fmt.Errorf("%s: tensor %q has shape %v, the model wants %v: name the base that the adapter was trained on%s", a.dir, t.Name, t.Shape, shape, a.base())
			}
			fitted[p.Layer()+suffix] = t
		}
		adapted = append(adapted, p)
	}
	for _, p := range nn.Linears(params) {
		if _, there := fitted[p.Layer()+suffixes[0]]; !there && a.Random && !a.Targets.empty() && a.targets(p.Layer()) {
			return nn.Adapter{}, fmt.Errorf("%s: %s puts an adapter into the layer %s with init_lora_weights false, and there are no weights for it: peft would take random numbers", a.dir, ConfigFile, p.Layer())
		}
	}
	a.Tensors = fitted
	lora := a.LoRA()
	lora.Targets = nn.TargetsOf(adapted, params)
	lora.Ranks = entries(adapted, layers, params, float64(a.Rank), func(layer string) float64 { return float64(a.rankOf(layer)) })
	lora.Alphas = entries(adapted, layers, params, a.Alpha, func(layer string) float64 { return a.Alphas.of(layer, a.Alpha) })
	a.fitted = lora
	return lora, nil
}

// Delta is the change to the weight p of the model that a was fitted to, whose elements are
// those; nil for none.
func (a *Adapter) Delta(p nn.Param, elements nn.Elements) (*nn.Delta, error) {
	if _, ok := a.Tensors[p.Layer()+suffixes[0]]; !ok {
		return nil, nil
	}
	var parts [3][]float32
	for i, suffix := range a.Parts() {
		t := a.Tensors[p.Layer()+suffix]
		parts[i] = make([]float32, len(t.Data)/t.DType.Size())
		if err := t.CopyFloat32(parts[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", a.dir, err)
		}
	}
	d := nn.NewDelta(p.Layout, parts[0], parts[1], a.fitted.RankOf(p.Layer()), a.fitted.ScaleOf(p.Layer()))
	if !a.DoRA {
		return d, nil
	}
	return d, d.Direct(p, parts[2], elements)
}

// CheckApart refuses a model that a was fitted to and whose checkpoint, model, has
// the same adapter in Dir and so in its weights: it would be added twice.
func (a *Adapter) CheckApart(fsys vfs.FS, model string) error {
	dir := filepath.Join(model, Dir)
	if _, err := fsys.Stat(filepath.Join(dir, ConfigFile)); err != nil {
		return nil // model may be one file
	}
	own, err := Open(fsys, dir)
	if err != nil {
		return err
	}
	defer own.Close()
	if !a.same(own) {
		return nil
	}
	return fmt.Errorf("%s: the adapter is merged into the weights of %s already: leave the adapter out, or name the base that it was trained on%s", a.dir, model, a.base())
}

// same tells whether two adapters change the same layers in the same way.
func (a *Adapter) same(b *Adapter) bool {
	if a.LoRA().Scale() != b.LoRA().Scale() || !reflect.DeepEqual(a.Alphas, b.Alphas) || len(a.Tensors) != len(b.Tensors) {
		return false
	}
	for name, t := range a.Tensors {
		u, ok := b.Tensors[name]
		if !ok || t.DType != u.DType || !slices.Equal(t.Shape, u.Shape) || !bytes.Equal(t.Data, u.Data) {
			return false
		}
	}
	return true
}
