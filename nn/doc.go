// Package nn declares language models as layers over package autograd.
//
// Read the types in this order: [Config] (the model section of a run's
// configuration), [Model] (what every family gives), [Builder] (the layers that
// families are written in), [Param] and [Initialize] (the parameters and their
// first values), then the graphs of a model: [Training], [Evaluation],
// [Logits] and [Decode].
//
// A family is one folder beside this one (nn/gpt2, nn/llama) whose forward pass
// reads from top to bottom on one screen. Parameters carry the names that
// Hugging Face gives them, so a checkpoint needs no renaming. A forward pass is
// written once: run with a [Builder] it declares the parameters and builds the
// graph of whichever kind the inputs ask for, with whole sequences or with
// key/value caches.
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
