// Package data turns text into batches of token ids.
//
// Reading order:
//
//   - [Config] says where the text is, how it is stored and how much of it is held out.
//   - [Corpus] streams the text as [Document] values, each marked for training or validation.
//   - [Prepare] tokenizes a corpus in parallel into shards, kept in a content-addressed cache.
//   - [Shard] is one memory-mapped, checksummed file of tokens; [Set] is the logical concatenation of several.
//   - [Loader] cuts a Set into training batches, a pure function of a seed and a global sample index; [Mixture] draws them
//     from several sources by weight.
//   - [Eval] covers a held-out Set in order, each target once.
//   - [Prefetch] fills the batches of either ahead of time on a goroutine of its own.
//
// # Legend
//
//	B  rows of a batch on one rank        R  ranks (world size)      r  this rank
//	T  context length in tokens           N  tokens of a Set         W  windows of an epoch
//
// Token ids are int32 and in [0, vocabulary). A target of [Ignore] (-1), like every negative target in gotrain, does not
// count towards the loss.
//
// # Documents
//
// A document's tokens are followed by the tokenizer's end-of-text token, and documents lie end to end in a Set. Windows are
// cut without regard to documents (the packing of GPT-2 and GPT-3), so a row may hold several; the first token of a document
// is a target of the end-of-text token before it. With DocumentMask that target is ignored, and the batch carries segment
// ids and restarted positions with which attention stays inside a document.
//
// # Held-out text
//
// The side of a text depends on its content alone, never on its file's name or place in the order:
//
//   - A JSONL or Parquet record is held out when xxh3(text)/2⁶⁴ < validation. Equal records fall on the same side.
//   - With format text and at least 64 files, the same holds for each file, with the xxh3 of its first MiB.
//   - With format text and fewer than 64 files, each file is cut: of every stretch of p/validation bytes, one contiguous
//     piece of p bytes is held out, at a place that a hash of the file's beginning chooses, p being an eighth of the file's
//     share but at least 1 KiB and at most 1 MiB. The ends of the pieces move on to the next blank line. A file shorter than
//     one stretch is held out whole or not at all, by its hash. So a 567 KB book with validation 0.1 gives eight pieces of
//     about 7 KB. Text on the two sides of a removed piece never becomes one document.
//
// # Errors and concurrency
//
// Errors name the file, the line or the shard, and a cure where one is known; nothing here panics on bad input or prints.
// Shard, Set, Loader and Eval are safe for concurrent use once made. Prefetch has one consumer.
package data
