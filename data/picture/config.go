// Package picture reads pictures: PNG, JPEG, GIF (its first frame) and WebP, also in zips and
// tars such as those of WebDataset, the idx files of MNIST and its kin, CIFAR's binary files, or
// shapes that it draws itself.
//
// [Read] decodes files into squares of bytes, [Draw] makes shapes, [Loader] makes batches that
// are a function of a seed and a position. Errors name the file, and the cure; a wrong setting
// is a *data.SettingError.
package picture

import (
	"errors"
	"fmt"

	"example.com/gotrain/data"
)

// Format is the data.format of pictures.
const Format = "pictures"

// Config is the section data of pictures.
type Config struct {
	Paths           []string `yaml:"train"`            // files, or patterns of them
	ValidationPaths []string `yaml:"validation_paths"` // held out as a whole
	Validation      float64  `yaml:"validation"`       // share of the pictures that is held out, by their hash
	Shapes          int      `yaml:"shapes"`           // so many drawn shapes in place of files
	Size            int      `yaml:"size"`             // pixels of a side; pictures are scaled to it and cut in the middle
	Grey            bool     `yaml:"grey"`             // one channel in place of three
	Flip            bool     `yaml:"flip"`             // half of the pictures of training are mirrored, left for right
	Captions        bool     `yaml:"captions"`         // of a text file beside each picture, a.txt beside a.png, or of metadata.jsonl or .csv in its folder
	Damaged         int      `yaml:"damaged"`          // so many files may be damaged: they are named and left out
}

// MaxSize bounds the side of a picture.
const MaxSize = 4096

// MaxShapes bounds the drawn shapes.
const MaxShapes = 10_000_000

// Default is a section that sets nothing.
func Default() Config { return Config{Size: 32, Validation: 0.05} }

// Channels are those of a pixel.
func (c Config) Channels() int {
	if c.Grey {
		return 1
	}
	return 3
}

// Bytes is the size of a picture.
func (c Config) Bytes() int { return c.Size * c.Size * c.Channels() }

// Validate returns all faults.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Size >= 1 && c.Size <= MaxSize, "data.size is %d pixels; use 1 to %d", c.Size, MaxSize)
	check(c.Validation >= 0 && c.Validation < 1, "data.validation is %g; use a share in [0, 1)", c.Validation)
	check(c.Shapes >= 0 && c.Shapes <= MaxShapes, "data.shapes is %d; use 1 to %d, or 0 for pictures of data.train", c.Shapes, MaxShapes)
	check(c.Damaged >= 0, "data.damaged is %d files; use 0 or more", c.Damaged)
	check(c.Shapes == 0 || len(c.Paths) == 0, "data.shapes and data.train exclude each other: pictures are drawn, or read")
	check(c.Shapes > 0 || len(c.Paths) > 0, "data.train names no pictures: give files or patterns, or data.shapes for drawn ones")
	check(c.Validation == 0 || len(c.ValidationPaths) == 0, "data.validation and data.validation_paths exclude each other")
	return errors.Join(errs...)
}

// Picture is a square of Size × Size pixels, row by row, the channels of a pixel beside each
// other.
type Picture struct {
	Pixels  []byte
	Caption string // what it shows, "" where nothing says it
	Origin  data.Origin
}

func setting(format string, args ...any) error {
	return &data.SettingError{Err: fmt.Errorf(format, args...)}
}
