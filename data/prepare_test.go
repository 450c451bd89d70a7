package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// corpusDir writes JSONL records over two files and returns their configuration.
func corpusDir(t testing.TB, records int) Config {
	dir := t.TempDir()
	for name, begin := range map[string]int{"a.jsonl": 0, "b.jsonl": records / 2} {
		var b bytes.Buffer
		for i := begin; i < begin+records/2; i++ {
			fmt.Fprintf(&b, "{\"text\":\"document %d %s\"}\n", i, strings.Repeat("and more ", i%40))
		}
		writeFile(t, filepath.Join(dir, name), b.Bytes())
	}
	return Config{Paths: []string{dir + "/*.jsonl"}, Format: FormatJSONL, Validation: 0.1, CacheDir: filepath.Join(dir, "cache")}
}

// left returns the names in a cache directory, without the memory of source hashes.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "sources-") {
			names = append(names, entry.Name())
		}
	}
	return names
}

func TestPrepare(t *testing.T) {
	cfg := corpusDir(t, 5000)
	texts, err := read(cfg)
	if err != nil {
		t.Fatal(err)
	}
	enc := byteEncoder{}
	for _, workers := range []int{1, 3, 8} {
		for _, shardTokens := range []int{0, 60_013} {
			cfg.Workers, cfg.ShardTokens = workers, shardTokens
			cfg.CacheDir = t.TempDir()
			var last Progress
			p, err := Prepare(context.Background(), cfg, enc, func(state Progress) { last = state })
			if err != nil {
				t.Fatal(err)
			}
			for split, set := range map[Split]*Set{Train: p.Train, Validation: p.Validation} {
				if got, want := decode(set, enc), strings.Join(texts[split], "¶")+"¶"; got != want {
					t.Errorf("%d workers: %v: %d bytes, want %d", workers, split, len(got), len(want))
				}
			}
			if last.Tokens != p.Train.Tokens()+p.Validation.Tokens() || last.Documents != 5000 || last.TextBytes != p.Train.TextBytes()+p.Validation.TextBytes() {
				t.Errorf("progress %+v", last)
			}
			if shardTokens > 0 && len(p.Train.Shards()) < 3 {
				t.Errorf("%d shards", len(p.Train.Shards()))
			}
			p.Close()
		}
	}
}

func TestPrepareReuse(t *testing.T) {
	cfg := corpusDir(t, 200)
	enc := byteEncoder{}
	first := mustPrepare(t, cfg, enc)
	if first.Reused || first.Rebuilt != nil {
		t.Error("reused at first")
	}
	again := mustPrepare(t, cfg, enc)
	if !again.Reused || again.Dir != first.Dir {
		t.Error("not reused")
	}
	if names := left(t, cfg.CacheDir); len(names) != 1 {
		t.Errorf("the cache holds %q", names)
	}
	changes := map[string]func() (Config, Encoder){
		"validation":   func() (Config, Encoder) { c := cfg; c.Validation = 0.2; return c, enc },
		"shard tokens": func() (Config, Encoder) { c := cfg; c.ShardTokens = 1000; return c, enc },
		"tokenizer":    func() (Config, Encoder) { return cfg, byteEncoder{1} },
		"content": func() (Config, Encoder) {
			c := corpusDir(t, 202)
			c.CacheDir = cfg.CacheDir
			return c, enc
		},
	}
	for name, change := range changes {
		c, e := change()
		if p := mustPrepare(t, c, e); p.Reused || p.Dir == first.Dir {
			t.Errorf("reused with another %s", name)
		}
	}
	// The same content under other names is the same corpus.
	copied := corpusDir(t, 200)
	copied.CacheDir = cfg.CacheDir
	if p := mustPrepare(t, copied, enc); !p.Reused {
		t.Error("a copy was prepared again")
	}
}

func TestPrepareRepairs(t *testing.T) {
	cfg := corpusDir(t, 200)
	enc := byteEncoder{}
	p := mustPrepare(t, cfg, enc)
	want := decode(p.Train, enc)
	shard := p.Train.Shards()[0].Path()
	for name, damage := range map[string]func(file []byte) error{
		"flipped":     func(file []byte) error { file[len(file)/2] ^= 1; return os.WriteFile(shard, file, 0o666) },
		"truncated":   func(file []byte) error { return os.WriteFile(shard, file[:len(file)-1], 0o666) },
		"missing":     func([]byte) error { return os.Remove(shard) },
		"no manifest": func([]byte) error { return os.Remove(filepath.Join(p.Dir, manifestName)) },
		"manifest":    func([]byte) error { return os.WriteFile(filepath.Join(p.Dir, manifestName), []byte("{"), 0o666) },
	} {
		file, err := os.ReadFile(shard)
		if err != nil {
			t.Fatal(err)
		}
		// A new file, for the old one is mapped.
		if err := os.Remove(shard); err != nil {
			t.Fatal(err)
		}
		writeFile(t, shard, file)
		if err := damage(file); err != nil {
			t.Fatal(err)
		}
		again := mustPrepare(t, cfg, enc)
		if again.Reused || again.Rebuilt == nil || decode(again.Train, enc) != want {
			t.Errorf("%s: reused %t, rebuilt %v", name, again.Reused, again.Rebuilt)
		}
	}
}

// full is a disk with room for some bytes.
type full struct {
	shardFile
	room *int
}

func (f full) Write([]byte) (int, error) { panic("shards are written at offsets") }

func (f full) WriteAt(p []byte, at int64) (int, error) {
	if *f.room -= len(p); *f.room < 0 {
		return 0, syscall.ENOSPC
	}
	return f.shardFile.WriteAt(p, at)
}

func TestPrepareDiskFull(t *testing.T) {
	cfg := corpusDir(t, 2000)
	cfg.ShardTokens = 40_000
	for _, room := range []int{0, 5_000, 50_000, 300_000} {
		corpus, err := OpenCorpus(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := &preparation{corpus: corpus, enc: byteEncoder{}, create: func(path string) (shardFile, error) {
			file, err := createShard(path)
			return full{file, &room}, err
		}}
		_, err = p.run(context.Background())
		wantError(t, err, "no space left on device", "full disk", cfg.CacheDir)
		if names := left(t, cfg.CacheDir); len(names) > 0 {
			t.Errorf("left behind: %q", names)
		}
	}
	mustPrepare(t, cfg, byteEncoder{})
}

func TestPrepareCancel(t *testing.T) {
	cfg := corpusDir(t, 20_000)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Prepare(ctx, cfg, byteEncoder{}, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if names := left(t, cfg.CacheDir); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

// What a killed process left is swept, and does not get in the way.
func TestPrepareAfterCrash(t *testing.T) {
	cfg := corpusDir(t, 200)
	p := mustPrepare(t, cfg, byteEncoder{})
	key := filepath.Base(p.Dir)
	if err := os.RemoveAll(p.Dir); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(cfg.CacheDir, ".tmp-"+key+"-dead", "train-00000.gtsh"), []byte("GTSH"))
	writeFile(t, p.Dir+".lock", nil)
	mustPrepare(t, cfg, byteEncoder{})
	if names := left(t, cfg.CacheDir); len(names) != 1 || names[0] != key {
		t.Errorf("the cache holds %q", names)
	}
}

func TestPrepareAtOnce(t *testing.T) {
	cfg := corpusDir(t, 2000)
	texts, err := read(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	built := make(chan bool, 8)
	for range cap(built) {
		wg.Go(func() {
			p, err := Prepare(context.Background(), cfg, byteEncoder{}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			if got := decode(p.Train, byteEncoder{}); got != strings.Join(texts[Train], "¶")+"¶" {
				t.Error("wrong tokens")
			}
			built <- !p.Reused
		})
	}
	wg.Wait()
	close(built)
	count := 0
	for b := range built {
		if b {
			count++
		}
	}
	if count == 0 {
		t.Error("nobody built the shards")
	}
	if names := left(t, cfg.CacheDir); len(names) != 1 {
		t.Errorf("the cache holds %q", names)
	}
}

// wideEncoder gives tokens outside its vocabulary.
type wideEncoder struct{ byteEncoder }

func (wideEncoder) VocabSize() int       { return 100 }
func (wideEncoder) BeginOfText() []int32 { return nil }
func (wideEncoder) EndOfText() int32     { return 99 }

func TestPrepareErrors(t *testing.T) {
	dir := t.TempDir()
	short := writeFile(t, filepath.Join(dir, "short.txt"), []byte("a few words"))
	letter := writeFile(t, filepath.Join(dir, "letter.txt"), []byte("a"))
	copied := writeFile(t, filepath.Join(dir, "copy.txt"), []byte("a few words"))
	empty := writeFile(t, filepath.Join(dir, "empty.txt"), nil)
	shard := newSet(t, byteEncoder{1}, 100, "one").Shards()[0].Path()
	for _, test := range []struct {
		name string
		cfg  Config
		enc  Encoder
		want []string
	}{
		{"no match", Config{Paths: []string{dir + "/*.md"}}, byteEncoder{}, []string{"matches no file"}},
		{"no text", Config{Paths: []string{empty}}, byteEncoder{}, []string{"no text in 1 files", empty}},
		{"too small to split", Config{Paths: []string{letter}, Validation: 0.01}, byteEncoder{}, []string{"holds out none of 1 documents", "validation_paths"}},
		{"empty validation", Config{Paths: []string{short}, ValidationPaths: []string{empty}}, byteEncoder{}, []string{"no text in the validation files", empty}},
		{"leak", Config{Paths: []string{short}, ValidationPaths: []string{copied}}, byteEncoder{}, []string{"is a copy of", copied, short}},
		{"vocabulary", Config{Paths: []string{short}}, wideEncoder{}, []string{short, "outside its vocabulary of 100"}},
		{"cache", Config{Paths: []string{short}, CacheDir: filepath.Join(short, "x")}, byteEncoder{}, []string{"cache directory", "set cache_dir"}},
		{"not shards", Config{Paths: []string{short}, Format: FormatShards}, byteEncoder{}, []string{short, "not a token shard"}},
		{"other tokenizer", Config{Paths: []string{shard}, Format: FormatShards}, byteEncoder{}, []string{shard, "was made with tokenizer bytes from 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.cfg.CacheDir == "" {
				test.cfg.CacheDir = t.TempDir()
			}
			_, err := Prepare(context.Background(), test.cfg, test.enc, nil)
			wantError(t, err, test.want...)
		})
	}
}

func TestPrepareShards(t *testing.T) {
	set := newSet(t, byteEncoder{}, 10, "one two three", "four")
	p := mustPrepare(t, Config{Paths: []string{filepath.Dir(set.Shards()[0].Path()) + "/*.gtsh"}, Format: FormatShards}, byteEncoder{})
	if got := decode(p.Train, byteEncoder{}); got != "one two three¶four¶" || p.Validation != nil {
		t.Errorf("%q", got)
	}
}

func TestHashFilesRemembers(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "a"), []byte("one"))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	old := info.ModTime().Add(-2 * settle)
	hash := func() string {
		files, err := hashFiles(context.Background(), []string{path}, dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		return files[0].Hash
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	one := hash()
	// Same size, same time: not read again.
	writeFile(t, path, []byte("two"))
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if hash() != one {
		t.Error("an unchanged file was read again")
	}
	// Newer than settle allows, so not remembered.
	soon := info.ModTime().Add(time.Hour)
	for _, content := range []string{"two", "six"} {
		writeFile(t, path, []byte(content))
		if err := os.Chtimes(path, soon, soon); err != nil {
			t.Fatal(err)
		}
		now := hash()
		if now == one {
			t.Errorf("the change to %q was not seen", content)
		}
		one = now
	}
}
