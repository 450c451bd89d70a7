package convert

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
)

// chooseAdapter returns the directory of the adapter that opt names or s is, "" for none.
func (s *source) chooseAdapter(opt Options) (string, error) {
	if !s.place.Adapter {
		return opt.Adapter, nil
	}
	if opt.Unmerge {
		return "", fmt.Errorf("%s is an adapter beside its base, so that there is nothing to take out: the base is %s", s.path, s.place.Base)
	}
	if opt.Adapter != "" {
		return "", fmt.Errorf("%s is an adapter itself, to %s: export it first, and then that with %s", s.path, s.place.Base, opt.Adapter)
	}
	return s.place.Dir, nil
}

// adapt makes the change of the adapter in dir to the tensors of s, or takes it
// back: then the result is what it was merged into, but for the rounding of both. It
// tells how many tensors that are, and of which rank the change.
func (s *source) adapt(dir string, unmerge bool, fsys vfs.FS) (tensors, rank int, err error) {
	a, err := peft.Open(fsys, dir)
	if err != nil {
		return 0, 0, err
	}
	defer a.Close()
	params := s.model.Params()
	if _, err := a.Fit(params); err != nil {
		return 0, 0, err
	}
	if !unmerge {
		if err := s.checkBase(a, fsys); err != nil {
			return 0, 0, err
		}
	}
	if unmerge && a.DoRA {
		return 0, 0, fmt.Errorf("%s is a DoRA, which leaves nothing of the lengths of the base's rows in what it is merged into: take the base itself", dir)
	}
	s.notes = append(s.notes, a.Notes...)
	if a.Stored != "" && !unmerge {
		s.adapted = &adapted{dir: dir, storage: a.Stored}
		s.notes = append(s.notes, fmt.Sprintf("the adapter was trained on weights in %s (lora.base) and is merged into those of the file as they are: the result scores otherwise than both do together; checkpoints with lora.merge have it merged into the weights that it was trained on", a.Stored))
	}
	for i, p := range params {
		delta, err := a.Delta(p, s.tensors[i].floats)
		if err != nil {
			return 0, 0, err
		}
		if delta == nil {
			continue
		}
		tensors++
		s.tensors[i].change = delta.Merge
		if unmerge {
			s.tensors[i].change = delta.Unmerge
		}
	}
	return tensors, a.Rank, nil
}

// adapted is an adapter that was trained on a base in few bits.
type adapted struct {
	dir     string
	storage nn.Storage
}

// compare computes what the adapter makes of the prompt on its base as it was trained, and how
// far that is from what the result makes of it. It is nil where the base is a GGUF file.
func (a *adapted) compare(ctx context.Context, s *source, result computed, prompt []int32, deps Deps) (t *Trained, err error) {
	if s.place.Base == "" {
		return nil, nil
	}
	b, err := deps.Backend()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	model, adapter := s.place.Dir, ""
	if !s.place.Adapter {
		adapter = a.dir
	}
	loaded, err := hub.Load(model, adapter, b, deps.FS, deps.Families)
	if err != nil {
		return nil, err
	}
	own, err := s.run(ctx, loaded.Model, loaded.Store, prompt)
	if err != nil {
		return nil, err
	}
	var c Certificate
	c.compare(own.logits, result.logits)
	return &Trained{a.storage, c.LargestDifference, c.AverageDifference, slices.Equal(own.tokens, result.tokens)}, nil
}

// checkBase wants the weights of s to be those that a was trained on, and a not to be
// merged into them.
func (s *source) checkBase(a *peft.Adapter, fsys vfs.FS) error {
	if s.place.Adapter {
		return s.place.CheckOwn(a, s.place.Base)
	}
	if err := a.CheckApart(fsys, s.path); err != nil || s.place.Base == "" {
		return err // a GGUF file has no fingerprint
	}
	return hub.CheckNamed(a, s.place.Base)
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
	r := Report{Source: src, Result: filepath.Clean(dst), Format: PEFT, ModelType: "lora", Types: map[string]int{}, Notes: a.Notes, Base: a.Base}
	out := &directoryOutput{weights: peft.WeightsFile, metadata: peft.Metadata(a.Trained, a.Stored), files: []file{{peft.ConfigFile, config}}}
	for _, layer := range a.Layers() {
		for _, suffix := range a.Parts() {
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
