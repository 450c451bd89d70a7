package engine

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// Binding is a plan that is bound once: to inputs of its own, and to states by names
// that may differ from those in the plan.
type Binding struct {
	*plan.Plan
	run  Run  // zero of a tool
	tool bool // else of a step or an evaluation
}

// ofEval ends the names of the memories of evaluations, in the store.
const ofEval = "@eval"

// State is the name in the store of a state of the plan. Memories belong to the
// micro-batch, since each sample has its own.
func (b Binding) State(name string) string {
	switch {
	case b.tool || !ir.IsMemory(name):
		return name
	case b.run.Program.Phase < 0:
		return name + ofEval
	}
	return fmt.Sprintf("%s@%d", name, b.run.Micro)
}

// Bindings lists what an engine binds: tools, then the runs of a step, then the
// evaluation. Runs of one program share a binding unless they have memories.
func (p *Programs) Bindings() []Binding {
	var all []Binding
	for _, q := range slices.Concat(p.Tools...) {
		all = append(all, Binding{Plan: q, tool: true})
	}
	bound := map[Run]bool{}
	for _, r := range p.Step {
		if key := r.bound(); r.Program.Plan != nil && !bound[key] {
			bound[key] = true
			all = append(all, Binding{Plan: r.Program.Plan, run: r})
		}
	}
	if p.Eval != nil && p.Eval.Plan != nil {
		all = append(all, Binding{Plan: p.Eval.Plan, run: Run{Program: p.Eval}})
	}
	return all
}

// bound is the first run that has a binding in common with r.
func (r Run) bound() Run {
	if !r.Program.remembers() {
		r.Micro = 0
	}
	return r
}

// remembers tells whether the program has memories.
func (p *Program) remembers() bool {
	return p.Plan != nil && slices.ContainsFunc(p.Program.Values, func(v *ir.Value) bool { return v.Class == ir.State && ir.IsMemory(v.Name) })
}
