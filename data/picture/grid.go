package picture

import (
	"image"
	"image/color"
	"math"
)

// Bytes are those of the elements that a model tells of pictures: in [-1, 1], or with logits the
// logits of shares.
func Bytes(y []float32, logits bool) []byte {
	pixels := make([]byte, len(y))
	for i, v := range y {
		share := float64(v)/2 + 0.5
		if logits {
			share = 1 / (1 + math.Exp(-float64(v)))
		}
		pixels[i] = byte(math.Round(255 * min(max(share, 0), 1)))
	}
	return pixels
}

// Grid puts pictures of side × side pixels, of one channel or three, beside each other: columns of
// them in a line, a pixel between two. The place of a picture that is nil is left empty.
func Grid(pictures [][]byte, side, columns int) *image.RGBA {
	columns = max(min(columns, len(pictures)), 1)
	lines := (len(pictures) + columns - 1) / columns
	to := image.NewRGBA(image.Rect(0, 0, columns*(side+1)-1, lines*(side+1)-1))
	for n, pixels := range pictures {
		channels := max(len(pixels)/(side*side), 1)
		for i := range len(pixels) / channels {
			of := pixels[i*channels:][:channels]
			to.SetRGBA(n%columns*(side+1)+i%side, n/columns*(side+1)+i/side, color.RGBA{of[0], of[channels/2], of[channels-1], 255})
		}
	}
	return to
}

// Coloured writes grey pixels as three equal channels to dst.
func Coloured(dst, grey []byte) {
	for i, v := range grey {
		dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
	}
}
