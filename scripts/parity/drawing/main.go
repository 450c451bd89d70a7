// Command drawing draws a prompt with a pipeline from noise that a file has, float32 as diffusers
// has it, (C, H, W), and writes the picture's bytes, (H, W, C), for drawing.py to compare.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/pipeline"
)

func main() {
	model := flag.String("model", "", "pipeline `DIR`")
	prompt := flag.String("prompt", "", "`TEXT` to draw")
	method := flag.String("sampler", "ddim", "`NAME` of the sampler")
	steps := flag.Int("steps", 10, "`N` of it")
	guidance := flag.Float64("guidance", 1, "weight `X` of the prompt")
	noise := flag.String("noise", "", "`FILE` of noise")
	out := flag.String("out", "", "`FILE` to write")
	flag.Parse()
	r := pipeline.Request{Prompts: []string{*prompt}, Method: *method, Steps: *steps, Guidance: *guidance}
	if err := run(*model, *noise, *out, r); err != nil {
		fmt.Fprintln(os.Stderr, "drawing:", err)
		os.Exit(1)
	}
}

func run(dir, noise, out string, r pipeline.Request) error {
	b, err := cpu.New(cpu.Config{})
	if err != nil {
		return err
	}
	defer b.Close()
	store := exec.NewStore(b)
	found, ok := pipeline.Locate(dir)
	if !ok {
		return fmt.Errorf("%s holds no pipeline", dir)
	}
	p, _, err := pipeline.Open(vfs.OS{}, found, store, pipeline.Options{Average: true})
	if err != nil {
		return err
	}
	d := pipeline.NewDrawer(p, 1, ir.F32, nil)
	if err := d.Ready(store); err != nil {
		return err
	}
	bytes, err := os.ReadFile(noise)
	if err != nil {
		return err
	}
	channels, side, _ := p.Latents()
	r.Noise = make([]float32, channels*side*side)
	if len(bytes) != 4*len(r.Noise) {
		return fmt.Errorf("%s has %d bytes, not those of (%d, %d, %d)", noise, len(bytes), channels, side, side)
	}
	for i := range r.Noise { // a row a pixel
		from := i%channels*side*side + i/channels
		r.Noise[i] = math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*from:]))
	}
	pictures, err := d.Draw(context.Background(), r)
	if err != nil {
		return err
	}
	return os.WriteFile(out, pictures[0], 0o644)
}
