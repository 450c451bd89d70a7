package save

import (
	"errors"
	"path/filepath"
	"slices"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/optim"
)

// Init gives the models of a new run their first values: those of their bases and
// adapters where they have some, else drawn from the seed. Averages of parameters
// begin at the parameters.
func Init(store *exec.Store, fsys vfs.FS, seed uint64, models []Model, adapters map[string]string) error {
	for _, m := range models {
		if err := m.init(store, fsys, seed, adapters[m.role()]); err != nil {
			return err
		}
		if err := beginAverages(store, nn.Trainable(m.Params())); err != nil {
			return err
		}
	}
	return nil
}

// init gives one model its first values; adapter is where those of its adapter come
// from, "" for the seed.
func (m Model) init(store *exec.Store, fsys vfs.FS, seed uint64, adapter string) error {
	params := m.Params()
	if m.Base == "" {
		err := errors.Join(nn.Initialize(params, seed, store.WriteAt), beginLengths(store, params))
		if err != nil || m.Copies == "" {
			return err
		}
		return hub.CopyParams(store, m.Copies, params)
	}
	if _, ok := m.Model.(nn.TextEncoder); ok { // whose heads the base may lack
		if err := nn.Initialize(withoutStored(params), seed, store.WriteAt); err != nil {
			return err
		}
	}
	if err := hub.LoadBase(store, m.Base, m.Model); err != nil {
		return err
	}
	if adapter == "" {
		return errors.Join(nn.Initialize(nn.Adapters(params), seed, store.WriteAt), beginLengths(store, params))
	}
	return hub.LoadAdapter(store, fsys, adapter, params, "the adapter is another one than the lora section; name it with --adapter alone")
}

// beginLengths gives the lengths of a DoRA those of the rows of the base.
func beginLengths(store *exec.Store, params []nn.Param) error {
	for _, p := range nn.Linears(params) {
		i := slices.IndexFunc(params, func(q nn.Param) bool { return q.Name == p.Layer()+nn.DoRAM })
		if i < 0 {
			continue
		}
		norms, err := nn.Norms(p, nil, hub.Elements(store, p.State(), p.Shape.Size()))
		if err == nil {
			err = store.Write(params[i].State(), norms)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutStored leaves out frozen parameters that are not float32, which a base always has.
func withoutStored(params []nn.Param) []nn.Param {
	return slices.DeleteFunc(slices.Clone(params), func(p nn.Param) bool { return p.DType != ir.F32 })
}

// beginAverages copies parameters to the averages that there are of them.
func beginAverages(store *exec.Store, params []nn.Param) error {
	buf := make([]float32, hub.StreamElements)
	for _, p := range params {
		average := optim.AverageOf(p.State())
		if store.Get(average) == nil {
			continue
		}
		for off := 0; off < p.Shape.Size(); off += len(buf) {
			part := buf[:min(len(buf), p.Shape.Size()-off)]
			if err := errors.Join(store.ReadAt(p.State(), off, part), store.WriteAt(average, off, part)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Restore loads the checkpoint in dir into store, whose states have to be those of
// the run that wrote it; rows are those of a step that this rank has.
func Restore(store *exec.Store, fsys vfs.FS, dir string, models []Model, rows Rows) (*State, error) {
	state, err := ReadState(dir)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		if err := m.restore(store, fsys, dir, state); err != nil {
			return nil, err
		}
	}
	var wanted []hub.Tensor
	for _, name := range store.Names() {
		if optim.IsState(name) {
			wanted = append(wanted, hub.Tensor{Name: name, State: name})
		}
	}
	if err := restoreCarried(store, dir, rows); err != nil {
		return nil, err
	}
	files, err := hub.OpenTensors(dir, OptimizerFile)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	return state, hub.LoadStates(store, filepath.Join(dir, OptimizerFile), files.Tensor, wanted,
		"the optimizer of the checkpoint is another one; keep optimizer.kind, momentum and ema, train.freeze and lora as they were")
}

// restore loads one model: one with an adapter, which the checkpoint holds, from the
// base that the adapter was trained on.
func (m Model) restore(store *exec.Store, fsys vfs.FS, dir string, state *State) error {
	if !m.adapted() {
		return hub.LoadParams(store, filepath.Join(dir, m.role()), m.Params())
	}
	if err := checkBase(state, m); err != nil {
		return err
	}
	if err := hub.LoadBase(store, m.Base, m.Model); err != nil {
		return err
	}
	if whole := nn.Trainable(nn.Base(m.Params())); len(whole) > 0 {
		if err := hub.LoadTrained(store, filepath.Join(dir, m.role()), whole); err != nil {
			return err
		}
	}
	return hub.LoadAdapter(store, fsys, m.findAdapter(dir), m.Params(), "the checkpoint has another adapter; keep the lora section as it was")
}
