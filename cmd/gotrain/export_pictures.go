package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/train/device"
)

// Formats of the low-rank adapters of what draws pictures.
const (
	formatLoRA  = "lora"
	formatKohya = "kohya"
)

// exportPictures writes what draws pictures as a directory of diffusers.
func (f *convertFlags) exportPictures(c *cobra.Command, src, dst, format string) error {
	alone := format == formatLoRA || format == formatKohya
	if format != "" && format != "hf" && !alone {
		return usagef("--format is %q: what draws pictures is written as diffusers has it, --format hf, and its adapters alone by lora and kohya", format)
	}
	var other string
	c.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name != "format" && flag.Name != "adapter" {
			other = flag.Name
		}
	})
	if other != "" {
		return usagef("--%s is for models of text: leave it out", other)
	}
	device, _, err := device.Open("cpu", 0, device.Collectives{})
	if err != nil {
		return err
	}
	defer device.Close()
	store := exec.NewStore(device)
	p, averaged, err := pipeline.Open(vfs.OS{}, src, store, pipeline.Options{Average: true, LoRA: f.adapter})
	if err != nil {
		return err
	}
	if alone {
		if err := pipeline.ExportLoRA(vfs.OS{}, dst, p, store, format == formatKohya); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: low-rank adapters of %s, as %s has them\n", dst, src, map[bool]string{true: "kohya", false: "diffusers"}[format == formatKohya])
		return err
	}
	if err := pipeline.Export(vfs.OS{}, dst, p, store); err != nil {
		return err
	}
	weights := "weights"
	if averaged {
		weights = "averaged weights"
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s of %s, for diffusers' StableDiffusionPipeline\n", dst, weights, src)
	return err
}
