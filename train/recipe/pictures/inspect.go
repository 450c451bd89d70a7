package pictures

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"

	"example.com/gotrain/data"
	"example.com/gotrain/data/picture"
	"example.com/gotrain/train/recipe"
)

// sheetSide is the number of pictures of a side of a contact sheet.
const sheetSide = 8

// Contact is a contact sheet: pictures as the model gets them, from a sample on.
type Contact struct {
	Split    string      `json:"split"`
	Sample   uint64      `json:"sample"`
	Train    int         `json:"train"` // pictures to learn from
	Held     int         `json:"held"`  // and held out
	Pictures []Contacted `json:"pictures"`
	Damaged  []string    `json:"damaged,omitempty"` // files that were left out
	sheet    image.Image
}

// Contacted is a picture of the sheet.
type Contacted struct {
	File    string `json:"file"`
	Number  int64  `json:"number"` // in the file
	Caption string `json:"caption,omitempty"`
}

// Inspect makes the contact sheet of a view.
func Inspect(_ context.Context, env recipe.Env, v recipe.View) (recipe.Inspection, error) {
	set, err := Read(env)
	if err != nil {
		return nil, err
	}
	Tell(env, set, "")
	c, p := env.Config, Section(env.Config)
	l := &picture.Loader{Rows: data.Rows{Batch: sheetSide * sheetSide}, Config: p, Set: set.Train, Seed: c.Run.Seed}
	if v.Split != "train" {
		l.Set, l.Held = set.Held, true
	}
	batch := l.NewBatch()
	if err := l.Fill(batch, v.Sample); errors.Is(err, io.EOF) || len(l.Set) == 0 {
		return nil, fmt.Errorf("%w: %s has %d pictures, there is no number %d", recipe.ErrView, v.Split, len(l.Set), v.Sample)
	} else if err != nil {
		return nil, err
	}
	sheet := &Contact{Split: v.Split, Sample: v.Sample, Train: len(set.Train), Held: len(set.Held)}
	for _, err := range set.Damaged {
		sheet.Damaged = append(sheet.Damaged, err.Error())
	}
	for i := range batch.Rows {
		if at, _, ok := l.Pick(v.Sample + uint64(i)); ok {
			from := l.Set[at]
			sheet.Pictures = append(sheet.Pictures, Contacted{from.Origin.File, from.Origin.Offset, from.Caption})
		}
	}
	shown := make([][]byte, sheetSide*sheetSide)
	for i := range sheet.Pictures {
		shown[i] = batch.Raw[picture.Field][i*p.Bytes():][:p.Bytes()]
	}
	sheet.sheet = picture.Grid(shown, p.Size, sheetSide)
	return sheet, nil
}

// Sheet is the picture of all.
func (c *Contact) Sheet() image.Image { return c.sheet }

// Print writes a line for each picture.
func (c *Contact) Print(w io.Writer, _ bool) error {
	fmt.Fprintf(w, "%d pictures to learn from, %d held out, %d damaged files left out; %s from %d on\n", c.Train, c.Held, len(c.Damaged), c.Split, c.Sample)
	for i, p := range c.Pictures {
		fmt.Fprintf(w, "%6d  %s %d  %s\n", c.Sample+uint64(i), p.File, p.Number, p.Caption)
	}
	for _, d := range c.Damaged {
		fmt.Fprintln(w, "damaged", d)
	}
	_, err := fmt.Fprintln(w, "--out FILE.png draws them")
	return err
}
