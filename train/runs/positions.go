package runs

import (
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// WritePositions draws losses over the position in the context, counted from 1 on a
// logarithmic axis, as png or svg, 900 × 540 points large. Series come in pairs of one
// colour, the second of which is dashed.
func WritePositions(w io.Writer, format string, series []Series) error {
	p := logPlot("loss by position in the context", "tokens of context")
	for i, s := range series {
		points := make(plotter.XYs, len(s.Points))
		for j, pt := range s.Points {
			points[j] = plotter.XY{X: pt.X, Y: pt.Y}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = palette[i/2%len(palette)], vg.Points(1.5)
		if i%2 == 1 {
			line.Dashes = []vg.Length{vg.Points(6), vg.Points(3)}
		}
		p.Add(line)
		p.Legend.Add(s.Name, line)
	}
	p.X.Tick.Marker = plot.LogTicks{Prec: -1}
	out, err := p.WriterTo(vg.Points(900), vg.Points(540), format)
	if err != nil {
		return err
	}
	_, err = out.WriteTo(w)
	return err
}
