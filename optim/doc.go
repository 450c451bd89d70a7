// Package optim turns gradients into parameter updates.
//
// [Config] is the optimizer section of a configuration, [Config.LRFraction] its
// learning-rate schedule, [Append] adds the update to a program that ends with
// gradients, and [Hyper] gives the constants of a step that the host writes
// into the program's "hyper" input. The update rules themselves are kinds of
// package ir, defined by the kernels of a back end.
//
// State names follow PyTorch: "exp_avg.NAME" and "exp_avg_sq.NAME" for AdamW,
// "momentum.NAME" for the others, "ema.NAME" for the averaged parameters.
package optim
