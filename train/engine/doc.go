// Package engine plans the programs of a job and runs its optimizer steps and
// evaluations.
//
// Reading order: [Compile], the plans of steps, evaluations and tools; [Engine], one
// step and one evaluation; inputs.go, which fields and states the programs may name;
// [Predict], what a run will take.
//
// After [New] a step allocates nothing. Same configuration and number of ranks give the
// same bits, whatever the number of threads.
package engine
