// Package autograd builds the graphs of models and differentiates them.
//
// [Graph] and [Node] wrap Gorgonia's expression graph, which only this package
// imports: Gorgonia holds the nodes, infers types and walks the chain rule
// ([Graph.Grad] is gorgonia.Grad), while every op is ours. An op is data, an
// ir.Kind with its ir.Attrs; one adapter type makes all of them Gorgonia ops. The
// constructor of a kind, its shape rule and its gradient stand together in one
// file (layernorm.go: LayerNorm and its gradient).
//
// Errors: constructors return a *Node always. The first fault (a shape that
// does not fit, a duplicate name) sticks to the Graph with the path of the
// layer and comes back from [Graph.Lower]; constructors called after it do
// nothing.
//
// [Graph.Lower] turns the part of the graph that some roots need into an
// ir.Program for package plan. A Graph is not safe for concurrent use.
//
// The shape legend is that of package ir: B batch, T query length, N = B·T,
// D width, H heads, V vocabulary.
package autograd
