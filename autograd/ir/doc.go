// Package ir is the intermediate representation between the Gorgonia graph and
// the back ends: a straight-line program of instructions over shaped, typed
// values.
//
// Read the types in this order: [Kind] and its table [Info] (what an
// instruction computes, which inputs are optional, what it may overwrite),
// [Attrs] (its constants, a type for each sort of kind), [Value] (a tensor and
// where it lives), [Instr], [Program], and [Verify], which runs after every pass
// of package plan.
//
// Shape legend, used throughout the project:
//
//	B batch   T query length   S key length   N = B·T tokens
//	D width   H query heads    G key/value heads   hd head size
//	F inner width of the feed-forward layer   V vocabulary
//
// Activations are two-dimensional, (N, D), row-major. Targets below zero are
// ignored. A Program is not safe for concurrent mutation.
package ir
