// Package nn declares models as layers over package autograd.
//
// Read the types in this order: [Model] and [LanguageModel] (what a family gives),
// [Core] (what its models embed), [Builder] (the layers that forward passes are
// written in), [Param] and [Initialize] (the parameters and their first values),
// [Tuning] (what a run decides about a model), [Family] and [Families] (the table in
// which a configuration finds its family), [Configuration] and [Faults] (what
// configurations share), then the graphs of a language model: [Training],
// [Evaluation], [Logits] and [Decode].
//
// A family is one folder beside this one (nn/gpt2, nn/llama): a Config with its
// defaults and faults, a forward pass that reads from top to bottom on one screen,
// Hugging Face's names both ways, and a row for package zoo. Parameters carry the
// names that Hugging Face gives them, so a checkpoint needs no renaming. A forward
// pass is written once: run with a [Builder] it declares the parameters and builds
// the graph of whichever kind the inputs ask for, with whole sequences or with
// key/value caches. Nothing outside the folder and the row knows the family.
//
// Several models share a graph and a store under the roles of their Tuning; a model
// that passes twice through one graph has its parameters there once.
//
// Errors: Validate returns all faults of a configuration at once. Faults of a
// graph stick to it and come back from autograd.Graph.Lower. Everything here is
// a pure function of its arguments and safe for concurrent use, except that a
// Builder belongs to one graph.
//
// The shape legend is that of package ir: B batch, T length, N = B·T tokens,
// D width, H heads, G key/value heads, hd head size, F feed-forward width,
// V vocabulary, S rows of a cache.
package nn
