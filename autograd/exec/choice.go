package exec

import "example.com/gotrain/autograd/plan"

// Way is one of several ways of a back end to compute the same. They take different
// times and differ by rounding.
type Way struct {
	Name string `json:"name"`
	// MS is the time of a launch in milliseconds, FirstMS that of the way which is
	// taken untimed; 0 where there was nothing to choose from.
	MS      float64 `json:"ms,omitempty"`
	FirstMS float64 `json:"first_ms,omitempty"`
}

// Ways are those that have been chosen, by what they compute: kind, shapes, types.
type Ways map[string]Way

// Chooser is a Backend that has several ways to compute some instructions.
type Chooser interface {
	// Where names what Ways hold for: the versions of libraries, and the card.
	Where() string
	// Choose settles how later Binds compute the instructions of plans: as known says,
	// and if timed is set by the fastest way where known says nothing that can be had
	// here. Otherwise it is the back end's first. It returns the ways of the plans. Each
	// has run once when it returns, so that no kernel of theirs is loaded while launches
	// are recorded. It takes memory for the arguments of one launch, and gives it back.
	Choose(plans []*plan.Plan, known Ways, timed bool) (Chosen, error)
}

// Chosen is what Choose has settled.
type Chosen struct {
	Ways Ways
	// Timed are the times in milliseconds of what was timed: of each way by its name, by
	// what they compute.
	Timed map[string]map[string]float64
}

// Attender is a Backend with kernels of attention that it takes only where it is asked to.
type Attender interface {
	// UseAttention names those of later Binds. It is an error where the device or the
	// back end does not have them; Bind's where they do not take an instruction.
	UseAttention(name string) error
}
