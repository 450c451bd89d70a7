// Package prefer turns preferences into batches: which of two answers to the same
// conversation people like better, or whether they like an answer.
//
// Reading order:
//
//   - [Pairs] and [Judgements] read records, in any of the files that data/instruct reads:
//     chosen and rejected with or without a prompt, as texts, lists of messages or
//     Anthropic's dialogues; or a prompt, a completion and a label.
//   - [Build] makes a [Set] of what fits, with the chat template, the masks and the refusals
//     of instruction tuning: each sample is two sequences.
//   - [Loader] packs samples whole into rows, as a pure function of a seed and a position.
//
// # Legend
//
//	T  positions of a row    P  samples of a row at most    2P  its sequences: 2p is the first of sample p
//
// The two sequences of a sample are segments of one row and have the same prompt twice:
// what they share is computed twice.
//
// Errors name the file, the line, the key and a cure. A Set and a Loader are safe for
// concurrent use once the reference is set.
package prefer
