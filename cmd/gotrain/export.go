package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/convert"
	"example.com/gotrain/nn/hub/gguf"
	"example.com/gotrain/nn/pipeline"
)

// exportTypes are the values of --type; those with a q are of the format gguf alone.
var exportTypes = []string{"f32", "f16", "bf16", "q8_0", "q6_k", "q4_k", "q4_0"}

// ggufTypes are what they stand for.
var ggufTypes = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "bf16": gguf.BF16, "q8_0": gguf.Q8_0, "q6_k": gguf.Q6_K, "q4_k": gguf.Q4_K, "q4_0": gguf.Q4_0}

func newExport() *cobra.Command {
	var f convertFlags
	var format, kind, measure string
	c := &cobra.Command{
		Use:   "export SRC DST",
		Short: "Turn a checkpoint into a Hugging Face directory, a GGUF file or a low-rank adapter",
		Long: `Export writes a model for other programs: --format hf is a directory that
transformers and vLLM load, --format gguf a file that llama.cpp loads, with the
tokenizer and its chat template.

Of a run that was trained with lora, base and adapter are merged: W + scale·B·A in
float32, rounded once to the type that the base has, such as bf16, or to --type.
--format peft writes the adapter alone, for PeftModel.from_pretrained. --adapter
merges an adapter into another model, and --unmerge takes it, or that of a
checkpoint with lora.merge, out of merged weights again, to within rounding.

SRC is a checkpoint, or a run, whose newest checkpoint is taken. DST must not
exist; after a failure nothing is left of it. parity.json in it, or beside the
file, tells how far logits and greedy text are from those of SRC: 0 unless
numbers are rounded.

--type q8_0, q6_k, q4_k and q4_0 are 8.5, 6.6, 4.5 and 4.5 bits a weight, as
llama.cpp's quantizer makes them: its types for a head and for rows that are no
whole blocks, the same one for all other matrices. How far the weights are off is
printed, and with --measure FILE how much worse the text of FILE is predicted.

A run of recipe diffusion with an autoencoder is written as a directory that
diffusers' StableDiffusionPipeline loads, with the averages of the run, if any.`,
		Example: `  gotrain export runs/chat models/chat-hf --type bf16
  gotrain export runs/chat chat.gguf --type q8_0
  gotrain export runs/chat chat-q4.gguf --type q4_k --measure held-out.txt
  gotrain export runs/chat/checkpoints/step-00001000 chat.gguf --type f16 --verify=false
  gotrain export runs/chat adapters/chat --format peft
  gotrain export runs/latent models/latent
  gotrain export models/smollm2 merged.gguf --adapter adapters/chat`,
		Args: twoArgs("SRC and DST"),
		RunE: func(c *cobra.Command, args []string) error {
			if dir, ok := pipeline.Locate(args[0]); ok {
				return f.exportPictures(c, dir, args[1], format)
			}
			opt, err := exportOptions(args[1], format, kind)
			if err != nil {
				return usageError{err}
			}
			src, err := hub.FindCheckpoint(args[0])
			if err != nil {
				return usageError{err}
			}
			if opt.Format == convert.PEFT {
				return f.exportAdapter(c, src, args[1], opt)
			}
			if opt.Measure, err = readMeasured(measure, f.verify); err != nil {
				return usageError{err}
			}
			if f.unmerge && f.adapter == "" && !hub.IsAdapter(src) {
				f.adapter = src
			}
			return f.convert(c, src, args[1], opt)
		},
	}
	c.Flags().StringVar(&format, "format", "", "`NAME` is hf, gguf or peft (default: gguf where DST ends in .gguf, else hf); of what draws pictures, its adapters alone are a file by lora (diffusers) and kohya")
	c.Flags().BoolVar(&f.unmerge, "unmerge", false, "take the adapter of SRC, or that of --adapter, out of the weights")
	c.Flags().StringVar(&kind, "type", "", "of the numbers, `NAME` is f32, f16, bf16 or, in gguf, q8_0, q6_k, q4_k, q4_0 (default: as in SRC)")
	c.Flags().StringVar(&measure, "measure", "", "text `FILE` whose NLL is computed before and after, up to 4,096 tokens of it")
	complete(c, "format", fixed("hf", "gguf", "peft", formatLoRA, formatKohya))
	complete(c, "type", fixed(exportTypes...))
	f.add(c)
	return c
}

// exportAdapter writes the adapter of a checkpoint alone.
func (f *convertFlags) exportAdapter(c *cobra.Command, src, dst string, opt convert.Options) error {
	if f.adapter != "" || f.unmerge || f.tokenizer != "" {
		return usagef("--format peft writes the adapter of SRC alone; leave --adapter, --unmerge and --tokenizer out")
	}
	dir, err := hub.FindAdapter(src)
	if err != nil {
		return usageError{err}
	}
	r, err := convert.ExportAdapter(c.Context(), dir, dst, opt, convertDeps())
	return f.report(c, r, err)
}

// exportOptions reads --format and --type.
func exportOptions(dst, format, kind string) (convert.Options, error) {
	opt := convert.Options{Format: convert.Format(format)}
	if format == "" {
		opt.Format = convert.HuggingFace
		if strings.HasSuffix(dst, ".gguf") {
			opt.Format = convert.GGUF
		}
	}
	if !slices.Contains([]convert.Format{convert.HuggingFace, convert.GGUF, convert.PEFT}, opt.Format) {
		return opt, fmt.Errorf("--format is %q; use hf, gguf or peft", format)
	}
	if kind == "" {
		return opt, nil
	}
	if !slices.Contains(exportTypes, kind) {
		return opt, fmt.Errorf("--type is %q; use %s", kind, strings.Join(exportTypes, ", "))
	}
	t := ggufTypes[kind]
	if strings.HasPrefix(kind, "q") && opt.Format != convert.GGUF {
		return opt, fmt.Errorf("--type %s goes with --format gguf; use f32, f16 or bf16", kind)
	}
	opt.Type = &t
	return opt, nil
}
