package picture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
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

	"example.com/gotrain/data"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// halves is a picture whose left half is one colour, its right half another.
func halves(width, height int, left, right color.Color) image.Image {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			if x < width/2 {
				p.Set(x, y, left)
			} else {
				p.Set(x, y, right)
			}
		}
	}
	return p
}

func encoded(t *testing.T, encode func(w io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var red, blue = color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}

func TestFormats(t *testing.T) {
	p := halves(8, 8, red, blue)
	sixteen := image.NewRGBA64(image.Rect(0, 0, 4, 4))
	clear := image.NewNRGBA(image.Rect(0, 0, 4, 4)) // transparent
	for i := range 16 {
		sixteen.Set(i%4, i/4, color.RGBA64{0xffff, 0, 0, 0xffff})
	}
	for name, row := range map[string]struct {
		content     []byte
		left, right [3]byte
		off         int
	}{
		"PNG":         {encoded(t, func(w io.Writer) error { return png.Encode(w, p) }), [3]byte{255, 0, 0}, [3]byte{0, 0, 255}, 0},
		"JPEG":        {encoded(t, func(w io.Writer) error { return jpeg.Encode(w, p, &jpeg.Options{Quality: 100}) }), [3]byte{255, 0, 0}, [3]byte{0, 0, 255}, 12},
		"GIF":         {encoded(t, func(w io.Writer) error { return gif.Encode(w, p, nil) }), [3]byte{255, 0, 0}, [3]byte{0, 0, 255}, 0},
		"16 bits":     {encoded(t, func(w io.Writer) error { return png.Encode(w, sixteen) }), [3]byte{255, 0, 0}, [3]byte{255, 0, 0}, 0},
		"transparent": {encoded(t, func(w io.Writer) error { return png.Encode(w, clear) }), [3]byte{255, 255, 255}, [3]byte{255, 255, 255}, 0},
		"wide":        {encoded(t, func(w io.Writer) error { return png.Encode(w, halves(40, 4, red, blue)) }), [3]byte{255, 0, 0}, [3]byte{0, 0, 255}, 0},
		"grey":        {encoded(t, func(w io.Writer) error { return png.Encode(w, image.NewGray(image.Rect(0, 0, 3, 3))) }), [3]byte{}, [3]byte{}, 0},
	} {
		set, err := Read(Config{Paths: []string{write(t, "x", row.content)}, Size: 4}, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := set.Train[0].Pixels
		near := func(at int, want [3]byte) bool {
			for i, w := range want {
				if d := int(got[at*3+i]) - int(w); d > row.off || -d > row.off {
					return false
				}
			}
			return true
		}
		if len(got) != 48 || !near(0, row.left) || !near(3, row.right) || !near(12, row.left) || !near(15, row.right) {
			t.Errorf("%s: %v", name, got)
		}
	}
	set, err := Read(Config{Paths: []string{write(t, "x", encoded(t, func(w io.Writer) error { return png.Encode(w, halves(2, 2, red, color.White)) }))}, Size: 2, Grey: true}, 0)
	if err != nil || !slices.Equal(set.Train[0].Pixels, []byte{76, 255, 76, 255}) {
		t.Errorf("in grey %v, %v", set, err)
	}
}

// idx is a file of count pictures of two rows of three pixels: number n has pixels n·10.
func idx(count uint32, pictures int) []byte {
	var b bytes.Buffer
	b.Write([]byte{0, 0, 8, 3})
	for _, n := range []uint32{count, 2, 2} {
		binary.Write(&b, binary.BigEndian, n)
	}
	for n := range pictures {
		b.Write(bytes.Repeat([]byte{byte(n * 10)}, 4))
	}
	return b.Bytes()
}

func TestIdx(t *testing.T) {
	packed := encoded(t, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		if _, err := z.Write(idx(5, 5)); err != nil {
			return err
		}
		return z.Close()
	})
	for name, content := range map[string][]byte{"plain": idx(5, 5), "gzip": packed} {
		path := write(t, "pictures-idx3-ubyte", content)
		set, err := Read(Config{Paths: []string{path}, Size: 2, Grey: true}, 0)
		if err != nil || len(set.Train) != 5 {
			t.Fatalf("%s: %+v, %v", name, set, err)
		}
		for i, p := range set.Train {
			if !slices.Equal(p.Pixels, bytes.Repeat([]byte{byte(i * 10)}, 4)) || p.Origin != (data.Origin{File: path, Offset: int64(i)}) {
				t.Errorf("%s: picture %d is %+v", name, i, p)
			}
		}
	}
}

func TestDamaged(t *testing.T) {
	good := encoded(t, func(w io.Writer) error { return png.Encode(w, halves(64, 64, red, blue)) })
	bomb := slices.Clone(good)
	binary.BigEndian.PutUint32(bomb[16:], 1<<20)
	binary.BigEndian.PutUint32(bomb[20:], 1<<20)
	copy(bomb[29:], []byte{0, 0, 0, 0})
	for name, row := range map[string]struct {
		content []byte
		want    string
	}{
		"text":      {[]byte("no picture at all, but text"), "no PNG, JPEG, GIF, WebP, idx, zip or tar file"},
		"empty":     {nil, "no PNG, JPEG, GIF, WebP, idx, zip or tar file"},
		"truncated": {good[:len(good)-30], "damaged"},
		"head":      {good[:20], "cannot be read"},
		"bomb":      {bomb, "picture"},
		"idx short": {idx(9, 5), "ends in picture 5 of 9"},
		"labels":    {[]byte{0, 0, 8, 1, 0, 0, 0, 1, 7}, "1 axes"},
		"gzip":      {[]byte{0x1f, 0x8b, 1, 2, 3}, "gzip"},
	} {
		path := write(t, "x", row.content)
		if _, err := Read(Config{Paths: []string{path}, Size: 8}, 0); err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "data.damaged") {
			t.Errorf("%s: %v", name, err)
		}
		kept := write(t, "good.png", good)
		if set, err := Read(Config{Paths: []string{path, kept}, Size: 8, Damaged: 1}, 0); err != nil || len(set.Damaged) != 1 || len(set.Train) < 1 {
			t.Errorf("%s, left out: %+v, %v", name, set, err)
		}
	}
	var wrong *data.SettingError
	if _, err := Read(Config{Paths: []string{write(t, "x", nil)}, Size: 8, Damaged: 1}, 0); !errors.As(err, &wrong) {
		t.Errorf("without a picture: %v", err)
	}
	if _, err := Read(Config{Shapes: 3, Size: 8, Validation: 1e-9}, 0); !errors.As(err, &wrong) {
		t.Errorf("without one held out: %v", err)
	}
}

// TestShapes draws known shapes: the middle has the colour, the corners are white, and the
// covered area is that of the form.
func TestShapes(t *testing.T) {
	c := Config{Size: 64}
	areas := map[string]float64{"circle": 3.14159, "square": 2.89, "triangle": 1.53125}
	for number := range uint64(40) {
		s := NewShape(7, number)
		p := s.Draw(c)
		covered := 0.0
		for i := range 64 * 64 {
			at := p[3*i:][:3]
			white := (255 - float64(min(at[0], at[1], at[2]))) / (255 - float64(min(colours[s.Colour].R, colours[s.Colour].G, colours[s.Colour].B)))
			covered += white / (64 * 64)
		}
		want := areas[Forms[s.Form]] * s.Radius * s.Radius
		middle := p[3*(int(s.Y*64)*64+int(s.X*64)):][:3]
		if !slices.Equal(middle, []byte{colours[s.Colour].R, colours[s.Colour].G, colours[s.Colour].B}) || covered < 0.95*want || covered > 1.05*want {
			t.Errorf("shape %d, %s %s: middle %v, %.4f covered, want %.4f", number, Colours[s.Colour], Forms[s.Form], middle, covered, want)
		}
		if !slices.Equal(p[:3], []byte{255, 255, 255}) && s.X-s.Radius > 0.05 {
			t.Errorf("shape %d: the corner is %v", number, p[:3])
		}
	}
	draw := func(seed, number uint64) []byte { return NewShape(seed, number).Draw(c) }
	if slices.Equal(draw(7, 1), draw(7, 2)) || !slices.Equal(draw(7, 1), draw(7, 1)) || slices.Equal(draw(7, 1), draw(8, 1)) {
		t.Error("shapes are no function of seed and number")
	}
}

func TestLoader(t *testing.T) {
	c := Config{Size: 2, Grey: true}
	var set []Picture
	for i := range 5 {
		set = append(set, Picture{Pixels: []byte{byte(i), byte(i + 100), byte(i), byte(i + 100)}, Origin: data.Origin{Offset: int64(i)}})
	}
	l := &Loader{Rows: data.Rows{Batch: 2}, Config: c, Set: set, Seed: 3}
	b := l.NewBatch()
	var seen []byte
	for position := uint64(0); position < 10; position += 2 {
		if err := l.Fill(b, position); err != nil || b.Weight != 2 || b.Position != position {
			t.Fatalf("%+v, %v", b, err)
		}
		for row := range 2 {
			p := b.Raw[Field][4*row:][:4]
			if seen = append(seen, p[0]); p[1] != p[0]+100 || b.Floats[Counts][row] != 1 || b.From[row].Offset != int64(p[0]) {
				t.Errorf("row %d is %v, %+v", row, p, b)
			}
		}
	}
	for pass := range 2 {
		each := slices.Sorted(slices.Values(seen[5*pass:][:5]))
		if !slices.Equal(each, []byte{0, 1, 2, 3, 4}) {
			t.Errorf("pass %d has %v", pass, each)
		}
	}
	if slices.Equal(seen[:5], seen[5:]) {
		t.Error("two passes have one order")
	}
	held := &Loader{Rows: data.Rows{Batch: 2}, Config: c, Set: set, Held: true}
	if err := held.Fill(b, 4); err != nil || b.Weight != 1 || !slices.Equal(b.Floats[Counts], []float32{1, 0}) || !slices.Equal(b.Raw[Field], []byte{4, 104, 4, 104, 0, 0, 0, 0}) {
		t.Errorf("the last is %+v, %v", b, err)
	}
	if err := held.Fill(b, 5); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
	l.Config.Flip = true
	mirrored := 0
	for position := uint64(0); position < 400; position += 2 {
		if err := l.Fill(b, position); err != nil {
			t.Fatal(err)
		}
		for row := range 2 {
			if p := b.Raw[Field][4*row:][:4]; p[0] == p[1]+100 && p[2] == p[0] {
				mirrored++
			} else if p[1] != p[0]+100 {
				t.Fatalf("%v", p)
			}
		}
	}
	if mirrored < 150 || mirrored > 250 {
		t.Errorf("%d of 400 are mirrored", mirrored)
	}
}

func TestSettings(t *testing.T) {
	for want, c := range map[string]Config{
		"data.size":          {Shapes: 1},
		"data.validation is": {Shapes: 1, Size: 1, Validation: 1},
		"data.shapes is":     {Shapes: -1, Size: 1},
		"data.damaged":       {Shapes: 1, Size: 1, Damaged: -1},
		"exclude":            {Shapes: 1, Size: 1, Paths: []string{"x"}},
		"names no pictures":  {Size: 1},
		"validation_paths":   {Shapes: 1, Size: 1, Validation: 0.1, ValidationPaths: []string{"x"}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	if c := (Config{Shapes: 1, Size: MaxSize, Grey: true}); c.Validate() != nil || c.Bytes() != MaxSize*MaxSize {
		t.Errorf("%v, %d", c.Validate(), c.Bytes())
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := png.Encode(&b, halves(3, 5, red, blue)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(idx(2, 2))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		c := Config{Paths: []string{path}, Size: 3}
		set, err := Read(c, 0)
		if err != nil {
			return
		}
		for _, p := range set.Train {
			if len(p.Pixels) != c.Bytes() {
				t.Fatalf("a picture of %d bytes", len(p.Pixels))
			}
		}
	})
}
