package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// keyed is an encoder of which a test changes one thing at a time.
type keyed struct {
	byteEncoder
	vocab int
	end   int32
	begin []int32
	print string
}

func (k keyed) VocabSize() int       { return k.vocab }
func (k keyed) BeginOfText() []int32 { return k.begin }
func (k keyed) EndOfText() int32     { return k.end }
func (k keyed) Fingerprint() string  { return k.print }

// keyOf is the key of a corpus in the cache; nothing is tokenized.
func keyOf(t *testing.T, cfg Config, enc Encoder) string {
	t.Helper()
	c, err := OpenCorpus(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &preparation{corpus: c, enc: enc}
	if p.files, err = hashFiles(context.Background(), append(append([]string{}, c.train...), c.validation...), t.TempDir(), nil); err != nil {
		t.Fatal(err)
	}
	p.identify()
	return p.key
}

// known is a ledger of one text.
func known(hash uint64) *Ledger {
	l := NewLedger()
	l.Note(nil, hash, Train, Train, false)
	l.Seal()
	return l
}

// TestKeyOfTheCache: each setting that changes the shards changes the key under which they are
// found again, and each other does not. A setting that the table lacks fails the test.
func TestKeyOfTheCache(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.jsonl": `{"text": "one", "body": "two"}`, "b.jsonl": `{"text": "three", "body": "four"}`, "c.jsonl": `{"text": "five", "body": "six"}`,
		"same/a.jsonl": `{"text": "one", "body": "two"}`, "same/b.jsonl": `{"text": "three", "body": "four"}`, "other/a.jsonl": `{"text": "ONE", "body": "two"}`, "other/b.jsonl": `{"text": "three", "body": "four"}`,
	} {
		writeFile(t, filepath.Join(dir, name), []byte(text+"\n"))
	}
	at := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	base := Config{Paths: at("a.jsonl", "b.jsonl"), Format: FormatJSONL, TextKey: "text", Validation: 0.1, CacheDir: "cache", ShardTokens: 1000, Workers: 1}
	enc := keyed{vocab: 300, end: 256, print: "print"}
	want := keyOf(t, base, enc)
	covered := map[string]bool{"Sources": true} // each has a key of its own
	for _, tc := range []struct {
		field  string // of Config, "" for the tokenizer
		name   string
		change func(*Config, *keyed)
		same   bool
	}{
		{"Paths", "another order of paths", func(c *Config, _ *keyed) { c.Paths = at("b.jsonl", "a.jsonl") }, true},
		{"Paths", "a pattern", func(c *Config, _ *keyed) { c.Paths = at("[ab].jsonl") }, true},
		{"Paths", "the same content elsewhere", func(c *Config, _ *keyed) { c.Paths = at("same/a.jsonl", "same/b.jsonl") }, true},
		{"Paths", "content of the same size", func(c *Config, _ *keyed) { c.Paths = at("other/a.jsonl", "other/b.jsonl") }, false},
		{"Paths", "one file more", func(c *Config, _ *keyed) { c.Paths = at("*.jsonl") }, false},
		{"Paths", "one file less", func(c *Config, _ *keyed) { c.Paths = at("a.jsonl") }, false},
		{"Format", "format", func(c *Config, _ *keyed) { c.Format = FormatText }, false},
		{"TextKey", "text_key", func(c *Config, _ *keyed) { c.TextKey = "body" }, false},
		{"TextKey", "text_key by default", func(c *Config, _ *keyed) { c.TextKey = "" }, true},
		{"Encoding", "encoding", func(c *Config, _ *keyed) { c.Encoding = "gbk" }, false},
		{"Encoding", "encoding by default", func(c *Config, _ *keyed) { c.Encoding = "UTF8" }, true},
		{"Validation", "validation", func(c *Config, _ *keyed) { c.Validation = 0.2 }, false},
		{"Validation", "no validation", func(c *Config, _ *keyed) { c.Validation = 0 }, false},
		{"ValidationPaths", "a file held out", func(c *Config, _ *keyed) { c.Validation, c.Paths, c.ValidationPaths = 0, at("a.jsonl"), at("b.jsonl") }, false},
		{"ShardTokens", "shard_tokens", func(c *Config, _ *keyed) { c.ShardTokens = 1001 }, false},
		{"CacheDir", "cache_dir", func(c *Config, _ *keyed) { c.CacheDir = "elsewhere" }, true},
		{"Workers", "workers", func(c *Config, _ *keyed) { c.Workers = 3 }, true},
		{"Known", "what a run knows", func(c *Config, _ *keyed) { c.Known = known(1) }, false},
		{"Known", "what the run has trained on, and nothing to hold out", func(c *Config, _ *keyed) { c.Known, c.Validation = known(1), 0 }, false},
		{"Known", "the run's own texts", func(c *Config, _ *keyed) { c.Known = &Ledger{Plain: want, Key: want} }, true},
		{"BOS", "bos, which the tokenizer tells", func(c *Config, _ *keyed) { c.BOS = true }, true},
		{"", "the beginning of texts", func(_ *Config, e *keyed) { e.begin = []int32{7} }, false},
		{"", "the mapping from text to ids", func(_ *Config, e *keyed) { e.print = "other" }, false},
		{"", "the size of the vocabulary", func(_ *Config, e *keyed) { e.vocab = 301 }, false},
		{"", "the end of texts", func(_ *Config, e *keyed) { e.end = 257 }, false},
	} {
		covered[tc.field] = true
		c, e := base, enc
		tc.change(&c, &e)
		if got := keyOf(t, c, e); (got == want) != tc.same {
			t.Errorf("with another %s (%s) the key is the same: %t", tc.field, tc.name, got == want)
		}
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		if name := reflect.TypeFor[Config]().Field(i).Name; !covered[name] {
			t.Errorf("the table says nothing of %s", name)
		}
	}
	// What a run knows is part of the key where text is held out, and only there.
	with := func(l *Ledger, validation float64) string {
		c := base
		c.Known, c.Validation = l, validation
		return keyOf(t, c, enc)
	}
	if first, again := with(known(1), 0.1), with(known(1), 0.1); first == with(known(2), 0.1) || first != again || with(known(1), 0) != with(nil, 0) {
		t.Error("the key does not follow what a run knows")
	}
	// Two runs that know different texts split the same data in their own ways.
	a, b := base, base
	a.Known, b.Known = known(1), known(2)
	if keyOf(t, a, enc) == keyOf(t, b, enc) {
		t.Error("what runs know has the same key")
	}
	// Which side a file is on is part of the key, even if all of them are the same.
	one := Config{Paths: at("a.jsonl", "b.jsonl"), ValidationPaths: at("c.jsonl"), Format: FormatJSONL}
	two := Config{Paths: at("a.jsonl"), ValidationPaths: at("b.jsonl", "c.jsonl"), Format: FormatJSONL}
	if keyOf(t, one, enc) == keyOf(t, two, enc) {
		t.Error("a file on the other side has the same key")
	}
}

// TestHashesOfFiles: what is remembered of a file is used while size and time are as they were,
// and a hash is of the whole content.
func TestHashesOfFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	old := time.Now().Add(-time.Hour)
	hash := func(content string, at time.Time) string {
		t.Helper()
		writeFile(t, path, []byte(content))
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		files, err := hashFiles(context.Background(), []string{path}, dir, nil)
		if err != nil || files[0].Size != int64(len(content)) {
			t.Fatal(files, err)
		}
		return files[0].Hash
	}
	long := strings.Repeat("x", 3<<20)
	first := hash(long+"a", old)
	for name, other := range map[string]string{
		"the last byte, of another time": hash(long+"b", old.Add(time.Minute)),
		"another size at the same time":  hash(long+"a", old) + hash(long+"ab", old),
	} {
		if other == first || other == first+first {
			t.Errorf("%s: the hash is the same", name)
		}
	}
	if again := hash(long+"a", old.Add(time.Second)); again != first {
		t.Error("the same content has another hash")
	}
	// A file that changes while it is read is found by its time, too.
	files, err := hashFiles(context.Background(), []string{path}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := files[0].unchanged(); err != nil {
		t.Error(err)
	}
	if err := os.Chtimes(path, old, old.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	wantError(t, files[0].unchanged(), "changed while it was read")
}

// TestPreparedSides: shards are those of the side and the corpus that they are asked for.
func TestPreparedSides(t *testing.T) {
	dir := t.TempDir()
	train, held := writeFile(t, filepath.Join(dir, "train.txt"), []byte("training text")), writeFile(t, filepath.Join(dir, "held.txt"), []byte("held out"))
	enc := byteEncoder{}
	cfg := Config{Paths: []string{train}, ValidationPaths: []string{held}, CacheDir: filepath.Join(dir, "cache")}
	p := mustPrepare(t, cfg, enc)
	if got := decode(p.Train, enc) + decode(p.Validation, enc); got != "training text¶held out¶" {
		t.Errorf("the sides are %q", got)
	}
	shards := Config{Format: FormatShards, Paths: []string{p.Train.Shards()[0].Path()}, ValidationPaths: []string{p.Validation.Shards()[0].Path()}}
	q := mustPrepare(t, shards, enc)
	if got := decode(q.Train, enc) + decode(q.Validation, enc); got != "training text¶held out¶" {
		t.Errorf("of shards the sides are %q", got)
	}
	_, err := Prepare(t.Context(), shards, byteEncoder{1}, nil)
	wantError(t, err, "was made with tokenizer bytes from 0, the run has bytes from 1")
	// Shards of another corpus under this one's name are damage.
	cfg.ValidationPaths = []string{writeFile(t, filepath.Join(dir, "more.txt"), []byte("held OUT"))}
	other := mustPrepare(t, cfg, enc)
	name := other.Validation.Shards()[0].Path()
	content, err := os.ReadFile(p.Validation.Shards()[0].Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil { // a new file, for the old one is mapped
		t.Fatal(err)
	}
	writeFile(t, name, content)
	again := mustPrepare(t, cfg, enc)
	if got := decode(again.Validation, enc); got != "held OUT¶" || again.Rebuilt == nil {
		t.Errorf("reopened they hold %q, rebuilt because of %v", got, again.Rebuilt)
	}
}

// TestLongDocuments: one document that is longer than a piece, a job of the tokenizer and a
// shard, between short ones: tokens, ends, sides and counts are those of a naive loop.
func TestLongDocuments(t *testing.T) {
	dir := t.TempDir()
	long := string(prose(3<<20)) + "é"
	texts := []string{"short", long, "é", "", strings.Repeat("y", 1<<20), strings.Repeat("z", maxPiece+cutSlack+1), "last"}
	var lines strings.Builder
	for i, text := range texts {
		fmt.Fprintf(&lines, "{\"text\": %q}\n", text)
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte(text))
	}
	records := writeFile(t, filepath.Join(dir, "a.jsonl"), []byte(lines.String()))
	enc := byteEncoder{}
	for _, cfg := range []Config{{Paths: []string{records}, Format: FormatJSONL}, {Paths: []string{dir + "/*.txt"}}} {
		for _, shardTokens := range []int{0, 700_001} {
			cfg.CacheDir, cfg.ShardTokens, cfg.Workers = t.TempDir(), shardTokens, 3
			p := mustPrepare(t, cfg, enc)
			var want strings.Builder
			var starts []int64
			tokens, documents := int64(0), int64(0)
			for _, text := range texts {
				if text == "" {
					continue
				}
				want.WriteString(text + "¶")
				starts = append(starts, tokens)
				tokens, documents = tokens+int64(len(text))+1, documents+1
			}
			set := p.Train
			if decode(set, enc) != want.String() {
				t.Errorf("%s, shards of %d: the tokens are others than those of the texts", cfg.Format, shardTokens)
			}
			if set.Tokens() != tokens || set.Documents() != documents || set.TextBytes() != tokens-documents {
				t.Errorf("%s, shards of %d: %d tokens, %d documents, %d bytes; want %d, %d, %d", cfg.Format, shardTokens, set.Tokens(), set.Documents(), set.TextBytes(), tokens, documents, tokens-documents)
			}
			at := int64(0)
			for i, start := range starts {
				if got := set.NextStart(at); got != start {
					t.Errorf("%s, shards of %d: document %d begins at %d, want %d", cfg.Format, shardTokens, i, got, start)
				}
				at = start + 1
			}
			if got := set.NextStart(at); got != set.Tokens() {
				t.Errorf("behind the last document one begins at %d", got)
			}
			shards := set.Shards()
			if n := int((tokens + 700_000) / 700_001); shardTokens > 0 && len(shards) != n {
				t.Errorf("%d shards, want %d", len(shards), n)
			}
			for i, s := range shards[:len(shards)-1] {
				if s.Tokens != int64(shardTokens) {
					t.Errorf("shard %d has %d tokens of %d", i, s.Tokens, shardTokens)
				}
			}
		}
	}
}

// TestSidesOfLongRecords: a record that is cut into pieces is on one side as a whole.
func TestSidesOfLongRecords(t *testing.T) {
	var lines strings.Builder
	for i := range 12 {
		fmt.Fprintf(&lines, "{\"text\": %q}\n", fmt.Sprint(i, " ", strings.Repeat(fmt.Sprintf("word%d ", i), 300_000)))
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), []byte(lines.String()))
	got, err := read(Config{Paths: []string{path}, Format: FormatJSONL, Validation: 0.4})
	if err != nil || len(got[Train])+len(got[Validation]) != 12 || len(got[Train]) == 0 || len(got[Validation]) == 0 {
		t.Fatalf("%d and %d records, %v", len(got[Train]), len(got[Validation]), err)
	}
	for _, side := range got {
		for _, text := range side {
			if n := strings.Index(text, " "); strings.Count(text, "word"+text[:n]+" ") != 300_000 {
				t.Errorf("record %s has %d of its words", text[:n], strings.Count(text, "word"+text[:n]+" "))
			}
		}
	}
}
