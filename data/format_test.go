package data_test

import (
	"testing"

	"example.com/gotrain/data"
)

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]data.Format{
		"a.txt": data.FormatText, "README": data.FormatText, "a.jsonl": data.FormatJSONL, "a.NDJSON.gz": data.FormatJSONL,
		"a.parquet": data.FormatParquet, "dir.jsonl/a.gtsh": data.FormatShards, "a.jsonl.zst": data.FormatJSONL,
	} {
		if got := data.FormatOf(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
