package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/data/synth/endpoint"
	"example.com/gotrain/nn/generate"
)

// synthFlags say what is made, by whom, and what is kept.
type synthFlags struct {
	modelFlags
	templateFlags
	samplingFlags
	seeds                  []string
	server                 endpoint.Client
	tokenFile, rewardModel string
	method                 string
	minReward              float64
	noRules                bool
	rows, length           int
	bootstrap.Config
}

func newDataSynth() *cobra.Command {
	var f synthFlags
	c := &cobra.Command{
		Use:   "synth",
		Short: "Make training data from a few seeds by a model",
		Long: `Synth has a model write records and keeps those that pass the filters. The model is
--model, or one behind --endpoint, which speaks OpenAI's API. --method is one of

  self-instruct  new tasks like those of the seeds, and their answers
  evol-instruct  tasks of the seeds made harder or rarer, step by step, and answers
  textbook       passages of a textbook about the seeds, which are topics
  magpie         what a user would say to the model, and its answers; without seeds

--seeds are JSON Lines or tables of instruction data, or a text a line. In --out are
records.jsonl, to train on, rejected.jsonl, with the reason of each, and the state: the
same command goes on where an earlier one ended or was killed, or with a larger --count.
A record tells its prompts and their seeds, the model and the hash of its weights, and
the seeds and records that it was made from.`,
		Example: `  gotrain data synth --seeds seeds.jsonl --model models/qwen --count 1000 --out data/synth
  gotrain data synth --method magpie --model models/qwen --count 500 --out data/magpie --held test.jsonl
  gotrain data synth --seeds topics.txt --method textbook --endpoint http://127.0.0.1:8080/v1 --endpoint-model qwen --count 200 --out data/book`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			if (f.model != "") == (f.server.URL != "") {
				return usagef("%s needs --model or --endpoint, one of them; see %s --help", c.CommandPath(), c.CommandPath())
			}
			return f.run(c)
		},
	}
	f.modelFlags.add(c)
	f.addTemplate(c, "")
	f.samplingFlags.add(c, 512, "at most `N` tokens of an answer", generate.Sampling{Temperature: 0.8, TopP: 0.95})
	flags := c.Flags()
	flags.StringVar(&f.Dir, "out", "", "`DIR` of the records")
	flags.StringVar(&f.method, "method", "self-instruct", "`NAME`: "+strings.Join(bootstrap.Methods(), ", "))
	flags.StringArrayVar(&f.seeds, "seeds", nil, "`FILE` of seeds; may be repeated")
	flags.IntVar(&f.Count, "count", 1000, "`N` records")
	flags.IntVar(&f.Round, "round", 8, "`N` first prompts see the same records")
	flags.IntVar(&f.Patience, "patience", 20, "give up after `N` rounds without a record")
	flags.IntVar(&f.rows, "batch", 16, "write `N` texts at once")
	flags.IntVar(&f.length, "length", 2048, "`N` tokens that a prompt and its answer have at most")
	flags.StringVar(&f.server.URL, "endpoint", "", "`URL` of a server of OpenAI's API, up to its version, such as http://127.0.0.1:8080/v1")
	flags.StringVar(&f.server.Model, "endpoint-model", "", "`NAME` of the server's model")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` that holds the server's key")
	flags.BoolVar(&f.server.Plain, "plain", false, "the server continues prompts as text: its model was not tuned on conversations")
	flags.IntVar(&f.server.Parallel, "parallel", 8, "`N` requests at once")
	flags.IntVar(&f.server.Retries, "retries", 4, "try a request that the server can't answer now `N` times more")
	flags.DurationVar(&f.server.Timeout, "timeout", 2*time.Minute, "`TIME` for a request")
	flags.Float64Var(&f.Filter.Rouge, "rouge", 0.7, "reject an instruction or text with ROUGE-L `X` or more with another, 0 for none")
	flags.Float64Var(&f.Filter.MinHash, "minhash", 0.8, "reject a record that shares `X` of its passages with another, 0 for none")
	flags.StringVar(&f.Filter.Language, "language", "", "reject records of another language than `CODE`, such as en")
	flags.IntVar(&f.Filter.MinWords, "min-words", 4, "reject instructions and texts of fewer than `N` words")
	flags.IntVar(&f.Filter.MaxWords, "max-words", 0, "reject longer ones than `N` words, 0 for none (default 150; textbook: none)")
	flags.StringArrayVar(&f.Filter.Never, "never", nil, "reject records that match `REGEXP`; may be repeated")
	flags.BoolVar(&f.noRules, "no-rules", false, "keep tasks about pictures, files and other things that text lacks")
	flags.StringArrayVar(&f.Filter.Held, "held", nil, "reject records with 13 words in a row of `FILE`, which is for evaluation; may be repeated")
	flags.StringVar(&f.rewardModel, "reward-model", "", "`DIR` of a reward model, whose number each record gets")
	flags.Float64Var(&f.minReward, "min-reward", 0, "reject records with less than `X`")
	complete(c, "out", directories)
	complete(c, "method", fixed(bootstrap.Methods()...))
	complete(c, "seeds", filesWith("jsonl", "json", "txt", "csv", "tsv"))
	complete(c, "reward-model", models)
	return c
}
