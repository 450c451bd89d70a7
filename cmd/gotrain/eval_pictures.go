package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
)

// picturesScored is what --json prints. What needs captions is 0 without.
type picturesScored struct {
	Model     string  `json:"model"`
	Judge     string  `json:"judge"`
	Pictures  int     `json:"pictures"`
	Retrieved float64 `json:"retrieved"` // share of drawn pictures whose nearest caption is their own
	Real      float64 `json:"real"`      // the same of the pictures of --data
	Chance    float64 `json:"chance"`
	Agreement float64 `json:"agreement"` // mean cosine of drawn pictures with their captions
	FID       float64 `json:"fid"`
	KID       float64 `json:"kid"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
}

// runPictures compares what a model draws with the pictures of --data, as --judge sees them.
func (f *evalFlags) runPictures(c *cobra.Command) error {
	if err := checkPrecision(f.precision); err != nil {
		return err
	}
	device, _, err := device.Open(f.device, 0, device.Collectives{})
	if err != nil {
		return err
	}
	defer device.Close()
	judge, err := hub.Load(f.judge, "", device, vfs.OS{}, zoo.Families())
	if err != nil {
		return usagef("--judge: %w", err)
	}
	pair, ok := judge.Model.(*clip.Pair)
	if !ok {
		return usagef("--judge: a model of family %s knows no pictures with captions: name a run of recipe clip", judge.Model.Family())
	}
	tokens, err := tokenizers.Open(judge.Dir)
	if err != nil {
		return usagef("--judge: %w", err)
	}
	own := pair.Config().(*clip.PairConfig)
	cfg := picture.Config{Paths: f.data, Size: own.Picture.Size, Grey: own.Picture.Channels == 1, Captions: true}
	real, err := f.readPictures(c, cfg)
	if err != nil {
		return err
	}
	rand.New(rand.NewPCG(0, 0)).Shuffle(len(real), func(i, j int) { real[i], real[j] = real[j], real[i] })
	if f.limit > 0 {
		real = real[:min(f.limit, len(real))]
	}
	e := clip.NewEmbedder(pair, 16, config.Config{Precision: f.precision}.Compute())
	if err := e.Ready(judge.Store); err != nil {
		return err
	}
	s := picturesScored{Model: f.model, Judge: judge.Dir, Pictures: len(real)}
	drawn, captioned, err := f.drawAll(c.Context(), device, cfg, real)
	if err != nil {
		return err
	}
	if err := s.score(e, tokens.Tokenizer, drawn, real, captioned); err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), s)
	}
	return s.print(c.OutOrStdout(), captioned)
}

// drawAll draws as many pictures as there are real ones, by their captions where the model reads
// some, in the judge's size.
func (f *evalFlags) drawAll(ctx context.Context, device exec.Backend, cfg picture.Config, real []picture.Picture) (drawn []byte, captioned bool, err error) {
	dir, captioned := pipeline.Locate(f.model)
	if !captioned {
		m, err := f.open()
		if err != nil {
			return nil, false, err
		}
		defer m.Close()
		if !noiseKind().has(m.Model) {
			return nil, false, usagef("--judge is for models that draw; one of family %s does not", m.Model.Family())
		}
		d, err := m.noiseDrawer()
		if err != nil {
			return nil, false, err
		}
		rng := rand.New(rand.NewPCG(0, 0))
		for range real {
			_, pixels, err := d.random(rng)
			if err != nil {
				return nil, false, err
			}
			drawn = append(drawn, picture.Fit(cfg, pixels, d.side, d.channels)...)
		}
		return drawn, false, nil
	}
	store := exec.NewStore(device)
	model, _, err := pipeline.Open(vfs.OS{}, dir, store, pipeline.Options{Average: true, LoRA: f.adapter})
	if err != nil {
		return nil, true, fmt.Errorf("--model: %w", err)
	}
	d := pipeline.NewDrawer(model, 16, config.Config{Precision: f.precision}.Compute(), nil)
	if err := d.Ready(store); err != nil {
		return nil, true, err
	}
	for first := 0; first < len(real); first += 16 {
		var r = pipeline.Request{Guidance: 3, Method: "ddim", Steps: 20, Seed: uint64(first)}
		for _, p := range real[first:min(first+16, len(real))] {
			r.Prompts = append(r.Prompts, p.Caption)
		}
		pictures, err := d.Draw(ctx, r)
		if err != nil {
			return nil, true, interrupted(err)
		}
		for _, pixels := range pictures {
			drawn = append(drawn, picture.Fit(cfg, pixels, model.Side, model.Channels())...)
		}
	}
	return drawn, true, nil
}
