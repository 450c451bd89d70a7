package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
)

// LoRAFile is diffusers' name of a file of low-rank adapters.
const LoRAFile = "pytorch_lora_weights.safetensors"

// adapters are those that are put on the models of a pipeline, by their roles: of a checkpoint, in
// peft's format in the folder of the model, or of a file that has those of several models.
type adapters map[string]adapter

type adapter struct {
	adapter nn.Adapter
	tensors map[string]safetensors.Tensor // by parameter
	place   string                        // in errors
	close   func() error
}

// Close lets go of the files.
func (as adapters) Close() error {
	var errs []error
	for _, a := range as {
		errs = append(errs, a.close())
	}
	return errors.Join(errs...)
}

// load fills the parameters of the adapter of m, if it has one.
func (as adapters) load(store *exec.Store, m nn.Model) error {
	params := nn.Adapters(m.Params())
	if len(params) == 0 {
		return nil
	}
	for _, p := range params {
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return err
		}
	}
	a := as[m.Tuning().Role]
	return hub.LoadStates(store, a.place, func(name string) (safetensors.Tensor, bool) {
		t, ok := a.tensors[name]
		return t, ok
	}, hub.ParamTensors(params), "the adapter is that of another model")
}

// openAdapters opens those of a checkpoint in dir and those of a file, "" for none.
func (p *Pipeline) openAdapters(fsys vfs.FS, dir, file string) (adapters, error) {
	all := adapters{}
	for _, m := range p.models() {
		role := m.Tuning().Role
		folder := filepath.Join(dir, role)
		if !hub.IsAdapter(folder) {
			continue
		}
		base, err := weightsOf(dir, role)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		a, lora, err := hub.OpenAdapter(fsys, folder, base, m.Params())
		if err == nil && file != "" {
			err = errors.Join(fmt.Errorf("the %s has an adapter already: merge it first with gotrain export", role), a.Close())
		}
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all[role] = adapter{lora, a.Tensors, folder, a.Close}
	}
	if file == "" {
		return all, nil
	}
	if exists(file, LoRAFile) {
		file = filepath.Join(file, LoRAFile)
	}
	f, err := safetensors.Open(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adapter: %w", err), all.Close())
	}
	read, err := readLoRA(f, p.models())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adapter: %s: %w", file, err), f.Close(), all.Close())
	}
	closed := f.Close
	for role, a := range read {
		a.place, a.close = file, closed
		closed = func() error { return nil } // once
		all[role] = a
	}
	return all, nil
}

// kohyaRoles are kohya's prefixes.
var kohyaRoles = map[string]string{Denoiser: "lora_unet_", Text: "lora_te_"}

// matrices are the ends of names of both matrices of a layer, ours and peft's first, with diffusers'
// former and kohya's.
var matrices = map[string][]string{
	nn.LoRAA: {nn.LoRAA, ".lora.down.weight", ".lora_down.weight"},
	nn.LoRAB: {nn.LoRAB, ".lora.up.weight", ".lora_up.weight"},
}

// alphaEnd is kohya's end of the name of a layer's alpha.
const alphaEnd = ".alpha"

// alphasKey is the metadata in which diffusers keeps what peft's configuration says, by role.
const alphasKey = "lora_adapter_metadata"

// readLoRA finds the layers of the models that the tensors of a file are of.
func readLoRA(f *safetensors.File, models []nn.Model) (adapters, error) {
	all := adapters{}
	alphas := map[string]any{}
	if text := f.Metadata()[alphasKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &alphas); err != nil {
			return nil, fmt.Errorf("%s: %w", alphasKey, err)
		}
	}
	for _, m := range models {
		role := m.Tuning().Role
		layers := map[string]string{}
		for _, p := range nn.Linears(m.Params()) {
			layers[role+"."+p.Layer()] = p.Layer()
			if prefix := kohyaRoles[role]; prefix != "" {
				layers[prefix+strings.ReplaceAll(p.Layer(), ".", "_")] = p.Layer()
			}
		}
		a := adapter{tensors: map[string]safetensors.Tensor{}}
		if alpha, ok := alphas[role+".lora_alpha"].(float64); ok {
			a.adapter.Alpha = alpha
			a.adapter.RSLoRA, _ = alphas[role+".use_rslora"].(bool)
		}
		for _, t := range f.Tensors() {
			if err := a.take(t, layers); err != nil {
				return nil, err
			}
		}
		if len(a.tensors) == 0 {
			continue
		}
		if err := a.complete(m); err != nil {
			return nil, err
		}
		all[role] = a
	}
	return all, noneLeft(f, all)
}

// take keeps a tensor if it is of one of the layers.
func (a *adapter) take(t safetensors.Tensor, layers map[string]string) error {
	if name, ok := strings.CutSuffix(t.Name, alphaEnd); ok && layers[name] != "" {
		var alpha [1]float32
		if err := t.CopyFloat32(alpha[:]); err != nil {
			return err
		}
		if a.adapter.Alpha != 0 && a.adapter.Alpha != float64(alpha[0]) {
			return fmt.Errorf("%s is %g, and others are %g: all layers of a model have one here", t.Name, alpha[0], a.adapter.Alpha)
		}
		a.adapter.Alpha = float64(alpha[0])
		return nil
	}
	for param, ends := range matrices {
		for _, end := range ends {
			name, ok := strings.CutSuffix(t.Name, end)
			if layer := layers[name]; ok && layer != "" {
				a.tensors[layer+param] = t
			}
		}
	}
	return nil
}

// complete wants both matrices of each layer, of one rank.
func (a *adapter) complete(m nn.Model) error {
	var targets []nn.Param
	for _, p := range nn.Linears(m.Params()) {
		down, one := a.tensors[p.Layer()+nn.LoRAA]
		up, two := a.tensors[p.Layer()+nn.LoRAB]
		if !one && !two {
			continue
		}
		if !one || !two || len(down.Shape) != 2 || len(up.Shape) != 2 {
			return fmt.Errorf("the layer %s lacks one of its two matrices", p.Layer())
		}
		if a.adapter.Rank != 0 && a.adapter.Rank != down.Shape[0] {
			return fmt.Errorf("the layer %s has rank %d, and others %d: all layers of a model have one here", p.Layer(), down.Shape[0], a.adapter.Rank)
		}
		a.adapter.Rank = down.Shape[0]
		targets = append(targets, p)
	}
	a.adapter.Targets = nn.TargetsOf(targets, m.Params())
	return a.adapter.Validate()
}

// noneLeft refuses a file with tensors that no model has taken.
func noneLeft(f *safetensors.File, all adapters) error {
	taken := map[string]bool{}
	for _, a := range all {
		for _, t := range a.tensors {
			taken[t.Name] = true
		}
	}
	for _, t := range f.Tensors() {
		if !taken[t.Name] && !strings.HasSuffix(t.Name, alphaEnd) {
			return fmt.Errorf("tensor %q is of no linear layer of the models: convolutions and other models are not adapted here", t.Name)
		}
	}
	if len(all) == 0 {
		return errors.New("there is no tensor")
	}
	return nil
}

// ExportLoRA writes the low-rank adapters of p alone: as the directory that diffusers'
// load_lora_weights reads, or as kohya's file. What dst names must not exist.
func ExportLoRA(fsys vfs.FS, dst string, p *Pipeline, store *exec.Store, kohya bool) error {
	var tensors []safetensors.Tensor
	said := map[string]any{}
	for _, m := range p.models() {
		role, lora := m.Tuning().Role, m.Tuning().Adapter
		if lora.Rank == 0 {
			continue
		}
		if lora.DoRA || len(lora.Ranks) > 0 || len(lora.Alphas) > 0 {
			return errors.New("these files have no lora.dora, and one lora.rank and alpha for all layers here: write the merged model with --format hf")
		}
		said[role+".r"], said[role+".lora_alpha"], said[role+".use_rslora"] = lora.Rank, lora.Alpha, lora.RSLoRA
		said[role+".target_modules"] = lora.Targets
		if slices.Equal(lora.Targets, []string{nn.AllLinear}) {
			said[role+".target_modules"] = nn.AllLinear // peft's word for it, no name
		}
		for _, t := range hub.Contents(hub.ParamTensors(nn.Adapters(m.Params())), store) {
			if !kohya {
				t.Name = role + "." + t.Name
				tensors = append(tensors, t)
				continue
			}
			layer, down := strings.CutSuffix(t.Name, nn.LoRAA)
			name, end := kohyaRoles[role]+strings.ReplaceAll(strings.TrimSuffix(layer, nn.LoRAB), ".", "_"), matrices[nn.LoRAB][2]
			if down {
				end = matrices[nn.LoRAA][2]
				alpha := math.Float32bits(float32(lora.Scale() * float64(lora.Rank)))
				tensors = append(tensors, safetensors.Tensor{Name: name + alphaEnd, DType: safetensors.F32, Shape: []int{}, Data: binary.LittleEndian.AppendUint32(nil, alpha)})
			}
			t.Name = name + end
			tensors = append(tensors, t)
		}
	}
	if tensors == nil {
		return errors.New("there is no adapter: train one with gotrain finetune and lora.rank, or write the whole model with --format hf")
	}
	metadata := hub.ModelMetadata()
	if kohya {
		file := hub.TensorsFile(filepath.Base(dst), tensors, metadata)
		return vfs.WriteFile(fsys, dst, file.Write)
	}
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	metadata[alphasKey] = string(text)
	return vfs.WriteDir(fsys, dst, []vfs.Content{hub.TensorsFile(LoRAFile, tensors, metadata)})
}
