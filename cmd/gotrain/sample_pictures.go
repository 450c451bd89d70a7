package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"slices"

	"example.com/gotrain/data/picture"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/pipeline"
	"example.com/gotrain/train/console"
)

// The most pictures of a line.
const (
	columnsOfGrid  = 8
	columnsOfStrip = 10
)

// drawn writes n pictures to --out and tells of them, with --json what told says.
func (f *sampleFlags) drawn(w io.Writer, grid *image.RGBA, n int, told any) error {
	out := f.pictures.out
	if err := vfs.WriteFile(vfs.OS{}, out, func(w io.Writer) error { return png.Encode(w, grid) }); err != nil {
		return err
	}
	if f.json {
		return writeJSON(w, told)
	}
	_, err := fmt.Fprintf(w, "%s: %d × %d pixels, %d pictures\n", out, grid.Bounds().Dx(), grid.Bounds().Dy(), n)
	return err
}

// draw draws all prompts, as many at a time as d does.
func (f pictureFlags) draw(ctx context.Context, d *pipeline.Drawer, m *pipeline.Pipeline, prompts []string, seed uint64, notes io.Writer) (*image.RGBA, error) {
	r := pipeline.Request{Guidance: f.guidance, Method: f.sampler, Steps: f.steps, Negative: f.negative, Strength: f.strength}
	var err error
	if f.image != "" {
		r.Picture, err = picture.ReadFile(f.image, m.Side, m.Channels())
	}
	if f.mask != "" && err == nil {
		r.Mask, err = picture.ReadFile(f.mask, m.Side, 1)
	}
	condition, fault := f.condition(m)
	if err = errors.Join(err, fault); err != nil {
		return nil, usageError{err}
	}
	var all [][]byte
	columns, done, live := columnsOfGrid, 0, console.Terminal(notes)
	for batch := range slices.Chunk(prompts, d.Rows()) {
		var lines [][][]byte // of a strip, by look
		r.Prompts, r.Seed = batch, seed+uint64(done)
		if condition != nil {
			r.Conditions = slices.Repeat([][]byte{condition}, len(batch))
		}
		r.Each = func(look, of int, pictures func() ([][]byte, error)) error {
			if live {
				fmt.Fprintf(notes, "\rstep %d/%d ", look, of)
			}
			if !f.strip || look*min(of, columnsOfStrip)/of == (look-1)*min(of, columnsOfStrip)/of {
				return nil
			}
			told, err := pictures()
			lines = append(lines, told)
			return err
		}
		drawn, err := d.Draw(ctx, r)
		if err != nil {
			return nil, err
		}
		done += len(batch)
		if !f.strip {
			all = append(all, drawn...)
			continue
		}
		lines[len(lines)-1] = drawn
		columns = len(lines)
		for i := range batch {
			for _, told := range lines {
				all = append(all, told[i])
			}
		}
	}
	if live {
		fmt.Fprintln(notes)
	}
	if len(all) == 0 {
		return nil, errors.New("there is nothing to draw")
	}
	return picture.Grid(all, m.Side, columns), nil
}

// condition is that of --control, nil without one.
func (f pictureFlags) condition(m *pipeline.Pipeline) ([]byte, error) {
	switch {
	case f.control == "" && m.Control == nil:
		return nil, nil
	case m.Control == nil:
		return nil, errors.New("--control is for models with a ControlNet, which gotrain finetune trains by recipe.control")
	case f.control == "":
		return nil, errors.New("--control is missing: the model has a ControlNet; name the picture that it heeds")
	}
	pixels, err := picture.ReadFile(f.control, m.Side, pipeline.ConditionChannels)
	if err != nil || !f.contours {
		return pixels, err
	}
	picture.Coloured(pixels, picture.Canny{Low: 100, High: 200}.Contours(pixels, m.Side, m.Side, pipeline.ConditionChannels))
	return pixels, nil
}
