package data

import (
	"path/filepath"
	"strings"
)

// FormatOf is the format that a file's name tells, with or without .gz and .zst: that of
// .jsonl, .ndjson, .parquet, .csv, .tsv, .tab, .gtsh and .bin, and text for all others.
func FormatOf(name string) Format {
	switch filepath.Ext(TrimCompression(strings.ToLower(name))) {
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

// TrimCompression takes off a name what says how the file is compressed.
func TrimCompression(name string) string {
	for _, compressed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, compressed)
	}
	return name
}
