package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn/clip"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/train/eval"
)

// readPictures reads the pictures of --data, for a model that reads captions those that have one.
func (f *evalFlags) readPictures(c *cobra.Command, cfg picture.Config) ([]picture.Picture, error) {
	if err := require(c, "data"); err != nil && len(cfg.Paths) == 0 {
		return nil, usageError{err}
	}
	set, err := picture.Read(cfg, 0)
	if err != nil {
		return nil, usagef("--data: %w", err)
	}
	real := set.Train
	if _, captioned := pipeline.Locate(f.model); captioned {
		if real = slices.DeleteFunc(real, func(p picture.Picture) bool { return p.Caption == "" }); len(real) == 0 {
			return nil, usagef("--data: none of the pictures has a caption to draw by; each needs a text file beside it, such as a.txt beside a.png")
		}
	}
	return real, nil
}

// score embeds drawn and real pictures, and what the latter are called.
func (s *picturesScored) score(e *clip.Embedder, tokens data.Tokenizer, drawn []byte, real []picture.Picture, captioned bool) error {
	var pixels []byte
	for _, p := range real {
		pixels = append(pixels, p.Pixels...)
	}
	places, seen, err := e.Pictures(drawn)
	if err != nil {
		return err
	}
	realPlaces, realSeen, err := e.Pictures(pixels)
	if err != nil {
		return err
	}
	like, err := eval.NewLikeness(seen, realSeen, len(seen)/max(len(real), 1))
	if err != nil {
		return usagef("--data: %w", err)
	}
	s.FID, s.KID, s.Precision, s.Recall = like.FID, like.KID, like.Precision, like.Recall
	if !captioned {
		return nil
	}
	var ids []int32
	var texts []string
	end := tokens.Frame().After[0]
	for _, p := range real {
		texts = append(texts, p.Caption)
		ids = append(ids, tokenizers.Caption(tokens, p.Caption, e.Model.Context(), end)...)
	}
	captions, _, err := e.Captions(ids, end)
	if err != nil {
		return err
	}
	width := len(captions) / len(texts)
	found := func(places []float32) (share float64) {
		for i, at := range clip.Nearest(places, captions, width) {
			if texts[at] == texts[i] {
				share += 1 / float64(len(texts))
			}
		}
		return share
	}
	s.Retrieved, s.Real = found(places), found(realPlaces)
	distinct := map[string]bool{}
	for i, text := range texts {
		distinct[text] = true
		for k := range width {
			s.Agreement += float64(places[i*width+k]) * float64(captions[i*width+k]) / float64(len(texts))
		}
	}
	s.Chance = 1 / float64(len(distinct))
	return nil
}

func (s *picturesScored) print(w io.Writer, captioned bool) error {
	fmt.Fprintf(w, "%s: %d pictures, judged by %s\n", s.Model, s.Pictures, s.Judge)
	if captioned {
		fmt.Fprintf(w, "retrieved  %.3f of drawn pictures find their caption, %.3f of real ones; chance is %.4f\nagreement  %.3f mean cosine with the caption\n", s.Retrieved, s.Real, s.Chance, s.Agreement)
	}
	_, err := fmt.Fprintf(w, "likeness   FID %.4g, KID %.4g, precision %.3f, recall %.3f, by what this judge sees\n", s.FID, s.KID, s.Precision, s.Recall)
	return err
}
