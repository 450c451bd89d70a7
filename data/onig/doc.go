// Package onig matches regular expressions as Oniguruma does, in the syntax and Unicode that Hugging Face tokenizers uses it
// with: Split and Replace of a tokenizer.json are written for it.
//
// The types in reading order: Regex, which Compile makes; Error, which names what Compile refuses and where.
//
// # Syntax
//
// Everything of Oniguruma's doc/RE but back-references, calls of groups, absent groups, conditions, callouts, \K, \G, \y and
// \Y, which are refused by name and place. Some of what differs from Go's package regexp: ^ and $ are those of lines; . is
// everything but a newline and (?m) makes it everything; (?x) allows white space and comments; \h is a hexadecimal digit;
// \w, \d, \s and \b are Unicode's; classes nest and intersect ([a-z&&[^aeiou]]); {n,m}+ repeats {n,m}, but ?+, *+ and ++ are
// possessive; (?i) knows that ß is ss.
//
// # Matching
//
// Matching backtracks: the leftmost match and in it the first alternative. A search that comes to the same place again and
// again remembers where it failed, so that its time is proportional to the text's length, but for expressions with look-around
// or atomic groups that backtrack inside; those give up on a place, as if nothing matched there, after a number of steps that
// no expression in use comes near.
//
// Text is UTF-8. A byte that begins no character counts as U+FFFD.
//
// A Regex is immutable and safe for concurrent use. Nothing here prints or panics on input.
package onig
