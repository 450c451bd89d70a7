package data

import (
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// ParquetPages returns the bytes of the largest page, decompressed, of the column named key, as in Config.TextKey, or of each
// column together where key is "": what reading a Parquet file holds at once. It reads the heads of pages. Of a file that
// cannot be read it is 0.
func ParquetPages(name, key string) (bytes int64) {
	file, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer file.Close()
	err = ReadParquet(name, func(table *parquet.File) error {
		pages := map[string]int64{}
		for _, group := range table.Metadata().RowGroups {
			for i := range group.Columns {
				if c := &group.Columns[i].MetaData; key == "" || strings.Join(c.PathInSchema, ".") == key {
					path := strings.Join(c.PathInSchema, ".")
					pages[path] = max(pages[path], largestPage(file, c))
				}
			}
		}
		for _, n := range pages {
			bytes += n
		}
		return nil
	})
	if err != nil {
		return 0
	}
	return bytes
}

// largestPage returns the bytes of the largest page of a column of a row group; of all its pages if their heads cannot be read.
func largestPage(file *os.File, c *format.ColumnMetaData) (largest int64) {
	const (
		headBytes = 16 << 10
		maxPages  = 10_000
	)
	at := c.DataPageOffset
	if c.DictionaryPageOffset > 0 {
		at = min(at, c.DictionaryPageOffset)
	}
	head := make([]byte, headBytes)
	for end, n := at+c.TotalCompressedSize, 0; at < end && n < maxPages; n++ {
		read, _ := file.ReadAt(head[:min(headBytes, end-at)], at)
		var page format.PageHeader
		protocol := thrift.CompactProtocol{}
		reader := protocol.NewReaderFromBytes(head[:read])
		if err := thrift.NewDecoder(reader).Decode(&page); err != nil || page.CompressedPageSize < 0 {
			return c.TotalUncompressedSize
		}
		largest = max(largest, int64(page.UncompressedPageSize))
		at += int64(reader.BytesRead()) + int64(page.CompressedPageSize)
	}
	return largest
}
