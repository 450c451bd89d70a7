package data

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// FuzzParquet reads damaged and hostile Parquet files: they end with an error or
// their documents, in the memory of one page. parquet-go takes as much for it as the
// page says, 2 GiB at most packed and as much unpacked.
func FuzzParquet(f *testing.F) {
	type row struct {
		ID   int64   `parquet:"id"`
		Text string  `parquet:"text"`
		Note *string `parquet:"note,optional"`
	}
	note := "note"
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Zstd, &parquet.Gzip} {
		var file bytes.Buffer
		w := parquet.NewGenericWriter[row](&file, parquet.MaxRowsPerRowGroup(4), parquet.Compression(codec))
		if _, err := w.Write([]row{{1, "first", nil}, {2, "second", &note}, {3, "", nil}, {4, "fourth", nil}, {5, "fifth", &note}}); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "a.parquet")
		if err := os.WriteFile(name, text, 0o666); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		documents := 0
		err := parquetFile(name, "text", func(d Document) bool {
			documents += len(d.Text)
			return documents < 1<<20
		})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<30+64<<20 {
			t.Errorf("%d bytes took %d MiB (%v)", len(text), n>>20, err)
		}
	})
}
