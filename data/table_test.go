package data

import (
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// texts are the documents of a file on the training side.
func textsOf(t *testing.T, name, content string, cfg Config) ([]string, error) {
	t.Helper()
	cfg.Paths = []string{writeFile(t, filepath.Join(t.TempDir(), name), []byte(content))}
	all, err := read(cfg)
	return all[Train], err
}

// TestTable reads the column that text_key names, whatever stands within quotes.
func TestTable(t *testing.T) {
	quoted := "id,body,note\r\n1,\"one, two\r\n\r\nthree \"\"four\"\"\",x\r\n\r\n2,,y\r\n3,five,\"a\nb\"\r\n"
	for _, test := range []struct {
		name, content string
		cfg           Config
		want          []string
	}{
		{"a.csv", quoted, Config{Format: FormatCSV, TextKey: "body"}, []string{"one, two\n\nthree \"four\"", "five"}},
		{"a.csv.gz", string(gzipped(t, []byte(quoted))), Config{Format: FormatCSV, TextKey: "note"}, []string{"x", "y", "a\nb"}},
		{"mark.csv", "\xef\xbb\xbftext\none\ntwo", Config{Format: FormatCSV}, []string{"one", "two"}},
		{"spaces.csv", "id , text\n1,one\n", Config{Format: FormatCSV}, []string{"one"}},
		{"semicolon.csv", "id;text\n1;one, two\n2;\"three;\"\n", Config{Format: FormatCSV}, []string{"one, two", "three;"}},
		{"a.tsv", "id\ttext\n1\tone, two; three\n2\t\"fo\tur\"\n", Config{Format: FormatTSV}, []string{"one, two; three", "fo\tur"}},
		{"tabs.csv", "id\ttext\n1\tone, two\n", Config{Format: FormatCSV}, []string{"one, two"}},
		{"wide.csv", "text,n\nna\xefve,1\n", Config{Format: FormatCSV, Encoding: "windows-1252"}, []string{"naïve"}},
		{"empty.csv", "text\n", Config{Format: FormatCSV}, nil},
		{"long.csv", "text\n\"" + strings.Repeat("word ", 400_000) + "\"\n", Config{Format: FormatCSV}, []string{strings.Repeat("word ", 400_000)}},
	} {
		got, err := textsOf(t, test.name, test.content, test.cfg)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %.80q, %v", test.name, got, err)
		}
	}
}

// TestTableFaults: one error that names file and line, and what to do.
func TestTableFaults(t *testing.T) {
	for _, test := range []struct {
		name, content string
		format        Format
		want          []string
	}{
		{"ragged.csv", "id,text\n1,one\n2\n", FormatCSV, []string{"ragged.csv:3: 1 value, the first row has 2"}},
		{"comma.csv", "id,text\n\"a\nb\",x\n1,one, two\n", FormatCSV, []string{"comma.csv:4: 3 values, the first row has 2", "quote a text that holds the separator"}},
		{"bare.csv", "text\nsay \"hi\"\n", FormatCSV, []string{"bare.csv:2: a quote inside a value", "line 2, column 5"}},
		{"open.csv", "text\none\n\"two\nthree\n", FormatCSV, []string{"open.csv:3: the value's quote is not closed"}},
		{"behind.csv", "text\n\"two\" three\n", FormatCSV, []string{"behind.csv:2:", "text stands behind it"}},
		{"column.csv", "id,body\n1,one\n", FormatCSV, []string{`column.csv: no column "text" (set data.text_key to one of "id", "body")`}},
		{"twice.csv", "text,text\n1,one\n", FormatCSV, []string{`twice.csv:1: two columns are called "text"`}},
		{"latin1.csv", "text\none\nna\xefve\n", FormatCSV, []string{"latin1.csv: byte 11: 0xEF is not UTF-8"}},
		{"zero.csv", "text\n\x00\n", FormatCSV, []string{"byte 5: a zero byte"}},
		{"huge.csv", "text\nshort\n\"" + strings.Repeat("x\n", MaxTableRow/2+5000), FormatCSV, []string{"huge.csv: byte 11: a row of more than 16 MiB", "is a quote not closed?"}},
		{"a.png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", FormatCSV, []string{"a PNG image, no text"}},
	} {
		_, err := textsOf(t, test.name, test.content, Config{Format: test.format})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		wantError(t, err, test.want...)
	}
}

// Whatever a file holds, its rows are those of encoding/csv, in order and with rising lines, or there is an error.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{"text\none\n", "a,text\r\n\"x\ny\",\"z\"\"\"\r\n", "a;text\n1;2\n", "\"text", "text\n\n\n\"a\"b", ",\n,", "\xef\xbb\xbftext\n\xff", "text\ta\n\"\"\t\n"} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, content []byte, tabs bool) {
		format, last := FormatCSV, 0
		if tabs {
			format = FormatTSV
		}
		path := writeFile(t, filepath.Join(t.TempDir(), "f.csv"), content)
		var got [][]string
		err := ReadTable(path, format, "", func(line int, values []string) (bool, error) {
			if line <= last {
				return false, fmt.Errorf("line %d behind %d", line, last)
			}
			last = line
			got = append(got, slices.Clone(values))
			return true, nil
		})
		if err != nil {
			if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "behind") && strings.Contains(err.Error(), "line 0") {
				t.Errorf("%q: %v", content, err)
			}
			return
		}
		plain := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(content), "\xef\xbb\xbf")))
		plain.Comma = separator(format, []byte(strings.TrimPrefix(string(content), "\xef\xbb\xbf")))
		want, err := plain.ReadAll()
		if utf16 := strings.HasPrefix(string(content), "\xff\xfe") || strings.HasPrefix(string(content), "\xfe\xff") || strings.HasPrefix(string(content), "\x00\x00"); utf16 {
			return
		}
		if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%q: %q, %v; want %q", content, got, err, want)
		}
	})
}
