package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/pipeline"
)

// sampleFlags say what to continue and how.
type sampleFlags struct {
	modelFlags
	samplingFlags
	beamFlags
	pictures           pictureFlags
	prompt, promptFile string
	stop               []string
	count, batch       int
}

func newSample() *cobra.Command {
	var f sampleFlags
	c := &cobra.Command{
		Use:   "sample",
		Short: "Continue a prompt with a trained model, or draw it",
		Long: `Sample prints the prompt and how the model goes on, as it comes.

The prompt is read as transformers' tokenizers do when they are called: special
tokens that it spells are found, and what the tokenizer puts before a text, such as
BOS, stands before it; an empty prompt begins from BOS.

The same seed, prompt and weights give the same text. The text ends with one of the
model's end tokens, before a --stop, or after --max-tokens. Where it outgrows the
context, the newest half of it is what the model reads on from.

An encoder with a decoder gives a text for each line of the prompt, such as its
translation: the likeliest that a search with --beam finds, up to --max-tokens.

A model that fills masks puts its likeliest tokens into each [MASK] of the prompt and
shows the --top-k (5) candidates; a classifier tells the classes of the prompt.

A model of recipe diffusion, or a directory of diffusers, draws each line of the
prompt into --out; several pictures are a grid. --image draws a picture anew; with a
ControlNet --control is the picture of contours or depths that is heeded.
A GAN and a VAE draw without a prompt; a VAE tells --image again.`,
		Example: `  gotrain sample --model runs/opticks --prompt "The Rays of Light"
  gotrain sample --model models/smollm2 --adapter adapters/tuned --prompt "Gravity is"
  gotrain sample --model runs/opticks --prompt-file start.txt --count 3 --stop $'\n\n'
  gotrain sample --model models/smollm2 --prompt "Once" --count 16 --batch 16
  gotrain sample --model runs/translate --prompt "the rays of light" --beam 8
  gotrain sample --model runs/shapes-gan --count 64 --out shapes.png
  gotrain sample --model runs/shapes-diffusion --prompt "red circle" --count 8 --out circles.png
  gotrain sample --model runs/control --prompt "blue" --control photo.png --contours --out blue.png
  echo "func main() {" | gotrain sample --model runs/go-source-12m --prompt - --greedy`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "model"); err != nil {
				return usageError{err}
			}
			if k, ok := f.unprompted(); ok {
				return k.sample(&f, c)
			}
			if c.Flags().Changed("prompt") == (f.promptFile != "") {
				return usagef("%s needs --prompt or --prompt-file, one of them; see %s --help", c.CommandPath(), c.CommandPath())
			}
			if f.count < 1 {
				return usagef("--count is %d; use 1 or more", f.count)
			}
			if f.batch < 1 || f.batch > maxBatch {
				return usagef("--batch %d is outside [1, %d]", f.batch, maxBatch)
			}
			if dir, ok := pipeline.Locate(f.model); ok {
				return f.runPictures(c, dir)
			}
			k, err := f.kind(func(k kind) bool { return k.sample != nil })
			if err := errors.Join(f.pictures.refuse(c), err); err != nil {
				return err
			}
			return k.sample(&f, c)
		},
	}
	f.modelFlags.add(c)
	f.addBOS(c)
	f.addContext(c)
	c.Flags().StringVar(&f.prompt, "prompt", "", "`TEXT` to continue, - for standard input")
	c.Flags().StringVar(&f.promptFile, "prompt-file", "", "`FILE` with the text to continue, all of it")
	c.Flags().StringArrayVar(&f.stop, "stop", nil, "end the text before `TEXT`; may be repeated")
	c.Flags().IntVar(&f.count, "count", 1, "`N` texts, each with the next seed (--num-samples, too)")
	c.Flags().IntVar(&f.batch, "batch", 1, "write `N` of the texts at once, which is faster; they end with the context")
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "num-samples" {
			name = "count"
		}
		return pflag.NormalizedName(name)
	})
	f.pictures.add(c)
	f.beamFlags.add(c, "with an encoder and a decoder, ")
	f.samplingFlags.add(c, 128, "at most `N` new tokens, 0 for as many as the context holds", generate.Sampling{Temperature: 0.8, TopP: 1})
	return c
}

// runText continues a prompt with a language model.
func (f *sampleFlags) runText(c *cobra.Command) error {
	if err := errors.Join(refusePairFlags(c), f.resolve()); err != nil {
		return err
	}
	text, err := f.readPrompt(c.InOrStdin())
	if err != nil {
		return err
	}
	m, err := f.openLanguage()
	if err != nil {
		return err
	}
	defer m.Close()
	prompts := m.prompts()
	prompt, err := prompts.Encode(text)
	if err != nil {
		return usagef("--prompt: %w; give a prompt", err)
	}
	if prompts.Doubled(text) {
		fmt.Fprintf(c.ErrOrStderr(), "note: the prompt begins with %q, before which the tokenizer puts another; --no-bos leaves that out\n", m.Tokenizer.TokenBytes(prompts.Before[0]))
	}
	if limit := m.Language.Context(); len(prompt) > limit {
		fmt.Fprintf(c.ErrOrStderr(), "note: the prompt has %d tokens, the model's context is %d: it reads the newest of them\n", len(prompt), limit)
		if f.maxTokens == 0 {
			return usagef("--max-tokens 0 goes on to the end of the context, which the prompt fills; give a number")
		}
	}
	cfg := generate.Config{Compute: m.config.Compute()}
	s := sampler{flags: f, model: m, text: text, prompt: prompt, out: c.OutOrStdout(), notes: c.ErrOrStderr()}
	if f.batch > 1 {
		if f.maxTokens > 0 { // caches need not be longer than the texts
			cfg.Context = min(m.Language.Context(), (len(prompt)+f.maxTokens+63)/64*64)
		}
		b, err := generate.NewBatch(m.Language, m.Store, generate.BatchConfig{Config: cfg, Rows: f.batch})
		if err != nil {
			return err
		}
		return s.runBatch(c.Context(), b)
	}
	if s.generator, err = generate.New(m.Language, m.Store, cfg); err != nil {
		return err
	}
	return s.run(c.Context())
}
