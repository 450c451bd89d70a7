package picture

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Colours and Forms of drawn shapes, by name.
var (
	Colours = []string{"red", "green", "blue", "yellow", "purple", "orange"}
	Forms   = []string{"circle", "square", "triangle"}

	colours = []color.RGBA{{220, 40, 40, 255}, {40, 160, 60, 255}, {50, 80, 220, 255}, {235, 205, 50, 255}, {150, 60, 170, 255}, {240, 140, 40, 255}}
)

// Shape is what a drawn picture shows: a form of a colour, its middle and its radius as shares
// of the side.
type Shape struct {
	Colour, Form int // of Colours and Forms
	X, Y, Radius float64
}

// NewShape is shape number of a seed.
func NewShape(seed, number uint64) Shape {
	rng := rand.New(rand.NewPCG(seed, number))
	s := Shape{Colour: rng.IntN(len(Colours)), Form: rng.IntN(len(Forms)), Radius: 0.15 + 0.2*rng.Float64()}
	s.X, s.Y = s.Radius+(1-2*s.Radius)*rng.Float64(), s.Radius+(1-2*s.Radius)*rng.Float64()
	return s
}

// Places of the middle of a shape, line by line.
var Places = []string{"top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right"}

// Place is where the middle of the shape lies, of Places: in the outer two fifths of the side, or
// between them.
func (s Shape) Place() int {
	third := func(at float64) int {
		switch {
		case at < 0.4:
			return 0
		case at <= 0.6:
			return 1
		}
		return 2
	}
	return 3*third(s.Y) + third(s.X)
}

// Caption says what a shape is and, where it is asked for, where: "red circle at the top left".
func (s Shape) Caption(place bool) string {
	text := Colours[s.Colour] + " " + Forms[s.Form]
	if place {
		text += " at the " + Places[s.Place()]
	}
	return text
}

// ReadCaption is the colour and the form that a caption names; ok tells that it names both.
func ReadCaption(text string) (colour, form int, ok bool) {
	words := strings.Fields(strings.ToLower(text))
	find := func(names []string) int {
		return slices.IndexFunc(names, func(name string) bool { return slices.Contains(words, name) })
	}
	colour, form = find(Colours), find(Forms)
	return colour, form, colour >= 0 && form >= 0
}

// samples are points along a side of a pixel, of which a share is covered.
const samples = 4

// Draw is the picture of a shape, on white.
func (s Shape) Draw(c Config) []byte {
	to := image.NewRGBA(image.Rect(0, 0, c.Size, c.Size))
	paint := colours[s.Colour]
	for y := range c.Size {
		for x := range c.Size {
			inside := 0
			for i := range samples * samples {
				px := (float64(x) + (float64(i%samples)+0.5)/samples) / float64(c.Size)
				py := (float64(y) + (float64(i/samples)+0.5)/samples) / float64(c.Size)
				if s.covers(px, py) {
					inside++
				}
			}
			mix := func(v uint8) uint8 {
				return uint8((int(v)*inside + 255*(samples*samples-inside) + samples*samples/2) / (samples * samples))
			}
			to.SetRGBA(x, y, color.RGBA{mix(paint.R), mix(paint.G), mix(paint.B), 255})
		}
	}
	return pixels(c, to)
}

// covers tells whether a point lies in the shape.
func (s Shape) covers(x, y float64) bool {
	x, y = (x-s.X)/s.Radius, (y-s.Y)/s.Radius
	switch Forms[s.Form] {
	case "circle":
		return x*x+y*y <= 1
	case "square":
		return max(math.Abs(x), math.Abs(y)) <= 0.85
	}
	return y <= 0.8 && y >= 2*math.Abs(x)-0.95
}
