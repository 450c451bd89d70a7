package data

import (
	"path/filepath"
	"strings"
)

// FormatOf is the format that a file's name tells, with or without .gz and .zst: that of
// .jsonl, .ndjson, .parquet, .csv, .tsv, .tab, .gtsh and .bin, and text for all others.
func FormatOf(name string) Format {
	base := strings.ToLower(name)
	for _, compressed := range []string{".gz", ".zst"} {
		base = strings.TrimSuffix(base, compressed)
	}
	switch filepath.Ext(base) {
	case ".jsonl", ".ndjson":
		return FormatJSONL
	case ".parquet":
		return FormatParquet
	case ".csv":
		return FormatCSV
	case ".tsv", ".tab":
		return FormatTSV
	case ".gtsh":
		return FormatShards
	case ".bin":
		return FormatBin
	}
	return FormatText
}
