// Package eval evaluates models on questions: multiple choice scored by
// log-likelihood, in the manner of MMLU (Hendrycks et al. 2021), and generated
// answers compared with the expected one, in the manner of GSM8K (Cobbe et al.
// 2021).
//
// A [Config] describes a task, [Open] reads its records, [Task.Prompt] is what
// the model sees of one, and [Run] asks a [Model]. Errors name the file, the line
// and the key.
package eval
