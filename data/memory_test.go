package data

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// The heads of pages tell what a long value of Parquet takes, in the column that is read and in all.
func TestParquetPages(t *testing.T) {
	type row struct {
		Text string `parquet:"text"`
		Note string `parquet:"note"`
	}
	const long = 8 << 20
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Zstd} {
		var file bytes.Buffer
		w := parquet.NewGenericWriter[row](&file, parquet.Compression(codec), parquet.MaxRowsPerRowGroup(2))
		for _, n := range []int{10, long, 1000} {
			if _, err := w.Write([]row{{strings.Repeat("word ", n/5), strings.Repeat("n", 1<<20)}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := writeFile(t, filepath.Join(t.TempDir(), "a.parquet"), file.Bytes())
		if n := ParquetPages(path, "text"); n < long || n > 3*long+4096 { // the head of its page has it twice more, as bounds
			t.Errorf("%v: pages of %d, want %d", codec, n, long)
		}
		if n := ParquetPages(path, ""); n < long+1<<20 || n > 5*long {
			t.Errorf("%v: pages of all columns of %d, want %d", codec, n, long+1<<20)
		}
		cfg := Config{Paths: []string{path}, Format: FormatParquet, Workers: 1}
		if m := cfg.Memory(); m.Passing < 3*long {
			t.Errorf("%v: %+v for a value of %d bytes", codec, m, long)
		}
		if n := ParquetPages(path, "none") + ParquetPages(path+".none", ""); n != 0 {
			t.Errorf("of nothing: %d", n)
		}
	}
}
