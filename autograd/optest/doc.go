// Package optest tests that every back end computes every ir.Kind alike. It has
// tests only; the documents are the tables:
//
//   - cases_test.go: kind × shapes × attributes × optional arguments. Each case
//     runs on every implementation of every back end, is compared with its
//     definition, runs in place wherever ir.Kinds allows it, on an arena full of
//     NaN, on 1, 2 and 3 threads (the same bits), and must not allocate.
//   - definition_test.go and its neighbours: each kind as ir.Kinds words it, in
//     float64, one element after the other.
//   - gradients_test.go: each differentiable constructor of package autograd,
//     compared with numeric derivatives.
//   - testdata: values and gradients computed by PyTorch, written by
//     scripts/golden/ops.py.
//
// TestCoverage fails when a kind lacks a case, a gradient or golden values
// without a stated reason.
package optest
