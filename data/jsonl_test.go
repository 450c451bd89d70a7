package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// A long record reads as a short one does, whatever stands around its text, and errors are in the same lines.
func TestLongRecords(t *testing.T) {
	long := strings.Repeat("word \\u00e9\\n\\n", 150_000) // 2 MiB
	body := strings.Repeat("x", 2<<20)
	good := `{"n": {"a": [1, "}\"", null]}, "text": "` + long + `", "z": "` + body + `"}`
	for _, tt := range []struct{ name, content, want string }{
		{"all", good + "\n\n{\"text\": \"short\"}\r\n" + good + "\n{\"text\": \"" + body + "\"}", ""},
		{"one", good, ""},
		{"empty", `{"text": "", "z": "` + body + body + "\"}\n{\"text\": \"short\"}", ""},
		{"behind", "{\"text\": \"short\"}\n" + good + " x\n", ":2: not JSON: text behind the object"},
		{"twice", strings.TrimSuffix(good, "}") + `, "text": "x"}`, `:1: the key "text" stands twice`},
		{"none", `{"z": "` + body + body + `"}`, `:1: no key "text"`},
		{"number", `{"z": "` + body + body + `", "text": 7}`, `:1: the value of key "text" is not a string at column 4194323`},
		{"cut", good[:3<<20], ":1: not JSON: a string without end at column 3145729"},
		{"control", `{"text": "` + body + "\x01\"}", "a control character in a string"},
		{"half", `{"text": "` + body + `\ud800"}`, "half of a surrogate pair"},
		{"bytes", "{\"text\": \"short\"}\n{\"text\": \"" + body + "\xff\"}", ":2: byte 2097180: 0xFF is not UTF-8"},
		{"array", `[{"text": "` + body + `"}]`, "a JSON array, not a JSON object a line"},
		{"text", body + body, `"xxxxxxxxxxxxxxxxxxxx" begins no JSON object`},
	} {
		for _, gz := range []bool{false, true}[:1+len(tt.name)%2] { // half of them compressed too
			content := []byte(tt.content)
			if gz {
				content = gzipped(t, content)
			}
			path := writeFile(t, filepath.Join(t.TempDir(), tt.name+".jsonl"), content)
			for _, validation := range []float64{0, 0.3} {
				var got [2]string
				for i, longest := range []int{1 << 10, 1 << 30} {
					c, err := OpenCorpus(Config{Paths: []string{path}, Format: FormatJSONL, Validation: validation})
					if err != nil {
						t.Fatal(err)
					}
					c.longest = longest
					ledger := c.Note()
					for d, err := range c.Documents() {
						if err != nil {
							if tt.want == "" || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
								t.Errorf("%s, lines of %d: %v, want %q", tt.name, longest, err, tt.want)
							}
							got[i] = "error"
							break
						}
						got[i] += fmt.Sprintln(d.Record, len(d.Text), d.Split, d.More, hashOf(d.Text))
					}
					if got[i] != "error" {
						if tt.want != "" {
							t.Errorf("%s, lines of %d: no error, want %q", tt.name, longest, tt.want)
						}
						got[i] += fmt.Sprint(ledger)
					}
				}
				if got[0] != got[1] {
					t.Errorf("%s, validation %v: read in parts\n%swhole\n%s", tt.name, validation, got[0], got[1])
				}
			}
		}
	}
}

// Memory does not grow with a record, and the estimate holds.
func TestLongRecordsTakeNoMemory(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "long.jsonl"), []byte(`{"text": "`+strings.Repeat("word ", 10<<20)+`"}`))
	cfg := Config{Paths: []string{path}, Format: FormatJSONL, Validation: 0.1, Workers: 2}
	c, err := OpenCorpus(cfg)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	base, most, pieces := heap(), int64(0), 0
	for _, err := range c.Documents() {
		if err != nil {
			t.Fatal(err)
		}
		if pieces++; pieces%8 == 0 {
			most = max(most, heap()-base)
		}
	}
	if bound := int64(16 << 20); pieces < 50 || most > bound {
		t.Errorf("%d bytes for %d pieces, want at most %d", most, pieces, bound)
	}
	if m := cfg.Memory(); m.Passing < most || m.Passing > 256<<20 || m.Kept != 0 {
		t.Errorf("the estimate is %+v, and reading takes %d", m, most)
	}
	if m := (Config{Paths: []string{filepath.Join(t.TempDir(), "none")}}).Memory(); m != (Memory{}) {
		t.Errorf("of no file: %+v", m)
	}
}

func hashOf(text []byte) uint64 {
	sum := uint64(len(text))
	for _, c := range text {
		sum = sum*31 + uint64(c)
	}
	return sum
}

// stringField is the oracle.
func FuzzLongText(f *testing.F) {
	for _, seed := range []string{`{"text": "abc"}`, `{"a": {"b": [1.5e-3, true, null], "c": {}}, "text": "\u00e9\ud83d\ude00\n"}`, `{"text": 1}`, `{}`, `[]`, ``,
		`{"text": "a", "text": "b"}`, `{"a": -0, "text": "", "b": []}`, `{"text": "\ud800\u0041"}`, "{\"text\"\x00:1}", `{"a": 01}`, `{"text": "a"} x`, `{"te\u0078t": "a",}`, `{"a":[[{"text":"b"}]],"text":"c"}`} {
		f.Add([]byte(seed))
	}
	for depth := 9998; depth <= 10001; depth++ { // at the bound of encoding/json
		f.Add([]byte(`{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `,"text":"x"}`))
		f.Add([]byte(strings.Repeat(`{"a":`, depth) + `1` + strings.Repeat("}", depth)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) || bytes.IndexByte(in, '\n') >= 0 {
			return
		}
		for _, read := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
			text := &longText{in: bufio.NewReaderSize(read(bytes.NewReader(append(slices.Clone(in), "\nnext"...))), 64), key: "text"}
			got, err := io.ReadAll(text)
			want, wantErr := stringField(bytes.Clone(in), "text")
			if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%q: %q %v, want %q %v", in, got, err, want, wantErr)
			}
			if err == nil && text.at != int64(len(in))+1 {
				t.Errorf("%q: %d bytes read of %d", in, text.at, len(in)+1)
			}
		}
	})
}
