package convert

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/hub/peft"
)

// adapt makes the change of the adapter in dir to the tensors of s, or takes it
// back: then the result is what it was merged into, but for the rounding of both.
func (s *source) adapt(dir string, unmerge bool, fsys vfs.FS) error {
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return err
	}
	defer a.Close()
	s.notes = append(s.notes, a.Notes...)
	params := s.model.Params()
	if _, err := a.Fit(params); err != nil {
		return err
	}
	if !unmerge {
		if err := a.CheckApart(fsys, s.path); err != nil {
			return err
		}
	}
	for i, p := range params {
		delta, err := a.Delta(p)
		if err != nil {
			return err
		}
		if delta == nil {
			continue
		}
		s.tensors[i].change = delta.Merge
		if unmerge {
			s.tensors[i].change = delta.Unmerge
		}
	}
	return nil
}

// ExportAdapter writes the adapter in src as dst, in peft's format, with the
// numbers as opt.Type or, where that is nil, as they are. There is no certificate.
// On failure nothing is left.
func ExportAdapter(ctx context.Context, src, dst string, opt Options, deps Deps) (Report, error) {
	if err := checkFree(deps.FS, dst); err != nil {
		return Report{}, err
	}
	start := time.Now()
	a, err := peft.Open(deps.FS, src)
	if err != nil {
		return Report{}, err
	}
	defer a.Close()
	config, err := a.JSON()
	if err != nil {
		return Report{}, err
	}
	r := Report{Source: src, Result: filepath.Clean(dst), Format: PEFT, ModelType: "lora", Types: map[string]int{}, Notes: a.Notes}
	out := &directoryOutput{weights: peft.WeightsFile, files: []file{{peft.ConfigFile, config}}}
	for _, layer := range a.Layers() {
		for _, suffix := range []string{nn.LoRAA, nn.LoRAB} {
			t := a.Tensors[layer+suffix]
			typ, ok := storedTypes[t.DType]
			if !ok {
				return Report{}, fmt.Errorf("%s: tensor %q is of type %v: save the adapter in float32, float16 or bfloat16", src, t.Name, t.DType)
			}
			stored := tensor{name: peft.TensorName(layer + suffix), stored: t.Name, shape: t.Shape, typ: typ, data: t.Data}
			out.add(stored, opt, &r)
			r.Parameters += int64(stored.size())
		}
	}
	err = produce(ctx, out, &r, start, deps.FS, func(string) error { return nil })
	return r, err
}
