// Package generate continues and scores texts with a model.
//
// [Generator] holds key/value caches and continues one text at a time, [Batch] many, choosing
// tokens by [Sampling]; [Scorer] gives the log-likelihood of completions. Both
// read the parameters from the exec.Store that training updates, so that they
// always see the newest ones and copy none.
//
// The end of the context ends a text: positions beyond it were never trained,
// and sliding the caches would leave keys at positions that no longer fit.
//
// Errors name the token or option at fault. No type is safe for concurrent
// use, nor may it run at the same time as another session of its store.
package generate
