package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// records writes JSON Lines of documents.
func records(t *testing.T, name string, from, to int) string {
	t.Helper()
	var b bytes.Buffer
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "{\"text\":\"document %d\"}\n", i)
	}
	return writeFile(t, filepath.Join(t.TempDir(), name), b.Bytes())
}

// sidesOf are the documents of each side, and the ledger of them.
func sidesOf(t *testing.T, cfg Config) (held map[string]bool, ledger *Ledger) {
	t.Helper()
	c, err := OpenCorpus(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ledger = c.Note()
	held = map[string]bool{}
	for d, err := range c.Documents() {
		if err != nil {
			t.Fatal(err)
		}
		held[string(d.Text)] = d.Split == Validation
	}
	ledger.Seal()
	return held, ledger
}

// TestLedgerKeepsSides: whatever is changed, a text that was held out stays held out, one that was trained on stays in
// training, wherever it lies now; and new ones are split by the rule.
func TestLedgerKeepsSides(t *testing.T) {
	old := records(t, "old.jsonl", 0, 400)
	cfg := Config{Paths: []string{old}, Format: FormatJSONL, Validation: 0.1}
	before, known := sidesOf(t, cfg)
	for _, fraction := range []float64{0.01, 0.1, 0.5} {
		// The same texts in another file and order, among new ones.
		other := records(t, "z.jsonl", 200, 1000)
		first := records(t, "a.jsonl", 0, 300)
		changed := Config{Paths: []string{other, first}, Format: FormatJSONL, Validation: fraction, Known: known}
		after, ledger := sidesOf(t, changed)
		changed.Known = nil
		rule, _ := sidesOf(t, changed)
		trained, heldOut := 0, 0
		for text, held := range after {
			want, old := before[text]
			if !old {
				want = rule[text]
			}
			if held != want {
				t.Errorf("validation %v: %s is held out: %t, want %t", fraction, text, held, want)
			}
			if old && held != rule[text] {
				if held {
					heldOut++
				} else {
					trained++
				}
			}
		}
		// Documents 200 to 299 stand in both files.
		twice := func(n, max int) bool { return n >= max && n <= 2*max }
		if k := ledger.Kept; k.New != 600 || k.Known != 500 || k.Leaked != 0 || !twice(k.Trained, trained) || !twice(k.HeldOut, heldOut) {
			t.Errorf("validation %v: %+v, want 600 new, 500 known, at least %d kept in training and %d held out", fraction, k, trained, heldOut)
		}
		if (trained > 0) != (fraction > 0.1) || (heldOut > 0) != (fraction < 0.1) {
			t.Errorf("validation %v: %d kept in training, %d held out", fraction, trained, heldOut)
		}
	}
}

// Texts that were trained on are never held out, so that nothing new leaves nothing to hold out.
func TestNothingLeftToHoldOut(t *testing.T) {
	cfg := Config{Paths: []string{records(t, "a.jsonl", 0, 50)}, Format: FormatJSONL, CacheDir: t.TempDir()}
	first := mustPrepare(t, cfg, byteEncoder{})
	cfg.Validation, cfg.Known = 0.1, first.Ledger
	_, err := Prepare(context.Background(), cfg, byteEncoder{}, nil)
	wantError(t, err, "validation 0.1 holds nothing out: the run has trained on all of these texts", "name validation_paths")
	var setting *SettingError
	if !errors.As(err, &setting) {
		t.Error("not a fault of the configuration")
	}
	// One new text is held out, whatever its hash.
	cfg.Paths = append(cfg.Paths, records(t, "b.jsonl", 50, 51))
	p := mustPrepare(t, cfg, byteEncoder{})
	if got := decode(p.Validation, byteEncoder{}); got != "document 50¶" {
		t.Errorf("held out %q", got)
	}
	// Named, texts that were trained on are held out, and told.
	cfg.Validation, cfg.ValidationPaths, cfg.Paths = 0, []string{records(t, "c.jsonl", 40, 45)}, []string{records(t, "d.jsonl", 0, 40)}
	if p := mustPrepare(t, cfg, byteEncoder{}); p.Ledger.Kept.Leaked != 5 || p.Validation.Documents() != 5 {
		t.Errorf("%+v", p.Ledger.Kept)
	}
}

// TestLeakedFiles: a file of text that was trained on and is named as held out is told; one
// that is trained on again, or held out again, is not.
func TestLeakedFiles(t *testing.T) {
	dir := t.TempDir()
	a, b := writeFile(t, filepath.Join(dir, "a.txt"), prose(3000)), writeFile(t, filepath.Join(dir, "b.txt"), prose(5000)[1000:])
	before := mustPrepare(t, Config{Paths: []string{a}, ValidationPaths: []string{b}, CacheDir: t.TempDir()}, byteEncoder{})
	for _, tt := range []struct {
		train, held string
		leaked      int
	}{{a, b, 0}, {b, a, 1}} {
		cfg := Config{Paths: []string{tt.train}, ValidationPaths: []string{tt.held}, CacheDir: t.TempDir(), Known: before.Ledger}
		if got := mustPrepare(t, cfg, byteEncoder{}).Ledger.Kept; got.Leaked != tt.leaked || got.Known != 2 {
			t.Errorf("trained on %s: %+v", filepath.Base(tt.train), got)
		}
	}
}

// TestLedgerOfFiles: a book that goes on keeps its held-out pieces to the byte, a renamed one too; one that is changed
// inside is told.
func TestLedgerOfFiles(t *testing.T) {
	dir := t.TempDir()
	book := prose(300_000)
	path := writeFile(t, filepath.Join(dir, "book.txt"), book)
	cfg := Config{Paths: []string{path}, Validation: 0.1}
	before, known := sidesOf(t, cfg)
	cfg.Known, cfg.Validation = known, 0.3
	check := func(name, path string, content []byte, edited int) {
		t.Helper()
		writeFile(t, path, content)
		cfg.Paths = []string{path}
		after, ledger := sidesOf(t, cfg)
		if len(ledger.Kept.Edited) != edited || ledger.Kept.Known != 1 {
			t.Errorf("%s: %+v", name, ledger.Kept)
		}
		if edited > 0 {
			return
		}
		for text, held := range before {
			found := false
			for longer, side := range after {
				found = found || strings.Contains(longer, text) && side == held
			}
			if !found && !strings.HasSuffix(string(book), text) { // the last piece may go on elsewhere
				t.Errorf("%s: %d bytes, held out: %t, are not where they were", name, len(text), held)
			}
		}
	}
	check("the same", path, book, 0)
	check("longer", path, append(slices.Clone(book), prose(200_000)...), 0)
	check("renamed and longer", filepath.Join(dir, "other.txt"), append(slices.Clone(book), "one more line\n"...), 0)
	check("changed inside", path, append([]byte("A preface.\n\n"), book...), 1)
	check("shorter", path, book[:250_000], 1)
}

// Files that are held out as a whole stay so, and many stay whole.
func TestLedgerOfManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 70 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), fmt.Appendf(nil, "file %d\n", i))
	}
	cfg := Config{Paths: []string{dir + "/*.txt"}, Validation: 0.2}
	before, known := sidesOf(t, cfg)
	for i := range 70 { // each goes on, and there are few: new ones would be cut
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), append(fmt.Appendf(nil, "file %d\n", i), prose(50_000)...))
	}
	cfg.Paths, cfg.Known = []string{dir + "/1*.txt"}, known
	after, _ := sidesOf(t, cfg)
	if len(after) != 11 {
		t.Errorf("%d documents of 11 files", len(after))
	}
	for text, held := range after {
		name, _, _ := strings.Cut(text, "\n")
		if held != before[name+"\n"] {
			t.Errorf("%s is held out: %t", name, held)
		}
	}
}

// A short text whose last part was held out keeps that part when it goes on.
func TestLedgerOfAShortText(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "a.txt"), []byte("one\ntwo\nthree\n"))
	cfg := Config{Paths: []string{path}, Validation: 0.1}
	_, cfg.Known = sidesOf(t, cfg)
	writeFile(t, path, []byte("one\ntwo\nthree\nfour\n"))
	got, err := read(cfg)
	if err != nil || strings.Join(got[Train], "|") != "one\ntwo\n|four\n" || strings.Join(got[Validation], "|") != "three\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Unchanged data have the same shards, with a ledger or without; changed ones others, again and again the same.
func TestLedgerNamesShards(t *testing.T) {
	cfg := corpusDir(t, 200)
	first := mustPrepare(t, cfg, byteEncoder{})
	if first.Ledger.Plain != first.Ledger.Key || first.Ledger.Len() != 200 || first.Ledger.Kept.New != 0 {
		t.Errorf("%+v", first.Ledger.Kept)
	}
	cfg.Known = first.Ledger
	if again := mustPrepare(t, cfg, byteEncoder{}); !again.Reused || again.Dir != first.Dir {
		t.Error("unchanged data were prepared again")
	}
	cfg.Validation = 0.4
	second := mustPrepare(t, cfg, byteEncoder{})
	if second.Reused || second.Ledger.Plain == second.Ledger.Key || decode(second.Validation, byteEncoder{}) != decode(first.Validation, byteEncoder{}) {
		t.Error("texts changed their side")
	}
	known := NewLedger()
	known.Merge(first.Ledger)
	known.Merge(second.Ledger)
	known.Plain, known.Key = second.Ledger.Plain, second.Ledger.Key
	cfg.Known = known
	if third := mustPrepare(t, cfg, byteEncoder{}); !third.Reused || third.Dir != second.Dir {
		t.Error("the same change was prepared again")
	}
	if err := os.RemoveAll(second.Dir); err != nil {
		t.Fatal(err)
	}
	if third := mustPrepare(t, cfg, byteEncoder{}); third.Dir != second.Dir || decode(third.Validation, byteEncoder{}) != decode(first.Validation, byteEncoder{}) {
		t.Error("without the cache the texts are split otherwise")
	}
}

func TestLedgerFile(t *testing.T) {
	_, l := sidesOf(t, Config{Paths: []string{records(t, "a.jsonl", 0, 30)}, Format: FormatJSONL, Validation: 0.3})
	l.files["x"] = fileEntry{Path: "x", Head: 1<<64 - 1, Size: 9, Hash: 7, way: way{Cut: &cut{Seed: 1<<64 - 3, Piece: 5, Stretch: 50}}}
	l.Kept = Kept{Known: 1, Edited: []string{"x"}}
	l.Seal()
	path := filepath.Join(t.TempDir(), "split")
	if err := l.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLedger(path)
	if err != nil || !got.Same(l) || got.Plain != l.Plain || got.Key != l.Key || fmt.Sprint(got.Kept) != fmt.Sprint(l.Kept) || got.Len() != 31 {
		t.Fatalf("%+v, %v", got, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range text {
		damaged := slices.Clone(text)
		damaged[at] ^= 1
		writeFile(t, path, damaged)
		if _, err := ReadLedger(path); !errors.Is(err, ErrLedger) {
			t.Fatalf("a flipped bit at %d: %v", at, err)
		}
	}
	if _, err := ReadLedger(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
