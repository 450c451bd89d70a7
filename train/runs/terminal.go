package runs

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// braille are the eight dots of a character, by row and column.
var braille = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// Terminal draws series over the steps in characters of braille, width × height of them
// without the scales. With colours each series has its own.
func Terminal(w io.Writer, metric string, series []Series, width, height int, colours bool) error {
	low, high, first, last := bounds(series)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", metric)
	cells := make([][]rune, height)
	owner := make([][]int, height) // the series that drew last, by cell
	for y := range cells {
		cells[y], owner[y] = make([]rune, width), make([]int, width)
	}
	for i, s := range series {
		dot := func(x, y int) {
			cells[y/4][x/2] |= braille[y%4][x%2]
			owner[y/4][x/2] = i
		}
		at := func(p Point) (x, y float64) {
			return (p.X - first) / max(last-first, 1) * float64(2*width-1), (high - p.Y) / (high - low) * float64(4*height-1)
		}
		for j, p := range s.Points {
			x1, y1 := at(p)
			x0, y0 := x1, y1
			if j > 0 {
				x0, y0 = at(s.Points[j-1])
			}
			n := max(1, math.Ceil(math.Abs(x1-x0)), math.Ceil(math.Abs(y1-y0)))
			for k := 0.0; k <= n; k++ {
				dot(int(math.Round(x0+(x1-x0)*k/n)), int(math.Round(y0+(y1-y0)*k/n)))
			}
		}
	}
	paint := func(i int, text string) string {
		if !colours {
			return text
		}
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", 31+(i+3)%6, text)
	}
	for y, row := range cells {
		label := ""
		if y == 0 || y == height-1 || y == height/2 {
			label = fmt.Sprintf("%.4g", high-(high-low)*float64(y)/float64(max(1, height-1)))
		}
		fmt.Fprintf(&b, "%9s │", label)
		for x, c := range row {
			if c == 0 {
				b.WriteByte(' ')
			} else {
				b.WriteString(paint(owner[y][x], string(0x2800|c)))
			}
		}
		b.WriteByte('\n')
	}
	end := fmt.Sprintf("%.0f", last)
	fmt.Fprintf(&b, "%9s └%s\n%10s %-*s%s\n", "", strings.Repeat("─", width), "step", width-len(end), fmt.Sprintf("%.0f", first), end)
	for i, s := range series {
		values := s.Points
		fmt.Fprintf(&b, "%s %s: %.4g at the end, lowest %.4g\n", paint(i, "━━"), s.Name, values[len(values)-1].Y,
			slices.MinFunc(values, func(p, q Point) int { return int(math.Copysign(1, p.Y-q.Y)) }).Y)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// bounds returns the smallest and the largest value and step.
func bounds(series []Series) (low, high, first, last float64) {
	low, high, first, last = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range series {
		for _, p := range s.Points {
			low, high, first, last = min(low, p.Y), max(high, p.Y), min(first, p.X), max(last, p.X)
		}
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	return low, high, first, last
}
