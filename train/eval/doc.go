// Package eval scores language models: on texts, on completions of prompts, and on
// tasks, which are files of questions.
//
// [Text] gives the NLL, perplexity and bits per byte of texts. A [Scorer] gives the
// log-likelihood of the completion of a [Question], for multiple choice and few-shot.
//
// A [Config] describes a task: multiple choice scored by log-likelihood, in the manner
// of MMLU (Hendrycks et al. 2021), a word that follows, or generated answers compared with
// the expected ones, in the manner of GSM8K (Cobbe et al. 2021). [Formats] are published
// layouts of questions. [Open] reads the records, [Task.Prompt] is what the model sees of
// one, [Task.AskAll] asks a [Model], such as a [Language], and [Summarize] counts. Errors
// name the file, the line and the key.
package eval
