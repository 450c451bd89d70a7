package nn

import "slices"

// Tuning is what a run decides about a model: nothing of it is part of the
// model's configuration, and the zero Tuning trains all parameters of a model
// that is alone.
type Tuning struct {
	// Role tells apart models that share an exec.Store, such as policy and
	// reference. It stands before the names of the model's states and before the
	// paths of its layers; parameters are called as in files.
	Role string
	// Adapter is trained in the place of the parameters.
	Adapter Adapter
	// Freeze holds patterns over the names of parameters (package path's Match,
	// where * stands for dots too): what matches one is not trained.
	Freeze []string
	// Average says that the parameters are averages of those of another model, which its
	// training writes: all are Running.
	Average bool
}

// Validate returns all faults that show without a model.
func (t Tuning) Validate() error { return t.Adapter.Validate() }

// State is the name of the model's state called name.
func (t Tuning) State(name string) string {
	if t.Role == "" {
		return name
	}
	return t.Role + "." + name
}

// frozen tells whether the parameter is left as it is: everything but the
// adapter where there is one, and what Freeze names.
func (t Tuning) frozen(p Param) bool {
	if t.Adapter.Rank > 0 && !p.Adapter {
		return true
	}
	return slices.ContainsFunc(t.Freeze, func(pattern string) bool { return matches(pattern, p.Name) })
}
