// Package instruct turns conversations into batches for fine-tuning.
//
// Reading order:
//
//   - [Config] is the section data.instruct of a configuration.
//   - [Read] streams the conversations of JSONL, JSON and Parquet files in the shapes of Alpaca, ShareGPT and OpenAI.
//   - [Encoder] renders a conversation with a chat template and turns it into tokens, each with a mark: does the loss
//     count it? Training and chat use the same Encoder.
//   - [Build] makes a [Set] of the examples that fit.
//   - [Loader] packs a Set into rows, a pure function of a seed and a global sample index; [Eval] covers it once.
//
// # Legend
//
//	B  rows of a batch    T  positions of a row    n  tokens of an example, which takes n-1 positions    W  rows of an epoch
//
// # Masks
//
// Position i of an example reads token i and has token i+1 as its target, or data.Ignore where the loss does not count that
// token. The mark belongs to the position, not to the token's id: an end-of-turn token is trained where the assistant says
// it, even if the same id pads rows or ends the turns of others.
//
// Several examples share a row. Each is a segment of its own with positions from 0, so that attention and losses are those
// of the example alone.
//
// # Special tokens
//
// Only what a template itself writes becomes a special token. Text of a message that spells one stays text.
//
// Errors name the file, the line, the key and a cure. A Set, a Loader and an Eval are immutable and safe for concurrent use.
package instruct
