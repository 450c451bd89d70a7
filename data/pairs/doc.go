// Package pairs reads pairs of texts, a source and its target, such as a sentence and its
// translation, and packs them into rows of an encoder and a decoder.
//
// Read the types in this order: [Config] (where the two texts of a pair stand), [Read] (the
// pairs of files, as [Pair]), [Encoder] (their tokens), [Build] and [Set] (the pairs of one
// side of a split), [Loader] and [Eval] (their batches).
//
// Several pairs share a row, so that rows have hardly any padding while programs keep their
// shapes: segments tell them apart on both sides, and a pair has the same number on both.
//
// Errors name the file and the line, and the cure. Everything is a pure function of the
// files, the seed and the position, and safe for concurrent use.
package pairs
