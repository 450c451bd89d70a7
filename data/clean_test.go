package data

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// states are the names in a cache and what became of them.
func states(all []Cached) (s []string) {
	for _, c := range all {
		name := filepath.Base(c.Path)
		switch {
		case strings.HasPrefix(name, "sources-"):
			name = "sources"
		case strings.HasPrefix(name, ".tmp-"):
			name = "left"
		case len(name) == 32:
			name = "shards"
		}
		s = append(s, name+" "+string(c.State))
	}
	slices.Sort(s)
	return s
}

// TestCleanCache removes shards that nobody has open, what crashes left and remembered hashes, and nothing else.
func TestCleanCache(t *testing.T) {
	cfg := corpusDir(t, 200)
	cfg.CacheDir += " [1]"
	now := time.Now()
	old := now.Add(-time.Hour)
	for _, name := range []string{"a.jsonl", "b.jsonl"} { // at rest, so that their hashes are remembered
		if err := os.Chtimes(filepath.Join(filepath.Dir(cfg.CacheDir), name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	enc := byteEncoder{}
	p, err := Prepare(context.Background(), cfg, enc, nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens := p.Train.Tokens() + p.Validation.Tokens()
	key := filepath.Base(p.Dir)
	left := ".tmp-" + key + "-0123456789abcdef"
	for _, name := range []string{left + "/train-00000.gtsh", "mine.txt", "notes/a.txt", strings.Repeat("0", 32) + "/thesis.txt"} {
		path := filepath.Join(cfg.CacheDir, name)
		writeFile(t, path, []byte("x"))
	}
	clean := func(before time.Time, dry bool, want ...string) []Cached {
		t.Helper()
		all, err := CleanCache(cfg.CacheDir, before, dry)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if got := states(all); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		return all
	}
	future := now.Add(time.Minute)
	clean(future, true, "shards in use", "left removed", "sources removed")
	clean(future, false, "shards in use", "left removed", "sources removed")
	all := clean(old, false, "shards in use")
	if c := all[0]; c.Tokens != tokens || c.Documents != 200 || c.Bytes < 2*tokens || c.Used.Before(now.Add(-time.Minute)) {
		t.Errorf("%+v", c)
	}
	if got := decode(p.Train, enc); len(got) == 0 {
		t.Error("shards that are open are gone")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	clean(old, false, "shards kept")
	clean(future, true, "shards removed")
	// Used again, it is young again.
	files, err := os.ReadDir(filepath.Join(cfg.CacheDir, key))
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.Chtimes(filepath.Join(cfg.CacheDir, key, file.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	p = mustPrepare(t, cfg, enc)
	if !p.Reused {
		t.Error("a dry run has removed shards")
	}
	p.Close()
	clean(future.Add(-2*time.Minute), false, "shards kept", "sources kept")
	clean(future, false, "shards removed", "sources removed")
	var names []string
	entries, err := os.ReadDir(cfg.CacheDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{strings.Repeat("0", 32), "mine.txt", "notes"}; !slices.Equal(names, want) {
		t.Errorf("%q is left, want %q", names, want)
	}
	if p := mustPrepare(t, cfg, enc); p.Reused || p.Rebuilt != nil {
		t.Error("what was removed is there")
	}
	if all, err := CleanCache(filepath.Join(cfg.CacheDir, "none"), future, false); err != nil || all != nil {
		t.Errorf("%v, %v", all, err)
	}
}

// What is being made is in use, and so is what is left of it.
func TestCleanWhilePreparing(t *testing.T) {
	cfg := corpusDir(t, 200)
	p := mustPrepare(t, cfg, byteEncoder{})
	dir := p.Dir
	p.Close()
	unlock, _, err := lockFile(dir+".lock", func() error { return errBusy })
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(cfg.CacheDir, ".tmp-"+filepath.Base(dir)+"-0123456789abcdef", "train-00000.gtsh"), []byte("x"))
	all, err := CleanCache(cfg.CacheDir, time.Now().Add(time.Minute), false)
	if err != nil || !slices.Contains(states(all), "shards in use") || !slices.Contains(states(all), "left in use") {
		t.Errorf("%q, %v", states(all), err)
	}
	unlock()
}
