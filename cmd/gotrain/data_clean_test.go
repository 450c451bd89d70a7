package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDataClean lists the cache, keeps what is young, and removes the rest; a run makes its shards again.
func TestDataClean(t *testing.T) {
	dir := t.TempDir()
	config, cache := writeConfig(t, dir), filepath.Join(dir, "cache")
	must(t, "data", "prepare", "--config", config)
	if out := must(t, "data", "clean", "--cache-dir", cache, "--older-than", "2w"); !strings.Contains(out, "kept") || !strings.Contains(out, "0 of ") {
		t.Errorf("it prints\n%s", out)
	}
	var r struct {
		Freed   int64
		Entries []struct {
			State  string
			Tokens int64
		}
	}
	mustJSON(t, &r, "data", "clean", "--cache-dir", cache, "--dry-run", "--json")
	if r.Freed == 0 || r.Entries[0].State != "removed" {
		t.Errorf("%+v", r)
	}
	if out := must(t, "data", "clean", "--cache-dir", cache, "--dry-run"); !strings.Contains(out, "would go") || !strings.Contains(out, "would be removed") {
		t.Errorf("it prints\n%s", out)
	}
	if out := must(t, "data", "prepare", "--config", config); !strings.Contains(out, "there already") {
		t.Errorf("a dry run has removed shards:\n%s", out)
	}
	must(t, "data", "clean", "--cache-dir", cache)
	if out := must(t, "data", "clean", "--cache-dir", cache); out != "nothing is in "+cache+"\n" {
		t.Errorf("it prints\n%s", out)
	}
	if out := must(t, "data", "prepare", "--config", config); !strings.Contains(out, "(made)") {
		t.Errorf("what was removed is there:\n%s", out)
	}
	if o := gotrain(t, "", "data", "clean", "--cache-dir", cache, "--older-than", "soon"); o.code != 2 || !strings.Contains(o.errOut, "write it as 30d, 2w or 12h") {
		t.Errorf("exit code %d, %s", o.code, o.errOut)
	}
	for text, want := range map[string]time.Duration{"0": 0, "12h": 12 * time.Hour, "1.5d": 36 * time.Hour, "2w": 336 * time.Hour} {
		if got, err := parseAge(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-1h", "NaNd", "1e9d", "30"} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
