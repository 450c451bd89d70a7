package picture

import "math"

// Fitting is the least fit of Recognise by which a picture shows a shape.
const Fitting = 0.75

// Recognise tells which shape a picture of c shows, and how well it fits: the intersection over
// the union of what it covers and of that shape as Draw has it, 0 where there is none. The colour
// is the nearest to the mean of what is painted; of the forms, each as large and where what is
// painted is, that which fits best.
func Recognise(c Config, pixels []byte) (Shape, float64) {
	c.Grey = false
	painted, colour := paintOf(c.Size, pixels)
	var area, x, y float64
	for i, share := range painted {
		area += share
		x += share * (float64(i%c.Size) + 0.5)
		y += share * (float64(i/c.Size) + 0.5)
	}
	if area < 1 {
		return Shape{}, 0
	}
	side := float64(c.Size)
	x, y = x/area/side, y/area/side
	area /= side * side
	var best Shape
	fit := 0.0
	for form := range Forms {
		s := Shape{Colour: colour, Form: form, X: x, Y: y}
		switch Forms[form] {
		case "circle":
			s.Radius = math.Sqrt(area / math.Pi)
		case "square":
			s.Radius = math.Sqrt(area) / 1.7
		default: // whose middle lies a bit below that of its circle
			s.Radius = math.Sqrt(area / (0.5 * 1.75 * 1.75))
			s.Y -= (0.8 - 1.75/3) * s.Radius
		}
		if s.Radius < 0.1 || s.Radius > 0.45 {
			continue // no such shape is drawn
		}
		like, _ := paintOf(c.Size, s.Draw(c))
		both, either := 0.0, 0.0
		for i, share := range painted {
			both += min(share, like[i])
			either += max(share, like[i])
		}
		if iou := both / either; iou > fit {
			best, fit = s, iou
		}
	}
	return best, fit
}

// paintOf is the share of each pixel that is painted, and the colour of the paint: what is farther
// from white than noise is.
func paintOf(size int, pixels []byte) ([]float64, int) {
	const noise = 48 // of the sum over channels
	var sum [3]float64
	weight := 0.0
	off := make([]float64, size*size)
	for i := range off {
		for k := range 3 {
			off[i] += 255 - float64(pixels[3*i+k])
		}
		if off[i] > noise {
			for k := range 3 {
				sum[k] += off[i] * float64(pixels[3*i+k])
			}
			weight += off[i]
		} else {
			off[i] = 0
		}
	}
	colour, nearest := 0, math.Inf(1)
	for i, c := range colours {
		far := 0.0
		for k, v := range []uint8{c.R, c.G, c.B} {
			d := sum[k]/max(weight, 1) - float64(v)
			far += d * d
		}
		if far < nearest {
			colour, nearest = i, far
		}
	}
	c := colours[colour]
	full := 3*255 - float64(c.R) - float64(c.G) - float64(c.B)
	for i := range off {
		off[i] = min(off[i]/full, 1)
	}
	return off, colour
}
