package engine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/recipe"
)

// Inputs that the engine feeds beside the fields of a source.
const (
	lossWeight = "loss_weight"
	random     = "rng"
	hyper      = "hyper"
)

// rowsOf is how many rows a sample has of what draws from an input of that name: rng and rng.N.
func rowsOf(name string, perSample int) (rows int, ok bool) {
	if name == random {
		return perSample, true
	}
	number, ok := strings.CutPrefix(name, random+".")
	if !ok {
		return 0, false
	}
	rows, err := strconv.Atoi(number)
	return rows, err == nil
}

// inputs are what the graphs of a job declare, by name.
type inputs map[string]input

type input struct {
	dtype  ir.DType
	perRow int // elements of a sample, 0 where rows do not divide them
}

// declare adds those of a graph for micro-batches of rows samples.
func (in *inputs) declare(g *autograd.Graph, rows int) {
	if *in == nil {
		*in = inputs{}
	}
	for _, n := range g.Inputs() {
		i := input{dtype: n.DType()}
		if size := n.Shape().Size(); size%rows == 0 {
			i.perRow = size / rows
		}
		(*in)[n.Name()] = i
	}
}

// check makes sure that every input is fed, by the engine or by a field of its type
// and size, and that every field is an input: a name that nothing gives or takes is
// a mistake of the recipe. A job without data is not checked.
func (in inputs) check(job *recipe.Job) error {
	if job.Train == nil {
		return nil
	}
	var errs []error
	fields := job.Train.Fields()
	if job.Eval != nil {
		for _, f := range job.Eval.Fields() {
			if !slices.ContainsFunc(fields, func(g data.Field) bool { return g.Name == f.Name }) {
				fields = append(fields, f)
			}
		}
	}
	fed := map[string]bool{lossWeight: true}
	for _, f := range fields {
		fed[f.Name] = true
		i, read := in[f.Name]
		switch {
		case !read:
			errs = append(errs, fmt.Errorf("no program reads the field %q of the data; the inputs are %s", f.Name, strings.Join(in.names(), ", ")))
		case kindOf(i.dtype) != f.Kind:
			errs = append(errs, fmt.Errorf("the field %q is %s, the programs read %s", f.Name, f.Kind, i.dtype))
		case i.perRow != f.Size():
			errs = append(errs, fmt.Errorf("the field %q has %d elements a sample, the programs read %d", f.Name, f.Size(), i.perRow))
		}
	}
	for _, name := range in.names() {
		if _, draws := rowsOf(name, 1); !fed[name] && !draws {
			errs = append(errs, fmt.Errorf("the programs read an input %q, which is no field of the data", name))
		}
	}
	return errors.Join(errs...)
}

func (in inputs) names() []string {
	var names []string
	for name := range in {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// kindOf is the kind of the fields that are read as elements of a type.
func kindOf(d ir.DType) data.Kind {
	switch {
	case d.Packed():
		return data.Uint8
	case d == ir.I32:
		return data.Int32
	}
	return data.Float32
}

// checkStates makes sure that a state which programs of steps and evaluations read
// is a parameter of the job, or written by one of them.
func (p *Programs) checkStates(job *recipe.Job) error {
	written := map[string]bool{}
	for _, param := range job.Params() {
		written[param.State()] = true
	}
	programs := p.Distinct()
	if p.Eval != nil {
		programs = append(programs, p.Eval)
	}
	for _, q := range programs {
		for _, in := range q.Program.Instrs {
			in.Writes(func(v *ir.Value) { written[v.Name] = true })
		}
	}
	var errs []error
	for _, q := range programs {
		for _, v := range q.Program.Values {
			if v.Class == ir.State && v.Root().Master == nil && !written[v.Name] && !optim.IsState(v.Name) {
				errs = append(errs, fmt.Errorf("program %s reads the state %q, which is no parameter and is never written", q.Program.Name, v.Name))
			}
		}
	}
	return errors.Join(errs...)
}
