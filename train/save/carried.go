package save

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
)

// CarriedFile holds what steps hand on to each other beside parameters: the memory of
// each sample of a step, as a tensor NAME@ROW whose first row is that of the sample
// number ROW of the step, and what a run has one of. So a run goes on with any number of
// ranks and micro-batches, as long as its steps have as many samples: with more or fewer
// the samples are other streams, and memories begin anew.
const CarriedFile = "carried.safetensors"

// samplesKey says in CarriedFile how many samples a step has.
const samplesKey = "samples"

// Rows are a rank's samples of a step: Count from number First on, of Samples over all
// ranks, in micro-batches of Micro rows. Rows of the last ones that are left hold none.
type Rows struct{ Samples, First, Count, Micro int }

// memory splits the name that the store has for the memory of a micro-batch, and
// returns the first of its samples in the step and how many these are.
func (r Rows) memory(state string) (name string, first, count int) {
	name, micro, _ := strings.Cut(state, "@")
	m, err := strconv.Atoi(micro)
	if err != nil {
		return state, 0, 0 // of an evaluation
	}
	return name, r.First + m*r.Micro, max(0, min(r.Micro, r.Count-m*r.Micro))
}

// carried are the tensors of the states that steps hand on which a rank writes.
func (r Rows) carried(states []*ir.Value, first bool) []hub.Tensor {
	var tensors []hub.Tensor
	for _, v := range states {
		if ir.IsMemory(v.Name) {
			if name, row, count := r.memory(v.Name); count > 0 {
				shape := append(ir.Shape{count}, v.Shape[1:]...)
				tensors = append(tensors, hub.Tensor{Name: fmt.Sprintf("%s@%d", name, row), State: v.Name, Shape: shape})
			}
		} else if first { // all ranks have the same
			tensors = append(tensors, hub.Tensor{Name: v.Name, State: v.Name, Shape: v.Shape})
		}
	}
	return tensors
}

// metadata is that of CarriedFile.
func (r Rows) metadata() map[string]string {
	return map[string]string{samplesKey: strconv.Itoa(r.Samples)}
}

// restoreCarried gives the states in store that steps hand on what dir has of them.
func restoreCarried(store *exec.Store, dir string, rows Rows) error {
	var running []hub.Tensor
	var memories []string
	for _, name := range store.Names() {
		switch {
		case ir.IsRunning(name):
			running = append(running, hub.Tensor{Name: name, State: name})
		case ir.IsMemory(name):
			memories = append(memories, name)
		}
	}
	if running == nil && memories == nil {
		return nil
	}
	file := filepath.Join(dir, CarriedFile)
	files, err := hub.OpenTensors(dir, CarriedFile)
	if errors.Is(err, os.ErrNotExist) && running == nil {
		return nil // of a model without memory: they begin anew
	}
	if err != nil {
		return err
	}
	defer files.Close()
	if err := hub.LoadStates(store, file, files.Tensor, running, "the checkpoint is of another model; keep the model section as it was"); err != nil {
		return err
	}
	if files[0].Metadata()[samplesKey] != strconv.Itoa(rows.Samples) {
		return nil
	}
	for _, state := range memories {
		if err := restoreMemory(store, file, files, state, rows); err != nil {
			return err
		}
	}
	return nil
}

// restoreMemory gives the memory of a micro-batch the rows of its samples, wherever the
// ranks that wrote them had them.
func restoreMemory(store *exec.Store, file string, files hub.Shards, state string, rows Rows) error {
	name, first, count := rows.memory(state)
	shape := store.Get(state).Shape
	width := shape[1:].Size()
	found := 0
	for _, f := range files {
		for _, t := range f.Tensors() {
			from, ok := memoryRows(t, name, shape)
			if !ok {
				continue
			}
			lo, hi := max(first, from), min(first+count, from+t.Shape[0])
			if lo >= hi {
				continue
			}
			values := make([]float32, (hi-lo)*width)
			part, size := t, width*t.DType.Size()
			part.Shape, part.Data = []int{len(values)}, t.Data[(lo-from)*size:(hi-from)*size]
			if err := part.CopyFloat32(values); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := store.WriteAt(state, (lo-first)*width, values); err != nil {
				return err
			}
			found += hi - lo
		}
	}
	if found != count {
		return fmt.Errorf("%s: of %q there are %d of the samples %d to %d; use another checkpoint of the run", file, name, found, first, first+count-1)
	}
	return nil
}

// memoryRows tells whether a tensor holds rows of the memory, and the first of them.
func memoryRows(t safetensors.Tensor, name string, shape ir.Shape) (first int, ok bool) {
	row, ok := strings.CutPrefix(t.Name, name+"@")
	if !ok || len(t.Shape) != len(shape) || !shape[1:].Equal(t.Shape[1:]) {
		return 0, false
	}
	first, err := strconv.Atoi(row)
	return first, err == nil
}
