// Package train runs the training of a configuration: data, steps, evaluations,
// checkpoints and metrics.
//
// Reading order: [Config], what a run is; [Train], the run from its lock to its
// last checkpoint; loop.go, the loop; [Engine], one step and one evaluation;
// [Programs], the plans that they execute; [State] and snapshot.go, what a
// checkpoint holds; [Predict], what a run will take.
//
// Same configuration and world size give the same bits, whatever the number of
// threads and however often the run was stopped, killed and resumed.
//
// Nothing here prints: a [Listener] receives typed events. Errors name the place
// and the cure.
package train
