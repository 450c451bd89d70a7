// Package train runs a job: steps, evaluations, checkpoints and metrics. It knows no
// model and no recipe; a [example.com/gotrain/train/recipe.Table] opens the job of a configuration.
//
// Reading order: [Config], what a run is; [Train], the run from its lock to its
// last checkpoint; loop.go, the loop; [example.com/gotrain/train/engine], one step and one
// evaluation; [example.com/gotrain/train/save], what a checkpoint holds and how it is written;
// [example.com/gotrain/train/forecast], what a run will take.
//
// Same configuration and number of ranks give the same bits, whatever the number of
// threads and however often the run was stopped, killed and resumed.
//
// Nothing here prints: a listener of [example.com/gotrain/train/events] receives typed events.
// Errors name the place and the cure.
package train
