package picture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // decoded by image.Decode
	_ "image/jpeg" // decoded by image.Decode
	_ "image/png"  // decoded by image.Decode
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/zeebo/xxh3"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decoded by image.Decode

	"example.com/gotrain/data"
)

// maxPixels bounds a picture in a file: 64 megapixels are 256 MiB decoded.
const maxPixels = 64 << 20

// Set are the pictures of a configuration.
type Set struct {
	Train, Held []Picture
	Damaged     []error // of the files, in archives too, that were left out
	captions    captions
}

// Read reads all pictures of a configuration, or draws them with a seed.
func Read(c Config, seed uint64) (*Set, error) {
	s := &Set{}
	if c.Shapes > 0 {
		for i := range c.Shapes {
			shape := NewShape(seed, uint64(i))
			// Half of the captions leave the place out, so that either can be asked for.
			s.add(c, Picture{shape.Draw(c), shape.Caption(i%2 == 0), data.Origin{File: "drawn shapes", Offset: int64(i)}})
		}
		return s, s.check(c)
	}
	held, err := data.ExpandPaths(c.ValidationPaths)
	if err != nil {
		return nil, err
	}
	train, err := data.ExpandPaths(c.Paths)
	if err != nil {
		return nil, err
	}
	for _, name := range train {
		if err := s.file(c, name, func(p Picture) { s.add(c, p) }); err != nil {
			return nil, err
		}
	}
	for _, name := range held {
		if err := s.file(c, name, func(p Picture) { s.Held = append(s.Held, p) }); err != nil {
			return nil, err
		}
	}
	return s, s.check(c)
}

// add puts a picture on its side: that of all pictures with its bytes.
func (s *Set) add(c Config, p Picture) {
	if c.Validation > 0 && float64(xxh3.Hash(p.Pixels)) < c.Validation*(1<<64) {
		s.Held = append(s.Held, p)
	} else {
		s.Train = append(s.Train, p)
	}
}

func (s *Set) check(c Config) error {
	switch {
	case len(s.Train) == 0:
		return setting("data.train: there is nothing to learn from: no pictures, or all are held out")
	case len(s.Held) == 0 && (c.Validation > 0 || len(c.ValidationPaths) > 0):
		return setting("data.validation %g holds none of %d pictures out: give more of them, or name data.validation_paths", c.Validation, len(s.Train))
	}
	return nil
}

// file reads the pictures of a file. What is damaged is left out, up to the bound.
func (s *Set) file(c Config, name string, yield func(Picture)) error {
	return readFile(c, name, &s.captions, yield, func(err error) error {
		if s.Damaged = append(s.Damaged, err); len(s.Damaged) > c.Damaged {
			return fmt.Errorf("%w: replace the file, or let data.damaged leave out more than %d files", err, c.Damaged)
		}
		return nil
	})
}

// readFile reads the pictures of a file, which may be an archive. What is damaged in it goes to
// damaged, which says whether reading goes on.
func readFile(c Config, name string, texts *captions, yield func(Picture), damaged func(error) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	wrong := func(err error) error { return damaged(fmt.Errorf("%s: %w", name, err)) }
	in := bufio.NewReaderSize(f, 64<<10)
	head, _ := in.Peek(512)
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return wrong(fmt.Errorf("gzip: %w", err))
		}
		in = bufio.NewReaderSize(z, 64<<10)
		head, _ = in.Peek(512)
	}
	a := &archive{config: c, name: name, yield: yield, damaged: damaged}
	read := func(read func(c Config, name string, in io.Reader, yield func(Picture)) error) error {
		if err := read(c, name, in, yield); err != nil {
			return wrong(err)
		}
		return nil
	}
	switch {
	case isZip(head):
		return a.zipFile(f)
	case isTar(head):
		return a.tarFile(in)
	case isCIFAR(filepath.Base(name)):
		return read(readCIFAR)
	case bytes.HasPrefix(head, []byte{0, 0, 8}):
		return read(readIdx)
	}
	pixels, err := decode(c, in)
	if err != nil {
		return wrong(err)
	}
	caption := ""
	if c.Captions {
		if caption, err = texts.of(name); err != nil {
			return err
		}
	}
	yield(Picture{pixels, caption, data.Origin{File: name}})
	return nil
}

// ReadFile reads the picture of a file as a square of size pixels a side, of one channel or three.
func ReadFile(name string, size, channels int) ([]byte, error) {
	var p Picture
	err := readFile(Config{Size: size, Grey: channels == 1}, name, nil, func(q Picture) { p = q }, func(err error) error { return err })
	if err == nil && p.Pixels == nil {
		err = fmt.Errorf("%s: there is no picture", name)
	}
	return p.Pixels, err
}

// maxCaption bounds the file of a caption, in bytes.
const maxCaption = 64 << 10

// readCaption reads what stands in the text file beside a picture, "" where there is none.
func readCaption(name string) (string, error) {
	f, err := os.Open(strings.TrimSuffix(name, filepath.Ext(name)) + ".txt")
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCaption+1))
	if err == nil && len(text) > maxCaption {
		err = fmt.Errorf("%s: a caption has %d bytes at most", f.Name(), maxCaption)
	}
	return strings.Join(strings.Fields(string(text)), " "), err
}

// decode reads a picture, whose size it looks at before it decodes it.
func decode(c Config, in *bufio.Reader) ([]byte, error) {
	var head bytes.Buffer
	size, _, err := image.DecodeConfig(io.TeeReader(in, &head))
	if errors.Is(err, image.ErrFormat) {
		return nil, errors.New("this is no PNG, JPEG, GIF, WebP, idx, zip or tar file: convert it, or leave it out of data.train")
	}
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxPixels/size.Height {
		return nil, fmt.Errorf("the picture has %d × %d pixels; %d are the most: make it smaller", size.Width, size.Height, maxPixels)
	}
	picture, _, err := image.Decode(io.MultiReader(&head, in))
	if err != nil {
		return nil, fmt.Errorf("the picture is damaged: %w", err)
	}
	return square(c, picture), nil
}

// square scales a picture's middle to the size of the configuration. What is transparent shows
// white.
func square(c Config, from image.Image) []byte {
	b := from.Bounds()
	side := min(b.Dx(), b.Dy())
	left, top := b.Min.X+(b.Dx()-side)/2, b.Min.Y+(b.Dy()-side)/2
	to := image.NewRGBA(image.Rect(0, 0, c.Size, c.Size))
	draw.Draw(to, to.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(to, to.Bounds(), from, image.Rect(left, top, left+side, top+side), draw.Over, nil)
	return pixels(c, to)
}

// Fit gives a picture of side × side pixels, of one channel or three, the size and channels of c.
func Fit(c Config, from []byte, side, channels int) []byte {
	to := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		of := from[i*channels:][:channels]
		to.SetRGBA(i%side, i/side, color.RGBA{of[0], of[channels/2], of[channels-1], 255})
	}
	if side == c.Size {
		return pixels(c, to)
	}
	return square(c, to)
}

// pixels are the bytes of a square.
func pixels(c Config, from *image.RGBA) []byte {
	out := make([]byte, 0, c.Bytes())
	for i := 0; i < len(from.Pix); i += 4 {
		r, g, b := from.Pix[i], from.Pix[i+1], from.Pix[i+2]
		if c.Grey {
			out = append(out, color.GrayModel.Convert(color.RGBA{r, g, b, 255}).(color.Gray).Y)
		} else {
			out = append(out, r, g, b)
		}
	}
	return out
}

// readIdx reads pictures of bytes as LeCun stores MNIST: (pictures, rows, columns).
func readIdx(c Config, name string, in io.Reader, yield func(Picture)) error {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	if head[3] != 3 {
		return fmt.Errorf("the idx file has %d axes; pictures have 3 (pictures, rows, columns): it may hold labels", head[3])
	}
	var sizes [3]uint32
	if err := binary.Read(in, binary.BigEndian, &sizes); err != nil {
		return fmt.Errorf("the idx file ends in its head: %w", err)
	}
	count, height, width := sizes[0], int(sizes[1]), int(sizes[2])
	if height < 1 || width < 1 || width > maxPixels/height {
		return fmt.Errorf("the idx file has pictures of %d × %d pixels", width, height)
	}
	grey := image.NewGray(image.Rect(0, 0, width, height))
	for i := range count {
		if _, err := io.ReadFull(in, grey.Pix); err != nil {
			return fmt.Errorf("the idx file ends in picture %d of %d: %w", i, count, err)
		}
		yield(Picture{square(c, grey), "", data.Origin{File: name, Offset: int64(i)}})
	}
	return nil
}
