package pairs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/hf"
)

// TestTextsOfConfig: what is said of settings, to the letter, and their borders.
func TestTextsOfConfig(t *testing.T) {
	const byBoth = ": give both by name or both by number"
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Default(), "<nil>"},
		{Config{Source: "1", Target: "2", Cipher: 1, MaxPairs: 1}, "<nil>"},
		{Config{Source: "0", Target: "-1"}, "<nil>"}, // names
		{Config{Source: "a"}, `data.pairs.source is "a" and target "": name the key or the column of each`},
		{Config{Target: "a"}, `data.pairs.source is "" and target "a": name the key or the column of each`},
		{Config{Source: "a", Target: "a"}, `data.pairs.target is "a", as source: a text is not its own target`},
		{Config{Source: "1", Target: "b"}, `data.pairs.source is "1" and target "b"` + byBoth},
		{Config{Source: "a", Target: "2"}, `data.pairs.source is "a" and target "2"` + byBoth},
		{Config{Source: "a", Target: "b", Cipher: -3, MaxPairs: -4}, "data.pairs.cipher is -3; use a number of pairs, such as 20000, or 0 to read pairs\ndata.pairs.max_pairs is -4; use 0 for all"},
		{Config{Source: "a", Target: "b", Cipher: 3, Targets: []string{"x"}}, "data.pairs.cipher and targets are both set: keep the one that you mean"},
	} {
		if got := fmt.Sprint(c.config.Validate()); got != c.want {
			t.Errorf("%+v: %s, want %s", c.config, got, c.want)
		}
	}
}

// TestTextsOfReadFaults: what is said of files, to the letter, and which errors are those of a
// setting.
func TestTextsOfReadFaults(t *testing.T) {
	const (
		named   = "data.pairs.source and data.pairs.target, or --source and --target of eval)"
		keys    = " (name keys of all records, with texts behind them, as " + named
		columns = " (name two of %s, or numbers such as 1 and 2 where no row has names, as " + named
		alone   = `the first row has one column, and a pair takes two, the source and the target: "source" (in a .tsv a tab is between them, in a .csv a comma)`
		each    = " (the files have to have a line for each line of the other)"
		object  = " (write one object a line, or give the file the name of a table: .tsv or .csv)"
		limit   = ": a line of more than 16 MiB, the most that is read at once"
	)
	long := strings.Repeat("x", 16<<20)
	many := make([]string, 25)
	for i := range many {
		many[i] = fmt.Sprintf("column%02d", i)
	}
	dir := write(t, map[string]string{
		"short.tsv": "source\ttarget\na\tb\nc\n", "names.tsv": "src\ttarget\na\tb\n", "other.tsv": "source\ttgt\na\tb\n", "both.tsv": "src\ttgt\na\tb\n", "many.tsv": strings.Join(many, "\t") + "\n",
		"wide.tsv": "source\ttarget\na\tb\tc\n", "one.tsv": "source\na\n", "one.csv": "source\na\n", "nothing.tsv": "", "quote.csv": "source,target\na,b\n\"c,d\n", "bytes.tsv": "source\ttarget\n\xff\tb\n",
		"cut.jsonl": `{"source": "a", "target": "b"}` + "\n" + `{"source": "a",`, "list.jsonl": `["a", "b"]`, "number.jsonl": "7\n",
		"empty.tsv": "source\ttarget\na\tb\nc\t \n", "none.tsv": "source\ttarget\n \t \n", "left.csv": "source,target\n,b\n", "two.csv": "a,b\n",
		"no.jsonl": "source\n", "keys.jsonl": `{"b": 1, "a": "x", "target": "y"}`, "kind.jsonl": `{"source": [` + strings.Repeat("1,", 60) + `1], "target": "y"}`, "null.jsonl": `{"source": "x", "target": null}`,
		"deep.jsonl": `{"t": {"en": "x"}}`, "x.en": "a\nb\nc\n", "x.de": "a\nb\n", "y.en": "a\nb\n", "y.de": "a\n\n", "long.en": "a\n" + long + "\n", "long.de": "a\n" + long[1:] + "\n",
	})
	for _, c := range []struct {
		file, targets, source, target string
		want                          string
		setting                       bool
	}{
		{"short.tsv", "", "source", "target", "pairs: short.tsv:3: columns between tabs: 1, of the first row 2 (put a tab between the texts of a pair)", false},
		{"wide.tsv", "", "source", "target", "pairs: wide.tsv:2: columns between tabs: 3, of the first row 2 (write no tab inside a text)", false},
		{"one.tsv", "", "source", "target", "pairs: one.tsv:1: " + alone, true},
		{"one.csv", "", "source", "target", "pairs: one.csv:1: " + alone, true},
		{"nothing.tsv", "", "source", "target", "pairs: there are none (are the files empty?): nothing.tsv", false},
		{"quote.csv", "", "source", "target", "data: quote.csv:3: the value's quote is not closed, or text stands behind it, line 3, column 6 (double each quote within the value)", false},
		{"bytes.tsv", "", "source", "target", "pairs: line 2: data: bytes.tsv: byte 14: 0xFF is not UTF-8 (it reads as WINDOWS-1252: set data.encoding to windows-1252, or convert it with iconv -f WINDOWS-1252 -t UTF-8)", false},
		{"cut.jsonl", "", "source", "target", "pairs: cut.jsonl:2: a line that is no JSON object: unexpected end of JSON input" + object, false},
		{"list.jsonl", "", "source", "target", "pairs: list.jsonl:1: a line that is no JSON object: it is an array" + object, false},
		{"number.jsonl", "", "source", "target", "pairs: number.jsonl:1: a line that is no JSON object: it is a number" + object, false},
		{"y.de", "y.en", "source", "target", "pairs: y.de:2: the source is empty (fill it in, or take the pair out)", false},
		{"names.tsv", "", "source", "target", `pairs: names.tsv:1: the first row names no column "source"` + fmt.Sprintf(columns, `"src", "target"`), true},
		{"other.tsv", "", "source", "target", `pairs: other.tsv:1: the first row names no column "target"` + fmt.Sprintf(columns, `"source", "tgt"`), true},
		{"both.tsv", "", "source", "target", `pairs: both.tsv:1: the first row names no column "source"` + fmt.Sprintf(columns, `"src", "tgt"`), true},
		{"many.tsv", "", "source", "column01", `pairs: many.tsv:1: the first row names no column "source"` + fmt.Sprintf(columns, `"`+strings.Join(many[:20], `", "`)+`"`), true},
		{"empty.tsv", "", "source", "target", "pairs: empty.tsv:3: the target is empty (fill it in, or take the pair out)", false},
		{"none.tsv", "", "source", "target", "pairs: there are none (are the files empty?): none.tsv", false}, // a line of white space
		{"left.csv", "", "source", "target", "pairs: left.csv:2: the source is empty (fill it in, or take the pair out)", false},
		{"two.csv", "", "1", "3", "pairs: two.csv:1: there is no column 3 of 2 (name others as " + named, true},
		{"two.csv", "", "1", "2", "<nil>", false},
		{"no.jsonl", "", "source", "target", "pairs: no.jsonl:1: a line that is no JSON object: invalid character 's' looking for beginning of value" + object, false},
		{"keys.jsonl", "", "source", "target", `pairs: keys.jsonl:1: there is no key "source" among "a", "b", "target"` + keys, true},
		{"kind.jsonl", "", "source", "target", `pairs: kind.jsonl:1: key "source" is no text: [` + strings.Repeat("1,", 29) + "1" + keys, true},
		{"null.jsonl", "", "source", "target", `pairs: null.jsonl:1: key "target" is no text: null` + keys, true},
		{"deep.jsonl", "", "t.en", "t.de", `pairs: deep.jsonl:1: there is no key "de" among "en"` + keys, true},
		{"deep.jsonl", "", "u.en", "t.de", `pairs: deep.jsonl:1: there is no key "u.en" among "t"` + keys, true},
		{"x.en", "x.de", "source", "target", "pairs: x.de has 2 lines, and x.en more: line 3 of it has no target" + each, false},
		{"x.de", "x.en", "source", "target", "pairs: x.de has 2 lines, and x.en more: line 3 of it has no source" + each, false},
		{"y.en", "y.de", "source", "target", "pairs: y.en:2: the target is empty (fill it in, or take the pair out)", false},
		{"long.en", "x.de", "source", "target", "pairs: long.en:2" + limit, false},
		{"x.de", "long.en", "source", "target", "pairs: long.en:2" + limit, false},
		{"long.de", "x.de", "source", "target", "<nil>", false},
	} {
		cfg := Default()
		cfg.Source, cfg.Target = c.source, c.target
		at := func(name string) []string { return []string{filepath.Join(dir, name)} }
		var targets []string
		if c.targets != "" {
			targets = at(c.targets)
		}
		_, err := read(cfg, at(c.file), targets)
		if got := strings.ReplaceAll(fmt.Sprint(err), dir+string(filepath.Separator), ""); got != c.want {
			t.Errorf("%s: %.300s\nwant %s", c.file, got, c.want)
		}
		var setting *data.SettingError
		if errors.As(err, &setting) != c.setting {
			t.Errorf("%s: a wrong setting %t", c.file, !c.setting)
		}
		open, _ := os.ReadDir("/proc/self/fd")
		for _, f := range open {
			if name, _ := os.Readlink("/proc/self/fd/" + f.Name()); strings.HasPrefix(name, dir) {
				t.Errorf("%s: %s stays open", c.file, name)
			}
		}
	}
	for _, beside := range []string{"", "x.de", "gone"} {
		var targets []string
		file := "gone"
		if beside != "" {
			targets = []string{filepath.Join(dir, beside)}
		}
		if beside == "gone" {
			file = "x.en"
		}
		if _, err := read(Default(), []string{filepath.Join(dir, file)}, targets); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "gone") {
			t.Errorf("beside %q: %v", beside, err)
		}
	}
}

// TestReadStops when its caller has enough, before the next file.
func TestReadStops(t *testing.T) {
	dir := write(t, map[string]string{"a.tsv": "source\ttarget\nx\t1\ny\t2\n", "a.jsonl": `{"source": "x", "target": "1"}` + "\n" + `{"source": "y", "target": "2"}`, "x.en": "x\ny\n", "x.de": "1\n2\n"})
	for name, beside := range map[string]string{"a.tsv": "", "a.jsonl": "", "x.en": "x.de"} {
		path, targets := filepath.Join(dir, name), []string(nil)
		if beside != "" {
			targets = []string{filepath.Join(dir, beside), filepath.Join(dir, beside)}
		}
		for stop := range 3 {
			n := 0
			for p, err := range Default().Read([]string{path, path}, targets, "") {
				if want := [][2]string{{"x", "1"}, {"y", "2"}}[n%2]; err != nil || p.Source != want[0] || p.Target != want[1] || p.Origin.File != path {
					t.Fatal(p, err)
				}
				if n++; n > stop {
					break
				}
			}
			if n != stop+1 {
				t.Errorf("%s: %d pairs, want %d", name, n, stop+1)
			}
		}
	}
}

// TestCipherOfFiles makes as many pairs as are asked for of the lines of all files, the same each time.
func TestCipherOfFiles(t *testing.T) {
	text := strings.Repeat("the quick brown fox jumps over the lazy dog and a cat that sleeps\n", 20)
	dir := write(t, map[string]string{"a.txt": text, "b.txt": strings.ToUpper(text), "latin.txt": strings.ReplaceAll(text, "fox", "f\xfcchs")})
	c := Default()
	c.Cipher = 7
	once, err := read(c, []string{filepath.Join(dir, "a.txt")}, nil)
	if err != nil || len(once) != 7 || !strings.HasSuffix(once[0], "@1") || !strings.HasSuffix(once[6], "@7") {
		t.Errorf("%q, %v", once, err)
	}
	if again, err := read(c, []string{filepath.Join(dir, "a.txt")}, nil); err != nil || !slices.Equal(again, once) {
		t.Errorf("again %q, %v", again, err)
	}
	if both, err := read(c, []string{filepath.Join(dir, "b.txt"), filepath.Join(dir, "a.txt")}, nil); err != nil || slices.Equal(both, once) || len(both) != 7 {
		t.Errorf("of two files %q, %v", both, err)
	}
	for p, err := range c.Read([]string{filepath.Join(dir, "latin.txt")}, nil, "latin1") {
		if err != nil || p.Origin.File != "cipher" || strings.Contains(p.Source, "\xfc") {
			t.Errorf("%+v, %v", p, err)
		}
		break
	}
	for name, want := range map[string]string{"gone.txt": "gone.txt", "none.txt": "data.pairs.cipher: "} {
		if name == "none.txt" {
			write := os.WriteFile(filepath.Join(dir, name), nil, 0o666)
			if write != nil {
				t.Fatal(write)
			}
		}
		if list, err := read(c, []string{filepath.Join(dir, name)}, nil); err == nil || len(list) > 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", name, list, err)
		}
	}
}

// framed is a tokenizer that puts something around texts.
type framed struct{ data.Tokenizer }

func (framed) Frame() hf.Frame { return hf.Frame{Before: []int32{'<', '('}, After: []int32{'>'}} }

// TestEncoderWithFrame: what a tokenizer puts around a text stands on both sides; the end of a
// target is there once; texts are without special tokens, wherever they stand.
func TestEncoderWithFrame(t *testing.T) {
	enc := encoder(t)
	special := enc.End
	enc = Encoder{framed{enc.Tokens}, 's', 'e'}
	if got := enc.Source("ab"); !slices.Equal(got, []int32{'<', '(', 'a', 'b', '>'}) {
		t.Errorf("%v", got)
	}
	if got := enc.Target("ab"); !slices.Equal(got, []int32{'<', '(', 'a', 'b', '>', 'e'}) {
		t.Errorf("%v", got)
	}
	enc.End = '>'
	if got := enc.Target("ab"); !slices.Equal(got, []int32{'<', '(', 'a', 'b', '>'}) {
		t.Errorf("%v", got)
	}
	if got := (Encoder{encoder(t).Tokens, 's', 'e'}).Target(""); !slices.Equal(got, []int32{'e'}) {
		t.Errorf("the target of no text is %v", got)
	}
	if got := enc.Text([]int32{'s', 'a', special, 'b', 's', '>', 'c', '>'}); got != "abc" {
		t.Errorf("%q", got)
	}
}

// exampleSet has examples of so many tokens on each side.
func exampleSet(sizes ...[2]int) *Set {
	s := &Set{}
	for i, n := range sizes {
		x := Example{Origin: data.Origin{File: "f", Offset: int64(i + 1)}}
		for k := range n[0] {
			x.Source = append(x.Source, int32(10*i+k))
		}
		for k := range n[1] {
			x.Target = append(x.Target, int32(100+10*i+k))
		}
		s.add(x, 100)
	}
	return s
}

// TestRowsAsTheyAre: every field of a batch of the pairs, the longest first, alone and together.
func TestRowsAsTheyAre(t *testing.T) {
	enc := Encoder{encoder(t).Tokens, 1, 2}
	set := exampleSet([2]int{2, 3}, [2]int{1, 1}, [2]int{4, 2})
	size := data.Sequences{Rows: data.Rows{Batch: 2}, Context: 4}
	e, err := NewEval(set, size, false, enc)
	if err != nil {
		t.Fatal(err)
	}
	if source, target := e.Density(4); source != 7./12 || target != 6./12 || e.Epoch() != 3 {
		t.Errorf("%d rows, %g, %g", e.Epoch(), source, target)
	}
	b := e.NewBatch()
	for _, values := range b.Ints {
		for i := range values {
			values[i] = 99 // of an earlier step
		}
	}
	b.TextBytes, b.Weight = 77, 88
	if err := e.Fill(b, 0); err != nil {
		t.Fatal(err)
	}
	ignore := int32(data.Ignore)
	want := map[string][]int32{
		SourceIDs: {20, 21, 22, 23, 0, 1, 2, 2}, SourcePositions: {0, 1, 2, 3, 0, 1, 0, 0}, SourceSegments: {0, 0, 0, 0, 0, 0, -1, -1},
		data.IDs: {1, 120, 2, 2, 1, 100, 101, 2}, data.Targets: {120, 121, ignore, ignore, 100, 101, 102, ignore},
		data.Positions: {0, 1, 0, 0, 0, 1, 2, 0}, data.Segments: {0, 0, -1, -1, 0, 0, 0, -1},
	}
	if !reflect.DeepEqual(b.Ints, want) {
		t.Errorf("%v, want %v", b.Ints, want)
	}
	if b.Weight != 5 || b.TextBytes != 5 || b.Position != 0 || !slices.Equal(b.From, []data.Origin{{File: "f", Offset: 3}, {File: "f", Offset: 1}}) {
		t.Errorf("weight %g, %d bytes, %d, %v", b.Weight, b.TextBytes, b.Position, b.From)
	}
	if err := e.Fill(b, 2); err != nil || b.Weight != 1 || b.Position != 2 || b.From[1] != (data.Origin{}) || b.Ints[SourceSegments][4] != -1 {
		t.Errorf("the last: %v, %v", b, err)
	}
	together, err := NewEval(exampleSet([2]int{2, 1}, [2]int{1, 2}), size, true, enc)
	if err != nil {
		t.Fatal(err)
	}
	b = together.NewBatch()
	if err := together.Fill(b, 0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]int32{SourceIDs: {0, 1, 10, 2}, SourcePositions: {0, 1, 0, 0}, SourceSegments: {0, 0, 1, -1}, data.IDs: {1, 1, 110, 2}, data.Targets: {100, 110, 111, ignore}, data.Segments: {0, 1, 1, -1}} {
		if got := b.Ints[name][:4]; !slices.Equal(got, want) {
			t.Errorf("together: %s is %v, want %v", name, got, want)
		}
	}
	if b.From[0].Offset != 1 || b.Weight != 3 {
		t.Errorf("together: %v, %g", b.From, b.Weight)
	}
	l, err := NewLoader(set, data.LoaderConfig{Sequences: size, Seed: 3}, false, enc)
	if err != nil {
		t.Fatal(err)
	}
	b = l.NewBatch()
	b.TextBytes = 5
	if err := l.Fill(b, 3); err != nil || b.Position != 3 || b.TextBytes != 0 || b.Weight < 3 || b.From[0].File != "f" {
		t.Errorf("%v, %v", b, err)
	}
	for vocab, want := range map[int]string{123: "<nil>", 122: "pairs: f:3: token 122 is outside the model's vocabulary of 122 (tokenizer and model do not belong together)"} {
		wide := exampleSet([2]int{1, 1}, [2]int{1, 1}, [2]int{1, 3})
		size.VocabSize = vocab
		_, err := NewEval(wide, size, false, enc)
		_, same := NewLoader(wide, data.LoaderConfig{Sequences: size}, false, enc)
		if fmt.Sprint(err) != want || fmt.Sprint(same) != want {
			t.Errorf("of %d tokens: %v, %v", vocab, err, same)
		}
	}
	size.VocabSize = 0
	if _, err := NewEval(exampleSet([2]int{1, 1}, [2]int{1, 5}), size, false, enc); fmt.Sprint(err) != "pairs: f:2 takes 5 positions, a row has 4 (build the set for this length)" {
		t.Error(err)
	}
	size.Context = 0
	if _, err := NewEval(set, size, false, enc); err == nil {
		t.Error("rows of no tokens")
	}
}

// TestMemoryByHand: 8 bytes for 3 of a file stay, as many twice and what is encoded at a time in passing.
func TestMemoryByHand(t *testing.T) {
	dir := write(t, map[string]string{"a": strings.Repeat("x", 3000), "b": ""})
	if err := os.Truncate(filepath.Join(dir, "b"), 6<<20); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if m := Memory([]string{at("a"), at("gone")}); m.Kept != 8000 || m.Passing != 16000+30000 {
		t.Errorf("%+v", m)
	}
	if m := Memory([]string{at("a"), at("b")}); m.Kept != (3000+6<<20)/3*8 || m.Passing != 2*m.Kept+40<<20 {
		t.Errorf("%+v", m)
	}
}

// TestBuildInChunks: more pairs than are encoded at a time, in order; a bound ends the reading.
func TestBuildInChunks(t *testing.T) {
	enc := encoder(t)
	for _, n := range []int{chunk - 1, chunk, 2*chunk + 1} {
		set, held, _, err := Build(t.Context(), enc, 40, 0, Split{}, made(n))
		if err != nil || set.Len() != n || held.Len() != 0 {
			t.Fatal(n, set.Len(), err)
		}
		for i := range n {
			if set.Example(i).Origin.Offset != int64(i) {
				t.Fatalf("pair %d of %d is %v", i, n, set.Example(i).Origin)
			}
		}
		x := set.Example(n - 1)
		if s := set.Stats(); s.Pairs != n || len(x.Target) != len(x.Source)+2 || s.TargetTokens != s.SourceTokens+2*int64(n) {
			t.Errorf("%+v, %+v", s, x)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	read := 0
	counted := func(pairs iter.Seq2[Pair, error]) iter.Seq2[Pair, error] {
		return func(yield func(Pair, error) bool) {
			for p, err := range pairs {
				if read++; !yield(p, err) {
					return
				}
			}
		}
	}
	if set, _, _, err := Build(ctx, enc, 40, 3, Split{}, counted(made(9))); err != nil || set.Len() != 3 || read != 3 {
		t.Errorf("%d read, %v", read, err)
	}
	stop()
	if _, _, _, err := Build(ctx, enc, 40, 0, Split{}, made(9)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	failed := errors.New("a disk")
	if _, _, _, err := Build(t.Context(), enc, 40, 0, Split{}, func(yield func(Pair, error) bool) { yield(Pair{}, failed) }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, _, _, err := Build(t.Context(), enc, 40, 0, Split{}, made(0)); fmt.Sprint(err) != "pairs: there are none (are the files empty?)" {
		t.Error(err)
	}
	held := 0
	for p, err := range made(1000) {
		if HeldOut(p, 0.3) {
			held++
		}
		if err != nil || HeldOut(p, 0) || !HeldOut(p, 1) {
			t.Fatal(err)
		}
	}
	if held < 240 || held > 360 {
		t.Errorf("%d of 1000 are held out, want 300", held)
	}
}
