// Package scale fits laws that say what loss a language model of N parameters reaches
// on D tokens, and reads from them the best model for a budget.
//
// Reading order: [Point] is a run, [ReadCSV] reads many; [Make] fits all there is to fit
// and gives a [Report]: the [Law] of Hoffmann et al. 2022 with the band of a bootstrap
// (approach 3, [Parametric]), the minima of curves of equal compute (approach 2,
// [IsoFLOP]), the envelope over sizes (approach 1, [Envelope]) and the laws of Kaplan et
// al. 2020 ([Kaplan]). [Report.Best] plans a budget, [Report.Expect] a run.
//
// A run of N parameters on D tokens computes C = 6·N·D floating-point operations. What N
// counts ([Count]) changes every coefficient and exponent: the exponent of N in C came out
// as .37, .54 or .70 for the same runs of nanochat. All laws are of the loss in
// nats per token. Fits depend on points, options and seed alone, not on the number of
// threads.
package scale
