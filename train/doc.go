// Package train runs the job of a configuration: steps, evaluations, checkpoints and
// metrics. It knows no recipe, family or kind of data.
//
// Reading order: run.go, [Train], the run from its lock to its last checkpoint;
// loop.go, the loop; [Engine], one step and one evaluation; [Programs], the plans
// that they execute; saves.go, when a checkpoint is written; [DryRun], a run up to its
// first step; [Predict], what a run will take. What a run learns is a job of package
// recipe, its configuration is package config, what a checkpoint holds package save.
//
// Same configuration and world size give the same bits, whatever the number of
// threads and however often the run was stopped, killed and resumed.
//
// Nothing here prints: a [Listener] receives typed events. Errors name the place
// and the cure.
package train
