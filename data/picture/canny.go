package picture

import (
	"errors"
	"fmt"
	"math"
)

// Canny says how contours are found (Canny 1986).
type Canny struct {
	Blur float64 `yaml:"blur"` // deviation, in pixels, of the Gaussian before the slopes; 0 is none
	Low  int     `yaml:"low"`  // slopes from here on go on with a contour
	High int     `yaml:"high"` // slopes from here on begin one
}

// Validate returns all faults.
func (c Canny) Validate() error {
	var errs []error
	if !(c.Blur >= 0 && c.Blur <= 64) {
		errs = append(errs, fmt.Errorf("blur is %g pixels; use 0 to 64", c.Blur))
	}
	if c.Low < 0 || c.High < c.Low {
		errs = append(errs, fmt.Errorf("low and high are %d and %d; use 0 ≤ low ≤ high, such as 100 and 200", c.Low, c.High))
	}
	return errors.Join(errs...)
}

// Contours of a picture are 255 where there is one, else 0, of height × width pixels. They are
// those of OpenCV's Canny with an aperture of 3 and the sum of both slopes as their length: of
// channels the steepest counts.
func (c Canny) Contours(pixels []byte, height, width, channels int) []byte {
	if c.Blur > 0 {
		pixels = blurred(pixels, height, width, channels, c.Blur)
	}
	s := slopesOf(pixels, height, width, channels)
	out := make([]byte, height*width)
	var strong []int // whose neighbours are to be looked at
	weak := make([]bool, len(out))
	for i := range out {
		switch m := s.length(i/width, i%width); {
		case m <= c.Low || !s.ridge(i/width, i%width):
		case m > c.High:
			out[i] = 255
			strong = append(strong, i)
		default:
			weak[i] = true
		}
	}
	for len(strong) > 0 {
		at := strong[len(strong)-1]
		strong = strong[:len(strong)-1]
		for y := max(at/width-1, 0); y <= min(at/width+1, height-1); y++ {
			for x := max(at%width-1, 0); x <= min(at%width+1, width-1); x++ {
				if i := y*width + x; weak[i] {
					weak[i], out[i] = false, 255
					strong = append(strong, i)
				}
			}
		}
	}
	return out
}

// slopes are Sobel's, of the steepest channel of each pixel.
type slopes struct {
	height, width int
	x, y          []int
}

func slopesOf(pixels []byte, height, width, channels int) slopes {
	s := slopes{height, width, make([]int, height*width), make([]int, height*width)}
	for row := range height {
		for column := range width {
			at := row*width + column
			for c := range channels {
				p := func(down, right int) int { // repeated beyond the border
					r, l := min(max(row+down, 0), height-1), min(max(column+right, 0), width-1)
					return int(pixels[(r*width+l)*channels+c])
				}
				dx := p(-1, 1) + 2*p(0, 1) + p(1, 1) - p(-1, -1) - 2*p(0, -1) - p(1, -1)
				dy := p(1, -1) + 2*p(1, 0) + p(1, 1) - p(-1, -1) - 2*p(-1, 0) - p(-1, 1)
				if c == 0 || abs(dx)+abs(dy) > abs(s.x[at])+abs(s.y[at]) {
					s.x[at], s.y[at] = dx, dy
				}
			}
		}
	}
	return s
}

func abs(x int) int { return max(x, -x) }

// length is that of the slope at a pixel, 0 outside of the picture.
func (s slopes) length(row, column int) int {
	if row < 0 || column < 0 || row >= s.height || column >= s.width {
		return 0
	}
	at := row*s.width + column
	return abs(s.x[at]) + abs(s.y[at])
}

// ridge tells whether the slope at a pixel is the longest across the contour. Directions are the
// nearest of four, between which lie 22.5° and 67.5°.
func (s slopes) ridge(row, column int) bool {
	const tangent = 13573 // of 22.5°, times 1 << 15
	at := row*s.width + column
	m, x, y := s.length(row, column), abs(s.x[at]), abs(s.y[at])<<15
	switch low := x * tangent; {
	case y < low:
		return m > s.length(row, column-1) && m >= s.length(row, column+1)
	case y > low+x<<16:
		return m > s.length(row-1, column) && m >= s.length(row+1, column)
	}
	side := 1
	if s.x[at]^s.y[at] < 0 {
		side = -1
	}
	return m > s.length(row-1, column-side) && m > s.length(row+1, column+side)
}

// blurred is a picture behind a Gaussian of a deviation, cut off at three of them and mirrored at
// the border.
func blurred(pixels []byte, height, width, channels int, deviation float64) []byte {
	radius := int(math.Ceil(3 * deviation))
	weights := make([]float64, 2*radius+1)
	sum := 0.0
	for i := range weights {
		d := float64(i-radius) / deviation
		weights[i] = math.Exp(-d * d / 2)
		sum += weights[i]
	}
	for i := range weights {
		weights[i] /= sum
	}
	from := make([]float64, len(pixels))
	for i, v := range pixels {
		from[i] = float64(v)
	}
	along := func(length, step int, start func(line int) int, lines int) {
		line := make([]float64, length)
		for l := range lines {
			first := start(l)
			for i := range line {
				line[i] = from[first+i*step]
			}
			for i := range line {
				sum := 0.0
				for k, w := range weights {
					sum += w * line[mirrored(i+k-radius, length)]
				}
				from[first+i*step] = sum
			}
		}
	}
	along(width, channels, func(l int) int { return l/channels*width*channels + l%channels }, height*channels)
	along(height, width*channels, func(l int) int { return l }, width*channels)
	out := make([]byte, len(pixels))
	for i, v := range from {
		out[i] = byte(math.Round(min(max(v, 0), 255)))
	}
	return out
}

// mirrored is the place in a line of a place beyond its ends, which are not repeated.
func mirrored(at, length int) int {
	if length == 1 {
		return 0
	}
	period := 2 * (length - 1)
	if at = ((at % period) + period) % period; at >= length {
		at = period - at
	}
	return at
}
