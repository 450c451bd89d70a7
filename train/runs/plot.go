package runs

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"example.com/gotrain/train/metrics"
)

// Series is one line of a plot.
type Series struct {
	Name   string
	Points []Point
}

// Point is a step and what was measured there.
type Point struct{ X, Y float64 }

// SeriesOf returns a metric of runs, a series for each split that has it, of one split
// unless split is "". A metric that none has is an error that names those there are.
func SeriesOf(list []*Run, metric string, split metrics.Split) ([]Series, error) {
	var all []Series
	names := map[string]bool{}
	for _, r := range list {
		for _, s := range []metrics.Split{metrics.Train, metrics.Val} {
			if split != "" && s != split {
				continue
			}
			series := Series{Name: filepath.Base(r.Dir) + " " + string(s)}
			for _, rec := range r.Records {
				if rec.Split != s {
					continue
				}
				for _, c := range rec.Columns() {
					if math.IsNaN(c.Value) {
						continue
					}
					names[c.Name] = true
					if c.Name == metric {
						series.Points = append(series.Points, Point{float64(rec.Step), c.Value})
					}
				}
			}
			if len(series.Points) > 0 {
				all = append(all, series)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if len(names) == 0 {
		return nil, errors.New("nothing is on record yet")
	}
	var known []string
	for name := range names {
		known = append(known, name)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("no run has the metric %q; there are: %s", metric, strings.Join(known, ", "))
}

// palette has colours that stay apart for people with any kind of colour vision (Okabe
// and Ito 2008).
var palette = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255},
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

// WritePlot draws series over the steps as png or svg, 900 × 540 points large.
func WritePlot(w io.Writer, format, metric string, series []Series) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "step", metric
	p.Legend.Top, p.Legend.XOffs = true, vg.Points(-8)
	p.X.Min = 0
	p.Add(plotter.NewGrid())
	for i, s := range series {
		points := make(plotter.XYs, len(s.Points))
		for j, pt := range s.Points {
			points[j] = plotter.XY{X: pt.X, Y: pt.Y}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("plot %s: %w", s.Name, err)
		}
		line.Color = palette[i%len(palette)]
		line.Width = vg.Points(1.5)
		if i >= len(palette) {
			line.Dashes = []vg.Length{vg.Points(6), vg.Points(3)}
		}
		p.Add(line)
		if len(s.Points) <= 50 {
			dots.Color, dots.Shape = line.Color, draw.CircleGlyph{}
			p.Add(dots)
		}
		p.Legend.Add(s.Name, line)
	}
	out, err := p.WriterTo(vg.Points(900), vg.Points(540), format)
	if err != nil {
		return err
	}
	_, err = out.WriteTo(w)
	return err
}
