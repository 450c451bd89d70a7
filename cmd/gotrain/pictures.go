package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/diffusion"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
)

// pictureFlags say how a picture is drawn.
type pictureFlags struct {
	out, sampler, negative, image, mask string
	control                             string
	contours                            bool
	strengthOfControl                   float64
	steps                               int
	guidance, strength                  float64
	strip, average                      bool
	names                               []string
}

func (f *pictureFlags) add(c *cobra.Command) {
	var own pflag.FlagSet
	own.StringVar(&f.out, "out", "", "of pictures, the PNG `FILE` to write")
	own.IntVar(&f.steps, "steps", 20, "of pictures, `N` steps from noise to the picture")
	own.Float64Var(&f.guidance, "guidance", 2, "of pictures, `X` is the weight of the prompt; 1 is that of training, and takes half the time")
	own.StringVar(&f.sampler, "sampler", diffusion.DDIM, "of pictures, `NAME` is "+strings.Join(diffusion.Methods, ", "))
	own.StringVar(&f.negative, "negative", "", "of pictures, what they are steered away from")
	own.StringVar(&f.image, "image", "", "of pictures, draw this `FILE` anew")
	own.Float64Var(&f.strength, "strength", 0.8, "with --image, `X` in (0, 1] is how much of it changes")
	own.StringVar(&f.mask, "mask", "", "with --image, a picture `FILE` that is white where it may change")
	own.StringVar(&f.control, "control", "", "of pictures with a ControlNet, the condition `FILE`, such as contours or depths")
	own.BoolVar(&f.contours, "contours", false, "with --control, take the contours of the picture in its place")
	own.Float64Var(&f.strengthOfControl, "control-strength", 1, "with --control, `X` is how much it counts")
	own.BoolVar(&f.strip, "strip", false, "of pictures, show the way there: a line of steps for each")
	own.BoolVar(&f.average, "average", true, "of pictures, draw with the running averages of the run, if it kept some")
	own.VisitAll(func(flag *pflag.Flag) { f.names = append(f.names, flag.Name) })
	c.Flags().AddFlagSet(&own)
	complete(c, "sampler", fixed(diffusion.Methods...))
}

// refuse reports flags of pictures on a model of texts.
func (f *pictureFlags) refuse(c *cobra.Command) error {
	for _, name := range f.names {
		if c.Flags().Changed(name) {
			return usagef("--%s is for models that draw pictures, runs of recipe diffusion and directories of diffusers", name)
		}
	}
	return nil
}

// picturesDrawn is what --json prints.
type picturesDrawn struct {
	Model    string   `json:"model"`
	Out      string   `json:"out"`
	Prompts  []string `json:"prompts"`
	Seed     uint64   `json:"seed"`
	Sampler  string   `json:"sampler"`
	Steps    int      `json:"steps"`
	Guidance float64  `json:"guidance"`
	Averaged bool     `json:"averaged"`
}

// maxDrawn bounds the pictures of a grid.
const maxDrawn = 1024

// runPictures draws each line of a prompt, --count times.
func (f *sampleFlags) runPictures(c *cobra.Command, dir string) error {
	for _, name := range append([]string{"stop", "no-bos", "context", "beam", "length-penalty"}, samplingNames...) {
		if c.Flags().Changed(name) && name != "seed" {
			return usagef("--%s is for models that write texts: pictures take --steps, --guidance, --sampler, --seed and --count", name)
		}
	}
	p := f.pictures
	switch {
	case p.out == "":
		return usagef("--out is missing: name the PNG file to write")
	case p.image == "" && (p.mask != "" || c.Flags().Changed("strength")):
		return usagef("--mask and --strength go with --image")
	case p.control == "" && (p.contours || c.Flags().Changed("control-strength")):
		return usagef("--contours and --control-strength go with --control")
	case !(p.strength > 0 && p.strength <= 1) || !(p.guidance >= 0):
		return usagef("--strength is %g and --guidance %g; use a strength in (0, 1] and a guidance of 0 or more", p.strength, p.guidance)
	}
	if err := checkPrecision(f.precision); err != nil {
		return err
	}
	text, err := f.readPrompt(c.InOrStdin())
	if err != nil {
		return err
	}
	var prompts []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		for range f.count {
			prompts = append(prompts, line)
		}
	}
	if len(prompts) > maxDrawn {
		return usagef("--count: these are %d pictures; %d are the most", len(prompts), maxDrawn)
	}
	device, _, err := device.Open(f.device, 0, device.Collectives{})
	if err != nil {
		return err
	}
	defer device.Close()
	store := exec.NewStore(device)
	model, averaged, err := pipeline.Open(vfs.OS{}, dir, store, pipeline.Options{Average: p.average, LoRA: f.adapter})
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	if _, err := model.Process.Sampler(p.sampler, p.steps, 0); err != nil {
		return usagef("--sampler, --steps: %w", err)
	}
	d := pipeline.NewDrawer(model, min(len(prompts), 16), config.Config{Precision: f.precision}.Compute(), nil)
	d.SetStrength(p.strengthOfControl)
	if err := d.Ready(store); err != nil {
		return err
	}
	grid, err := p.draw(c.Context(), d, model, prompts, f.asked.Seed, c.ErrOrStderr())
	if err != nil {
		return interrupted(err)
	}
	return f.drawn(c.OutOrStdout(), grid, len(prompts), picturesDrawn{dir, p.out, prompts, f.asked.Seed, p.sampler, p.steps, p.guidance, averaged})
}
