package data

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// read returns the whole documents of a corpus by split.
func read(cfg Config) (texts [2][]string, err error) {
	c, err := OpenCorpus(cfg)
	if err != nil {
		return texts, err
	}
	open := false
	for document, err := range c.Documents() {
		if err != nil {
			return texts, err
		}
		side := &texts[document.Split]
		if open {
			(*side)[len(*side)-1] += string(document.Text)
		} else {
			*side = append(*side, string(document.Text))
		}
		open = document.More
	}
	return texts, nil
}

func gzipped(t *testing.T, text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, text []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

func TestTextDocuments(t *testing.T) {
	dir := t.TempDir()
	long := prose(3 << 20)
	writeFile(t, filepath.Join(dir, "a.txt"), []byte("one"))
	writeFile(t, filepath.Join(dir, "b.txt"), nil)
	writeFile(t, filepath.Join(dir, "c.txt"), gzipped(t, []byte("two")))
	writeFile(t, filepath.Join(dir, "d.txt"), zstandard(t, []byte("three")))
	writeFile(t, filepath.Join(dir, "e.txt"), long)
	got, err := read(Config{Paths: []string{dir + "/*"}})
	want := []string{"one", "two", "three", string(long)}
	if err != nil || !slices.Equal(got[Train], want) || len(got[Validation]) > 0 {
		t.Errorf("got %d train, %d validation documents, %v", len(got[Train]), len(got[Validation]), err)
	}
}

func TestTruncatedStream(t *testing.T) {
	for name, content := range map[string][]byte{"gzip": gzipped(t, prose(1<<16)), "zstd": zstandard(t, prose(1<<16))} {
		path := writeFile(t, filepath.Join(t.TempDir(), name), content[:len(content)/2])
		_, err := read(Config{Paths: []string{path}})
		wantError(t, err, path, "unexpected EOF")
	}
}

func TestJSONLDocuments(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", 3<<20)
	path := writeFile(t, filepath.Join(dir, "a.jsonl"), []byte("\ufeff{\"text\":\"one\"}\r\n\n{\"text\":\"\"}\n{\"text\":\""+long+"\"}\n{\"id\":7,\"text\":\"last\"}"))
	got, err := read(Config{Paths: []string{path}, Format: FormatJSONL})
	if err != nil || !slices.Equal(got[Train], []string{"one", long, "last"}) {
		t.Errorf("got %d documents, %v", len(got[Train]), err)
	}
	writeFile(t, path, []byte("{\"text\":\"one\"}\n\n{\"body\":\"two\"}\n"))
	_, err = read(Config{Paths: []string{path}, Format: FormatJSONL})
	wantError(t, err, path+":3: ", `no key "text"`)
	_, err = read(Config{Paths: []string{path}, Format: FormatJSONL, TextKey: "body"})
	wantError(t, err, path+":1: ", `no key "body"`)
}

func TestParquetDocuments(t *testing.T) {
	type meta struct {
		Title string `parquet:"title"`
	}
	type row struct {
		ID   int64   `parquet:"id"`
		Text string  `parquet:"text"`
		Note *string `parquet:"note,optional"`
		Meta meta    `parquet:"meta"`
	}
	rows := make([]row, 1000)
	var want, titles []string
	for i := range rows {
		rows[i] = row{ID: int64(i), Text: fmt.Sprintf("document %d", i), Meta: meta{fmt.Sprintf("title %d", i/100)}}
		want = append(want, rows[i].Text)
		titles = append(titles, rows[i].Meta.Title)
	}
	note := "here"
	rows[0].Note = &note
	path := filepath.Join(t.TempDir(), "a.parquet")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[row](file, parquet.MaxRowsPerRowGroup(300), parquet.PageBufferSize(1000), parquet.Compression(&parquet.Zstd))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file.Close()

	got, err := read(Config{Paths: []string{path}, Format: FormatParquet})
	if err != nil || !slices.Equal(got[Train], want) {
		t.Errorf("got %d documents, %v", len(got[Train]), err)
	}
	got, err = read(Config{Paths: []string{path}, Format: FormatParquet, TextKey: "meta.title"})
	if err != nil || !slices.Equal(got[Train], titles) {
		t.Errorf("got %d titles, %v", len(got[Train]), err)
	}
	for key, part := range map[string]string{"body": `no column "body" (set text_key to one of `, "id": "not one string a row", "note": `row 2: column "note" is null`} {
		_, err = read(Config{Paths: []string{path}, Format: FormatParquet, TextKey: key})
		wantError(t, err, path, part)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(Config{Paths: []string{writeFile(t, path, content[:len(content)-9])}, Format: FormatParquet})
	wantError(t, err, path)
}

// Opticks is the corpus of the default configuration: one file of 567 KB.
func TestSplitOfOneBook(t *testing.T) {
	paths, err := ExpandPaths([]string{"$GOROOT/src/testdata/Isaac.Newton-Opticks.txt"})
	if err != nil {
		t.Fatal(err)
	}
	book, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(Config{Paths: paths, Validation: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, piece := range got[Validation] {
		held += len(piece)
		if len(piece) < 4000 {
			t.Errorf("a held-out piece has only %d bytes", len(piece))
		}
		if bytes.Count(book, []byte(piece)) != 1 {
			t.Errorf("a held-out piece of %d bytes occurs %d times in the book", len(piece), bytes.Count(book, []byte(piece)))
		}
	}
	if fraction := float64(held) / float64(len(book)); math.Abs(fraction-0.1) > 0.02 {
		t.Errorf("%.3f of the book is held out in %d pieces", fraction, len(got[Validation]))
	}
	if n := len(got[Validation]); n < 5 || n > 10 {
		t.Errorf("%d held-out pieces", n)
	}
	for _, piece := range got[Train] {
		for _, held := range got[Validation] {
			// A line of the middle of a held-out piece must not be in the training text.
			middle := held[len(held)/2:]
			if line := middle[:min(200, len(middle))]; strings.Contains(piece, line) {
				t.Errorf("training text holds %q", line)
			}
		}
	}
}

// Whatever the text, the documents of both sides in order are the file, and a copy elsewhere splits alike.
func TestSplitKeepsText(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"word ", "é", "\n", "\n\n", "\r\n\r\n", "😀", strings.Repeat("long", 9000)}), 1, 400).Draw(rt, "words")
		text := strings.Join(words, "")
		fraction := rapid.SampledFrom([]float64{0, 0.01, 0.1, 0.5}).Draw(rt, "fraction")
		path := writeFile(t, filepath.Join(dir, "a.txt"), []byte(text))
		c, err := OpenCorpus(Config{Paths: []string{path}, Validation: fraction})
		if err != nil {
			rt.Fatal(err)
		}
		var got strings.Builder
		var sides []Split
		last := Document{}
		for d, err := range c.Documents() {
			if err != nil {
				rt.Fatal(err)
			}
			if last.More && d.Split != last.Split {
				rt.Fatal("a document changes sides")
			}
			if len(d.Text) == 0 || len(d.Text) > maxPiece+cutSlack {
				rt.Fatalf("a piece of %d bytes", len(d.Text))
			}
			got.Write(d.Text)
			sides = append(sides, d.Split)
			last = d
		}
		if last.More {
			rt.Fatal("the last document goes on")
		}
		if got.String() != text {
			rt.Fatalf("text of %d bytes came back as %d", len(text), got.Len())
		}
		copied := writeFile(t, filepath.Join(dir, "z", "copy.txt"), []byte(text))
		c, err = OpenCorpus(Config{Paths: []string{copied}, Validation: fraction})
		if err != nil {
			rt.Fatal(err)
		}
		i := 0
		for d := range c.Documents() {
			if d.Split != sides[i] {
				rt.Fatal("a copy splits differently")
			}
			i++
		}
	})
}

func TestSplitOfRecords(t *testing.T) {
	dir := t.TempDir()
	var forward, backward bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&forward, "{\"text\":\"document %d\"}\n", i)
		fmt.Fprintf(&backward, "{\"text\":\"document %d\"}\n", 4999-i)
	}
	a, err := read(Config{Paths: []string{writeFile(t, filepath.Join(dir, "a.jsonl"), forward.Bytes())}, Format: FormatJSONL, Validation: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := read(Config{Paths: []string{writeFile(t, filepath.Join(dir, "b.jsonl"), backward.Bytes())}, Format: FormatJSONL, Validation: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(b[Validation])
	if !slices.Equal(a[Validation], b[Validation]) {
		t.Error("the split depends on the order")
	}
	if n := len(a[Validation]); n < 400 || n > 600 {
		t.Errorf("%d of 5000 held out, want about 500", n)
	}
}

func TestSplitOfManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 400 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), fmt.Appendf(prose(30_000), "file %d", i)[i:])
	}
	got, err := read(Config{Paths: []string{dir + "/*"}, Validation: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got[Validation]); n < 20 || n > 60 || len(got[Train])+n != 400 {
		t.Errorf("%d + %d files, want about 360 + 40 whole ones", len(got[Train]), n)
	}
}

func TestCutPoint(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"one two\nthree\n\n\nfour", 5, "one two\nthree\n\n\n"},
		{"one two\r\nthree\r\n\r\nfour", 5, "one two\r\nthree\r\n\r\n"},
		{"one\n\ntwo", 4, "one\n\n"},
		{"one\n\ntwo", 5, "one\n\n"},
		{"one two\nthree four", 5, "one two\n"},
		{"one two three", 5, "one two "},
		{"éééé", 3, "éééé"},
		{"ééé\xc3", 3, "ééé"},
		{"éé\xff\xff", 3, "éé\xff\xff"},
	} {
		if got := test.text[:cutPoint([]byte(test.text), test.n)]; got != test.want {
			t.Errorf("%q from %d: %q, want %q", test.text, test.n, got, test.want)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	err := Config{Format: "xml", Validation: 2, ValidationPaths: []string{"x"}, Workers: -1, ShardTokens: -1}.Validate()
	wantError(t, err, "train: no paths", `unknown "xml" (one of text, jsonl, parquet, csv, tsv, shards, bin)`, "outside [0, 0.5]", "both set", "workers", "shard_tokens")
	wantError(t, Config{Paths: []string{"x"}, Format: FormatShards, Validation: 0.1}.Validate(), "tokens are already split")
	path := writeFile(t, filepath.Join(t.TempDir(), "a"), nil)
	_, err = OpenCorpus(Config{Paths: []string{path}, ValidationPaths: []string{path}})
	wantError(t, err, path, "in train and in validation_paths")
}
