package runs

import (
	"cmp"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"example.com/gotrain/train/scale"
)

// WriteLaws draws points and the laws that are fitted to them as png or svg, 1400 × 560 points large: on the left
// the loss over N, with the parabolas of curves of equal compute; on the right the loss
// over C, with the lowest loss that the law has for each C, its band and the compute-
// optimal sizes.
func WriteLaws(w io.Writer, format string, r *scale.Report, points []scale.Point) error {
	canvas, err := draw.NewFormattedCanvas(vg.Points(1400), vg.Points(560), format)
	if err != nil {
		return err
	}
	l := laws{r, points}
	left, err := l.overSizes()
	if err != nil {
		return err
	}
	right, err := l.overCompute()
	if err != nil {
		return err
	}
	panels := [][]*plot.Plot{{left, right}}
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Points(24), PadTop: vg.Points(6), PadRight: vg.Points(16)}
	for i, c := range plot.Align(panels, tiles, draw.New(canvas))[0] {
		panels[0][i].Draw(c)
	}
	_, err = canvas.WriteTo(w)
	return err
}

// laws are drawn over the points that they are fitted to.
type laws struct {
	*scale.Report
	points []scale.Point
}

func logPlot(title, x string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, "loss, nats per token"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top = true
	p.Legend.XOffs = vg.Points(-8)
	p.Add(plotter.NewGrid())
	return p
}

// shade goes from blue to orange as x goes from 0 to 1.
func shade(x float64) color.RGBA {
	mix := func(a, b float64) uint8 { return uint8(math.Round(a + (b-a)*max(0, min(1, x)))) }
	return color.RGBA{mix(0, 230), mix(90, 140), mix(190, 0), 255}
}

// maxLegend is the most curves that the legend names.
const maxLegend = 8

var ink = color.RGBA{0, 0, 0, 255}

func (r laws) overSizes() (*plot.Plot, error) {
	p := logPlot("curves of equal compute", "N, "+r.Counted)
	spread := math.Log(r.C.High / r.C.Low)
	if err := r.addPoints(p, func(pt scale.Point) float64 { return pt.N }); err != nil {
		return nil, err
	}
	every := len(r.IsoFLOP.Minima)/maxLegend + 1
	for i, m := range r.IsoFLOP.Minima {
		reach := math.Log(4)
		curve := make(plotter.XYs, 41)
		for i := range curve {
			x := math.Log(m.N/m.Middle) + reach*(float64(i)/20-1)
			curve[i] = plotter.XY{X: m.Middle * math.Exp(x), Y: m.Parabola[0] + x*(m.Parabola[1]+x*m.Parabola[2])}
		}
		line, err := plotter.NewLine(curve)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = shade(math.Log(m.C/r.C.Low)/spread), vg.Points(1.2)
		p.Add(line)
		if i%every == 0 {
			p.Legend.Add(fmt.Sprintf("C = %.2g", m.C), line)
		}
	}
	return p, nil
}

// addPoints adds the points, coloured by their compute.
func (r laws) addPoints(p *plot.Plot, x func(scale.Point) float64) error {
	ordered := slices.SortedFunc(slices.Values(r.points), func(a, b scale.Point) int { return cmp.Compare(a.C(), b.C()) })
	places := make(plotter.XYs, len(ordered))
	for i, pt := range ordered {
		places[i] = plotter.XY{X: x(pt), Y: pt.Loss}
	}
	dots, err := plotter.NewScatter(places)
	if err != nil {
		return err
	}
	spread := math.Log(r.C.High / r.C.Low)
	dots.GlyphStyleFunc = func(i int) draw.GlyphStyle {
		return draw.GlyphStyle{Color: shade(math.Log(ordered[i].C()/r.C.Low) / spread), Radius: vg.Points(2), Shape: draw.CircleGlyph{}}
	}
	p.Add(dots)
	return nil
}

func (r laws) overCompute() (*plot.Plot, error) {
	p := logPlot("the lowest loss for a budget", "C = 6·N·D, floating-point operations")
	const steps = 60
	best, low, high := make(plotter.XYs, steps+1), make(plotter.XYs, steps+1), make(plotter.XYs, steps+1)
	for i := range best {
		c := r.C.Low * math.Pow(10*r.C.High/r.C.Low, float64(i)/steps)
		plan := r.Best(c)
		best[i] = plotter.XY{X: c, Y: plan.Loss.Value}
		low[i], high[i] = plotter.XY{X: c, Y: plan.Loss.Low}, plotter.XY{X: c, Y: plan.Loss.High}
	}
	if len(r.Resamples) > 0 {
		slices.Reverse(high)
		band, err := plotter.NewPolygon(append(low, high...))
		if err != nil {
			return nil, err
		}
		band.Color, band.LineStyle.Width = color.NRGBA{0, 0, 0, 50}, 0
		p.Add(band)
		p.Legend.Add(fmt.Sprintf("band, %.0f%%", 100*r.Band), band)
	}
	if err := r.addPoints(p, scale.Point.C); err != nil {
		return nil, err
	}
	line, err := plotter.NewLine(best)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = ink, vg.Points(1.5)
	p.Add(line)
	p.Legend.Add("L(N, D) at the best N", line)
	return p, nil
}
