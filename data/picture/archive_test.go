package picture

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// file is a file of an archive.
type file struct {
	name    string
	content []byte
}

func zipped(t *testing.T, files []file) []byte {
	return encoded(t, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, f := range files {
			to, err := z.Create(f.name)
			if err != nil {
				return err
			}
			if _, err := to.Write(f.content); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

func tarred(t *testing.T, files []file) []byte {
	return encoded(t, func(w io.Writer) error {
		z := tar.NewWriter(w)
		for _, f := range files {
			if err := z.WriteHeader(&tar.Header{Name: f.name, Mode: 0o666, Size: int64(len(f.content)), Typeflag: tar.TypeReg}); err != nil {
				return err
			}
			if _, err := z.Write(f.content); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

func plain(t *testing.T, c color.Color) []byte {
	return encoded(t, func(w io.Writer) error { return png.Encode(w, halves(8, 8, c, c)) })
}

// TestArchives reads zips and tars with captions beside the pictures; damaged entries are
// named, counted and left out.
func TestArchives(t *testing.T) {
	files := []file{
		{"b/2.png", plain(t, blue)}, {"b/2.txt", []byte(" a blue\nsquare ")},
		{"a/1.json", []byte(`{"caption": "a red square", "width": 8}`)}, {"a/1.png", plain(t, red)},
		{"a/3.png", []byte("no picture")}, {"a/notes.md", []byte("not looked at")}, {"a/._1.png", []byte("of macOS")},
	}
	for name, content := range map[string][]byte{
		"x.zip": zipped(t, files), "x.tar": tarred(t, files),
		"x.tar.gz": encoded(t, func(w io.Writer) error {
			z := gzip.NewWriter(w)
			if _, err := z.Write(tarred(t, files)); err != nil {
				return err
			}
			return z.Close()
		}),
	} {
		path := write(t, name, content)
		set, err := Read(Config{Paths: []string{path}, Size: 4, Captions: true, Damaged: 1}, 0)
		if err != nil || len(set.Train) != 2 || len(set.Damaged) != 1 || !strings.Contains(set.Damaged[0].Error(), path+"!a/3.png") {
			t.Fatalf("%s: %+v, %v", name, set, err)
		}
		slices.SortFunc(set.Train, func(a, b Picture) int { return strings.Compare(b.Caption, a.Caption) })
		for i, want := range []struct {
			caption string
			pixel   [3]byte
		}{{"a red square", [3]byte{255, 0, 0}}, {"a blue square", [3]byte{0, 0, 255}}} {
			if p := set.Train[i]; p.Caption != want.caption || [3]byte(p.Pixels[:3]) != want.pixel || p.Origin.File != path {
				t.Errorf("%s: picture %d is %q %v of %v", name, i, p.Caption, p.Pixels[:3], p.Origin)
			}
		}
		if _, err := Read(Config{Paths: []string{path}, Size: 4}, 0); err == nil || !strings.Contains(err.Error(), "data.damaged") {
			t.Errorf("%s with a damaged picture: %v", name, err)
		}
	}
	broken := tarred(t, files)
	if set, err := Read(Config{Paths: []string{write(t, "x.tar", broken[:len(broken)-1700])}, Size: 4, Damaged: 2}, 0); err != nil || len(set.Train) != 2 || len(set.Damaged) == 0 {
		t.Errorf("a tar that ends too early: %+v, %v", set, err)
	}
	whole := zipped(t, files)
	if _, err := Read(Config{Paths: []string{write(t, "x.zip", whole[:len(whole)-40])}, Size: 4}, 0); err == nil || !strings.Contains(err.Error(), "the zip cannot be read") {
		t.Errorf("a zip without its directory: %v", err)
	}
}

// TestCIFAR reads binary records, whose planes of colours follow each other.
func TestCIFAR(t *testing.T) {
	record := append([]byte{6}, make([]byte, cifarPixels)...)
	for p := range cifarPlane {
		record[1+2*cifarPlane+p] = 255 // blue
	}
	dir := t.TempDir()
	read := func(name string, content []byte) (*Set, error) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		return Read(Config{Paths: []string{path}, Size: 8}, 0)
	}
	set, err := read("data_batch_3.bin", slices.Concat(record, record))
	if err != nil || len(set.Train) != 2 || set.Train[1].Caption != "frog" || [3]byte(set.Train[1].Pixels[:3]) != [3]byte{0, 0, 255} || set.Train[1].Origin.Offset != 1 {
		t.Errorf("%+v, %v", set, err)
	}
	if set, err := read("train.bin", append([]byte{1}, record...)); err != nil || len(set.Train) != 1 || set.Train[0].Caption != "" {
		t.Errorf("CIFAR-100: %+v, %v", set, err)
	}
	if _, err := read("test_batch.bin", record[:100]); err == nil || !strings.Contains(err.Error(), "ends in picture 0") {
		t.Errorf("a part of a record: %v", err)
	}
	if _, err := read("test_batch.bin", append([]byte{10}, record[1:]...)); err == nil || !strings.Contains(err.Error(), "label 10") {
		t.Errorf("a label that is none: %v", err)
	}
}

// TestCaptions reads tables beside pictures, which a text file overrules.
func TestCaptions(t *testing.T) {
	for table, content := range map[string]string{
		"metadata.jsonl": `{"file_name": "a.png", "text": "from  the table"}` + "\n\n" + `{"file_name": "b.png", "caption": "second"}` + "\n",
		"metadata.csv":   "label,file_name,caption\n1,a.png,from the table\n2,b.png,second\n",
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{table: content, "a.png": string(plain(t, red)), "b.png": string(plain(t, blue)), "b.txt": "its own", "c.png": string(plain(t, color.White))} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		set, err := Read(Config{Paths: []string{filepath.Join(dir, "*.png")}, Size: 4, Captions: true}, 0)
		if err != nil || len(set.Train) != 3 || set.Train[0].Caption != "from the table" || set.Train[1].Caption != "its own" || set.Train[2].Caption != "" {
			t.Errorf("%s: %+v, %v", table, set, err)
		}
		for _, broken := range []string{"{", `{"text": "no name"}`, "a,b\n1,2\n"} {
			if err := os.WriteFile(filepath.Join(dir, table), []byte(broken), 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(Config{Paths: []string{filepath.Join(dir, "a.png")}, Size: 4, Captions: true}, 0); err == nil || !strings.Contains(err.Error(), table) {
				t.Errorf("%s holding %q: %v", table, broken, err)
			}
		}
	}
}

// TestColours reads pictures of every model of colours: 16 bits, a palette, transparency over
// white, CMYK.
func TestColours(t *testing.T) {
	deep, palette, cmyk := image.NewRGBA64(image.Rect(0, 0, 8, 8)), image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{red, blue}), image.NewCMYK(image.Rect(0, 0, 8, 8))
	clear := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		deep.SetRGBA64(i%8, i/8, color.RGBA64{0x8000, 0x4000, 0xffff, 0xffff})
		palette.SetColorIndex(i%8, i/8, 1)
		cmyk.SetCMYK(i%8, i/8, color.CMYK{0, 255, 255, 0})
		clear.SetNRGBA(i%8, i/8, color.NRGBA{0, 0, 0, 128})
	}
	for name, row := range map[string]struct {
		picture image.Image
		want    [3]byte
	}{"16 bits": {deep, [3]byte{128, 64, 255}}, "palette": {palette, [3]byte{0, 0, 255}}, "cmyk": {cmyk, [3]byte{255, 0, 0}}, "transparent": {clear, [3]byte{127, 127, 127}}} {
		got := [3]byte(square(Config{Size: 4}, row.picture)[:3])
		for i, w := range row.want {
			if d := int(got[i]) - int(w); d < -1 || d > 1 {
				t.Errorf("%s: %v, want %v", name, got, row.want)
				break
			}
		}
	}
}

// bomb is a PNG whose head says that it has so many pixels a side.
func bomb(side uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, side), side)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

// TestBomb refuses a picture by its size before it is decoded.
func TestBomb(t *testing.T) {
	if _, err := decode(Config{Size: 8}, bufio.NewReader(bytes.NewReader(bomb(1<<20)))); err == nil || !strings.Contains(err.Error(), "1048576 × 1048576 pixels") {
		t.Error(err)
	}
}

// FuzzDecode holds that no content makes the decoders panic, or gives a picture of another size.
func FuzzDecode(f *testing.F) {
	picture := halves(9, 7, red, blue)
	for _, encode := range []func(w io.Writer) error{
		func(w io.Writer) error { return png.Encode(w, picture) },
		func(w io.Writer) error { return jpeg.Encode(w, picture, nil) },
		func(w io.Writer) error { return gif.Encode(w, picture, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()/2])
	}
	f.Add(bomb(1 << 14))
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f"))
	f.Fuzz(func(t *testing.T, content []byte) {
		size, _, err := image.DecodeConfig(bytes.NewReader(content))
		if err == nil && size.Width*size.Height > 1<<20 {
			return // valid, and slow
		}
		pixels, err := decode(Config{Size: 4}, bufio.NewReader(bytes.NewReader(content)))
		if err == nil && len(pixels) != 48 {
			t.Errorf("%d bytes", len(pixels))
		}
	})
}
