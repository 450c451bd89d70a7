package picture

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"example.com/gotrain/data"
)

// maxEntry bounds a file inside of an archive, unpacked, in bytes.
const maxEntry = 256 << 20

// pictureNames are how files of pictures end inside of archives; others are no pictures.
var pictureNames = []string{".png", ".jpg", ".jpeg", ".gif", ".webp"}

// archive is a zip or a tar of pictures: of WebDataset, whose pictures have their captions
// beside them under the same key, the name up to the first dot, or any other.
type archive struct {
	config  Config
	name    string
	yield   func(Picture)
	damaged func(error) error

	key     string // of the files that are being read
	pending *Picture
	caption string
	count   int64
}

// zipFile reads the pictures of a zip in the order of their names.
func (a *archive) zipFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return a.damaged(fmt.Errorf("%s: the zip cannot be read: %w", a.name, err))
	}
	files := slices.Clone(z.File)
	slices.SortStableFunc(files, func(x, y *zip.File) int { return strings.Compare(x.Name, y.Name) })
	for _, file := range files {
		err := func() error {
			r, err := file.Open()
			if err != nil {
				return a.damaged(fmt.Errorf("%s!%s: %w", a.name, file.Name, err))
			}
			defer r.Close()
			return a.entry(file.Name, r)
		}()
		if err != nil {
			return err
		}
	}
	a.flush()
	return nil
}

// tarFile reads the pictures of a tar as they come.
func (a *archive) tarFile(in io.Reader) error {
	r := tar.NewReader(in)
	for {
		head, err := r.Next()
		if err == io.EOF {
			a.flush()
			return nil
		}
		if err != nil {
			a.flush()
			return a.damaged(fmt.Errorf("%s: the tar ends or breaks behind %d pictures: %w", a.name, a.count, err))
		}
		if head.Typeflag != tar.TypeReg {
			continue
		}
		if err := a.entry(head.Name, r); err != nil {
			return err
		}
	}
}

// entry takes a file of the archive.
func (a *archive) entry(name string, r io.Reader) error {
	folder, base := path.Split(name)
	key, _, _ := strings.Cut(base, ".")
	if key = folder + key; key != a.key {
		a.flush()
		a.key = key
	}
	wrong := func(err error) error { return a.damaged(fmt.Errorf("%s!%s: %w", a.name, name, err)) }
	ext := strings.ToLower(path.Ext(base))
	switch {
	case strings.HasPrefix(base, "._"): // what macOS adds
	case slices.Contains(pictureNames, ext):
		limited := &io.LimitedReader{R: r, N: maxEntry}
		pixels, err := decode(a.config, bufio.NewReaderSize(limited, 64<<10))
		if err != nil && limited.N <= 0 {
			err = fmt.Errorf("it has more than %d bytes unpacked", maxEntry)
		}
		if err != nil {
			return wrong(err)
		}
		if a.pending != nil {
			a.flush()
		}
		a.pending = &Picture{Pixels: pixels, Origin: data.Origin{File: a.name, Offset: a.count}}
		a.count++
	case isCIFAR(base):
		if err := readCIFAR(a.config, a.name, r, a.yield); err != nil {
			return wrong(err)
		}
	case a.config.Captions && (ext == ".txt" || ext == ".caption" || ext == ".json"):
		text, err := io.ReadAll(io.LimitReader(r, maxCaption+1))
		if err != nil {
			return wrong(err)
		}
		if len(text) > maxCaption {
			return wrong(fmt.Errorf("a caption has %d bytes at most", maxCaption))
		}
		if ext == ".json" {
			text = captionOf(text)
		}
		if caption := strings.Join(strings.Fields(string(text)), " "); caption != "" {
			a.caption = caption
		}
	}
	return nil
}

// captionOf is what the JSON beside a picture says that it shows.
func captionOf(text []byte) []byte {
	var told struct{ Caption, Text, Prompt string }
	if json.Unmarshal(text, &told) != nil {
		return nil
	}
	for _, s := range []string{told.Caption, told.Text, told.Prompt} {
		if s != "" {
			return []byte(s)
		}
	}
	return nil
}

// flush yields the picture of the key with its caption.
func (a *archive) flush() {
	if a.pending != nil {
		a.pending.Caption = a.caption
		a.yield(*a.pending)
	}
	a.pending, a.caption = nil, ""
}

// isZip and isTar tell the kind of a file by its first bytes.
func isZip(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }
func isTar(head []byte) bool { return len(head) >= 262 && string(head[257:262]) == "ustar" }

// Records of CIFAR: labels, then the planes of 32 × 32 pixels of three colours.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarPixels = 3 * cifarPlane
)

// cifarLabels are those of CIFAR-10.
var cifarLabels = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// isCIFAR tells whether a file is called as Krizhevsky's binary ones: data_batch_1.bin and
// test_batch.bin of CIFAR-10, train.bin and test.bin of CIFAR-100.
func isCIFAR(base string) bool {
	return strings.HasSuffix(base, "_batch.bin") || strings.HasPrefix(base, "data_batch_") && strings.HasSuffix(base, ".bin") || isCIFAR100(base)
}

func isCIFAR100(base string) bool { return base == "train.bin" || base == "test.bin" }

// readCIFAR reads the pictures of a binary file of CIFAR. Those of CIFAR-10 have their label as
// a caption.
func readCIFAR(c Config, name string, in io.Reader, yield func(Picture)) error {
	labels := 1
	if isCIFAR100(path.Base(name)) {
		labels = 2
	}
	record := make([]byte, labels+cifarPixels)
	picture := image.NewRGBA(image.Rect(0, 0, cifarSide, cifarSide))
	for p := range cifarPlane {
		picture.Pix[4*p+3] = 255
	}
	for i := int64(0); ; i++ {
		_, err := io.ReadFull(in, record)
		if err == io.EOF {
			return nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the file ends in picture %d: %w", i, err)
		}
		if err != nil {
			return err
		}
		caption := ""
		if labels == 1 {
			if int(record[0]) >= len(cifarLabels) {
				return fmt.Errorf("picture %d has the label %d; CIFAR-10 has 0 to 9", i, record[0])
			}
			caption = cifarLabels[record[0]]
		}
		for p := range cifarPlane {
			for plane := range 3 {
				picture.Pix[4*p+plane] = record[labels+plane*cifarPlane+p]
			}
		}
		yield(Picture{Pixels: square(c, picture), Caption: caption, Origin: data.Origin{File: name, Offset: i}})
	}
}
