package picture

import "math"

// Depth is how near what a shape shows is, of Size × Size pixels, 255 being nearest and 0 the wall
// behind: a circle is half a ball, a square a box, a triangle a pyramid.
func (s Shape) Depth(c Config) []byte {
	out := make([]byte, c.Size*c.Size)
	for i := range out {
		sum := 0.0
		for k := range samples * samples {
			x := (float64(i%c.Size) + (float64(k%samples)+0.5)/samples) / float64(c.Size)
			y := (float64(i/c.Size) + (float64(k/samples)+0.5)/samples) / float64(c.Size)
			sum += s.height(x, y)
		}
		out[i] = byte(math.Round(255 * sum / (samples * samples)))
	}
	return out
}

// Mirrored is the shape with left and right exchanged.
func (s Shape) Mirrored() Shape { s.X = 1 - s.X; return s }

// height is that of a point above the wall, as a share of the largest radius.
func (s Shape) height(x, y float64) float64 {
	const largest = 0.35
	if !s.covers(x, y) {
		return 0
	}
	x, y = (x-s.X)/s.Radius, (y-s.Y)/s.Radius
	high := 0.85
	switch Forms[s.Form] {
	case "circle":
		high = math.Sqrt(max(1-x*x-y*y, 0))
	case "triangle": // the distance from the nearest side, steep enough to end at about 1
		high = 2 * min(0.8-y, (y+0.95-2*math.Abs(x))/math.Sqrt(5))
	}
	return min(high*s.Radius/largest, 1)
}
