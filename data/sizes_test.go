package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Memory of the text of small and large files in each format, added up by hand.
func TestMemoryByHand(t *testing.T) {
	const mib = 1 << 20
	dir := t.TempDir()
	file := func(name string, size int) string {
		return writeFile(t, filepath.Join(dir, name), make([]byte, size))
	}
	gzipped := writeFile(t, filepath.Join(dir, "a.gz"), append([]byte{0x1f, 0x8b}, make([]byte, 998)...))
	for name, c := range map[string]struct {
		cfg  Config
		want int64
	}{
		// Text and tokens of all of it (1 + 5 bytes a byte), buffers of 8 bytes a byte; both twice.
		"small": {Config{Paths: []string{file("a.txt", 1000)}, Workers: 2}, 2 * (6*1000 + 8*1000)},
		// A compressed file has four times as much.
		"compressed": {Config{Paths: []string{gzipped}, Workers: 2}, 2 * (6*4000 + 8*4000)},
		"JSON":       {Config{Paths: []string{file("a.jsonl", 1000)}, Format: FormatJSONL, Workers: 2}, 2 * (6*1000 + 8*1000 + 2*1000)},
		"table":      {Config{Paths: []string{file("a.csv", 1000)}, Format: FormatCSV, Workers: 2}, 2 * (6*1000 + 8*1000 + 3*1000)},
		"tabs":       {Config{Paths: []string{file("a.tsv", 1000)}, Format: FormatTSV, Workers: 2}, 2 * (6*1000 + 8*1000 + 3*1000)},
		"held out":   {Config{Paths: []string{file("b.txt", 1000)}, ValidationPaths: []string{file("c.txt", 500)}, Workers: 2}, 2 * (6*1500 + 8*1500)},
		// Two workers and four jobs of 256 KiB and a piece of 1 MiB + 64 KiB; encoders of 16 MiB, 8 MiB of shards.
		"workers": {Config{Paths: []string{file("d.txt", mib), file("e.txt", 63*mib/8), file("f.txt", mib)}, Workers: 2},
			2 * (6*(mib/4+17*mib/16)*6 + 2*16*mib + 8*mib + 2*17*mib/16 + 3*mib*6)},
		"short jobs": {Config{Paths: []string{file("g.txt", mib), file("h.txt", mib)}, Workers: 1}, 2 * (2*mib*6 + 8*2*mib)},
		// Buffers of lines of 4 MiB, twice.
		"long lines": {Config{Paths: []string{file("i.jsonl", 20*mib)}, Format: FormatJSONL, Workers: 1},
			2 * (5*(mib/4+17*mib/16)*6 + 16*mib + 8*mib + 17*mib/16 + 3*mib*6 + 2*4*mib)},
		// Rows of 16 MiB, three times.
		"long rows": {Config{Paths: []string{file("i.csv", 20*mib)}, Format: FormatCSV, Workers: 1},
			2 * (5*(mib/4+17*mib/16)*6 + 16*mib + 8*mib + 17*mib/16 + 3*mib*6 + 3*16*mib)},
		"tokens": {Config{Paths: []string{file("a.gtsh", 1000)}, Format: FormatShards, Workers: 2}, 0},
		// Sources are read one after the other.
		"sources": {Config{Sources: []SourceConfig{{Paths: []string{filepath.Join(dir, "a.txt")}}, {Paths: []string{filepath.Join(dir, "a.csv")}}}, Workers: 2}, 2 * (6*1000 + 8*1000 + 3*1000)},
	} {
		if got := c.cfg.Memory(); got != (Memory{Passing: c.want}) {
			t.Errorf("%s: %+v, want %d", name, got, c.want)
		}
	}
}

// Texts of a file by its name: lines without those that are empty, records at a key, rows of a column.
func TestLines(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, content, key string
		want               []string
		fault              string
	}{
		{"a.txt", "one\n\n  two \r\n\t\nthree", "", []string{"one", "two", "three"}, ""},
		{"a.md", "# A\nb", "text", []string{"# A", "b"}, ""},
		{"a.jsonl", "{\"text\": \"one\\ntwo\"}\n{\"text\": \"three\"}\n", "", []string{"one\ntwo", "three"}, ""},
		{"b.jsonl", "{\"text\": \"no\", \"q\": \"yes\"}\n", "q", []string{"yes"}, ""},
		{"a.csv", "id,text\n1,one\n2,\"two, three\"\n", "", []string{"one", "two, three"}, ""},
		{"a.tsv", "id\ttitle\n1\tone\n", "title", []string{"one"}, ""},
		{"empty.txt", " \n\n", "", nil, "empty.txt has no text"},
		{"long.txt", strings.Repeat("x", 16<<20), "", nil, "long.txt: bufio.Scanner: token too long"},
		{"wrong.jsonl", "{\"text\": 1}\n", "", nil, "wrong.jsonl"},
	} {
		path := writeFile(t, filepath.Join(dir, c.name), []byte(c.content))
		got, err := Lines(path, c.key)
		if !slices.Equal(got, c.want) || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %q, %v; want %q, %q", c.name, got, err, c.want, c.fault)
		}
	}
	if _, err := Lines(filepath.Join(dir, "none.txt"), ""); err == nil {
		t.Error("lines of no file")
	}
}

// The name of a source follows from its first path.
func TestSourceNames(t *testing.T) {
	taken := map[string]bool{"books": true, "books-2": true}
	for i, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{"corpora/wiki.txt", "b.txt"}, "wiki"},
		{[]string{"corpora/wiki.jsonl.zst"}, "wiki"},
		{[]string{"corpora/code/*.go"}, "code"},
		{[]string{"corpora/code/**/*.go"}, "code"},
		{[]string{"books/[ab].txt"}, "books-3"},
		{[]string{"a b(c)é_1-2.x.txt"}, "abcé_1-2.x"},
		{[]string{".hidden"}, "source-7"},
		{[]string{"*.txt"}, "source-8"},
		{nil, "source-9"},
		{[]string{"  "}, "source-10"},
	} {
		if got := sourceName(c.paths, i, taken); c.want != got {
			t.Errorf("%q: %q, want %q", c.paths, got, c.want)
		}
	}
}

// pack is best-fit decreasing by a loop over all rows; of equal ones it takes that which was filled last.
func pack(lengths []int, capacity int) (rows [][]int) {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return lengths[b] - lengths[a] })
	var room, filled []int
	for time, i := range order {
		best := -1
		for r := range rows {
			if room[r] >= lengths[i] && (best < 0 || room[r] < room[best] || room[r] == room[best] && filled[r] > filled[best]) {
				best = r
			}
		}
		if best < 0 {
			best, rows, room, filled = len(rows), append(rows, nil), append(room, capacity), append(filled, 0)
		}
		filled[best] = time
		rows[best], room[best] = append(rows[best], i), room[best]-lengths[i]
	}
	return rows
}

// Rows have the fill that best-fit decreasing gives, each example stands in one of them in every epoch, and where lengths are
// equal examples change places from epoch to epoch and seed to seed.
func TestPacking(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		capacity := 1 + r.IntN(200)
		lengths := make([]int, 1+r.IntN(120))
		var sum int64
		for i := range lengths {
			lengths[i] = 1 + r.IntN(capacity)
			sum += int64(lengths[i])
		}
		p := NewPacking(lengths, capacity, true)
		want := pack(lengths, capacity)
		if p.Rows() != len(want) || p.Positions() != sum {
			t.Fatalf("capacity %d: %d rows, %d positions, want %d, %d", capacity, p.Rows(), p.Positions(), len(want), sum)
		}
		fills := func(row func(int) []int) map[string]int {
			count := map[string]int{}
			for i := range p.Rows() {
				var of []int
				for _, e := range row(i) {
					of = append(of, lengths[e])
				}
				count[fmt.Sprint(of)]++
			}
			return count
		}
		wanted := fills(func(i int) []int { return want[i] })
		for _, row := range []func(int) []int{
			func(i int) []int { return slices.Collect(p.Row(i)) },
			func(i int) []int { return slices.Collect(p.Sample(uint64(i), 7, 0)) },
			func(i int) []int { return slices.Collect(p.Sample(uint64(i), 7, 5)) },
		} {
			if got := fills(row); !maps.Equal(got, wanted) {
				t.Fatalf("capacity %d, lengths %d: rows %v, want %v", capacity, lengths, got, wanted)
			}
			seen := map[int]bool{}
			for i := range p.Rows() {
				for _, e := range row(i) {
					if seen[e] {
						t.Fatalf("example %d stands twice in an epoch", e)
					}
					seen[e] = true
				}
			}
			if len(seen) != len(lengths) {
				t.Fatalf("%d of %d examples in an epoch", len(seen), len(lengths))
			}
		}
	}
	alone := NewPacking([]int{3, 1, 2}, 10, false)
	if alone.Rows() != 3 || alone.Positions() != 6 || !slices.Equal(slices.Collect(alone.Row(0)), []int{0}) || !slices.Equal(slices.Collect(alone.Row(2)), []int{1}) {
		t.Errorf("rows of their own: %d, %d", alone.Rows(), alone.Positions())
	}
	p := NewPacking(slices.Repeat([]int{1}, 40), 2, true)
	text := func(seed, epoch uint64) string {
		var all []int
		for i := range p.Rows() {
			all = slices.AppendSeq(all, p.Sample(uint64(i), seed, epoch))
		}
		return fmt.Sprint(all)
	}
	orders := map[string]bool{}
	for seed := range uint64(3) {
		for epoch := range uint64(3) {
			order := text(seed, epoch)
			orders[order] = true
			if text(seed, epoch) != order {
				t.Error("an epoch has two orders")
			}
		}
	}
	if len(orders) != 9 {
		t.Errorf("%d orders of 9 epochs", len(orders))
	}
	first := 0
	for range p.Row(0) {
		first++
		break
	}
	for range p.Sample(0, 1, 1) {
		first++
		break
	}
	if first != 2 {
		t.Errorf("%d examples behind a break", first)
	}
}

// What decides between encodings of two bytes a character: two of ten pairs kana, 19 of 20 Hangul, seven of ten hanzi.
func TestGuessesOfPairs(t *testing.T) {
	pairs := func(list ...any) string {
		var b strings.Builder
		for i := 0; i < len(list); i += 2 {
			b.WriteString(strings.Repeat(list[i+1].(string), list[i].(int)))
		}
		return b.String()
	}
	for text, want := range map[string]string{
		pairs(2, "\x82\xa0", 8, "\x93\xfa"):                "shift_jis",
		pairs(1, "\x82\xa0", 9, "\x93\xfa"):                "gb18030",
		pairs(2, "\xa4\xa2", 8, "\xc6\xfc"):                "euc-jp",
		pairs(1, "\xa4\xa2", 9, "\xc6\xfc"):                "gbk",
		pairs(19, "\xb0\xa1", 1, "\xca\xa1"):               "euc-kr",
		pairs(18, "\xb0\xa1", 2, "\xca\xa1"):               "gbk",
		pairs(2, "\xb0\xa1"):                               "euc-kr",
		pairs(1, "\xb0\xa1"):                               "gbk",
		pairs(2, "\xa4\x40", 5, "\xa4\xa1", 3, "\xca\xa1"): "big5",
		pairs(2, "\xa4\x40", 8, "\xca\xa1"):                "",
		pairs(1, "\xa4\x40", 9, "\xa5\xa1"):                "",
		pairs(7, "\xca\xd6", 3, "\x81\x40"):                "gbk",
		pairs(6, "\xca\xd6", 4, "\x81\x40"):                "gb18030",
		pairs(2, "\x81\x40"):                               "gb18030",
		pairs(1, "\x81\x40"):                               "",
		"abc":                                              "",
	} {
		if got := guessMulti([]byte(text)); got != want {
			t.Errorf("%q is guessed as %q, want %q", text, got, want)
		}
	}
}

// Without a directory in the configuration the cache lies in that of the user.
func TestCacheOfTheUser(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/some/cache")
	t.Setenv("HOME", "/some")
	got, err := Config{}.Cache()
	if err != nil || !strings.HasSuffix(filepath.ToSlash(got), "/gotrain/data") || !strings.HasPrefix(filepath.ToSlash(got), "/some/") {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := (Config{CacheDir: "a"}).Cache(); err != nil || got != "a" {
		t.Errorf("%s, %v", got, err)
	}
}

// A ledger's name changes with what it has and with the keys.
func TestNamesOfLedgers(t *testing.T) {
	names := map[string]bool{}
	for _, l := range []Ledger{{}, {Plain: "a"}, {Key: "a"}, {Plain: "a", Key: "a"}} {
		l := l
		name := l.Name()
		if len(name) != 16 || names[name] || l.Name() != name {
			t.Errorf("%q of %q, %q", name, l.Plain, l.Key)
		}
		names[name] = true
	}
}

// A header fits to the byte, or is an error.
func TestLargestHeader(t *testing.T) {
	empty, err := json.Marshal(Header{})
	if err != nil {
		t.Fatal(err)
	}
	room := shardBody - shardPrefix - len(empty)
	for n, ok := range map[int]bool{room: true, room + 1: false} {
		h := Header{Tokenizer: strings.Repeat("a", n)}
		head, err := encodeHeader(h, 7)
		if (err == nil) != ok {
			t.Errorf("a fingerprint of %d bytes: %v", n, err)
			continue
		}
		if ok && (len(head) != shardBody || !bytes.HasSuffix(head, []byte("}")) || bytes.Count(head, []byte("a")) < n) {
			t.Errorf("the header of %d bytes is cut", len(head))
		}
	}
}
