package data

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestExpandPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.go", ".hidden.txt", "x/c.txt", "x/y/d.txt", "x/y/z.txt/e.txt", ".git/f.txt"} {
		writeFile(t, filepath.Join(dir, name), []byte(name))
	}
	t.Setenv("GOTRAIN_TEST_DIR", dir)
	t.Setenv("HOME", dir)
	for _, test := range []struct{ patterns, want string }{
		{"a.txt", "a.txt"},
		{"*.txt", "a.txt"},
		{".*.txt", ".hidden.txt"},
		{"**", "a.txt b.go x/c.txt x/y/d.txt x/y/z.txt/e.txt"},
		{"**/*.txt", "a.txt x/c.txt x/y/d.txt x/y/z.txt/e.txt"},
		{"x/**/*.txt", "x/c.txt x/y/d.txt x/y/z.txt/e.txt"},
		{"**/y/*.txt", "x/y/d.txt"},
		{"**/y/**", "x/y/d.txt x/y/z.txt/e.txt"},
		{".git/*", ".git/f.txt"},
		{"[ab].*", "a.txt b.go"},
		{"x/?/d.txt", "x/y/d.txt"},
		{"b.go *.txt a.txt ./b.go", "a.txt b.go"},
	} {
		for _, prefix := range []string{dir, "$GOTRAIN_TEST_DIR", "${GOTRAIN_TEST_DIR}", "~"} {
			var patterns, want []string
			for _, pattern := range strings.Fields(test.patterns) {
				patterns = append(patterns, prefix+"/"+pattern)
			}
			for _, name := range strings.Fields(test.want) {
				want = append(want, filepath.Join(dir, name))
			}
			slices.Sort(want)
			if got, err := ExpandPaths(patterns); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v; want %q", patterns, got, err, want)
			}
		}
	}
}

func TestExpandPathsRelative(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "x", "a.txt"), nil)
	t.Chdir(dir)
	for _, pattern := range []string{"x/a.txt", "*/*.txt", "./x/*", "**"} {
		if got, err := ExpandPaths([]string{pattern}); err != nil || !slices.Equal(got, []string{filepath.Join("x", "a.txt")}) {
			t.Errorf("%s: %q, %v", pattern, got, err)
		}
	}
}

func TestExpandPathsGOROOT(t *testing.T) {
	t.Setenv("GOROOT", "")
	files, err := ExpandPaths([]string{"$GOROOT/src/testdata/Isaac.Newton-Opticks.txt"})
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
}

func TestExpandPathsErrors(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOTRAIN_UNSET", "")
	for _, test := range []struct{ pattern, want string }{
		{dir + "/none.txt", "no such file"},
		{dir + "/*.txt", "matches no file"},
		{dir + "/none/**/*.txt", "matches no file"},
		{dir + "/[a", "syntax error in pattern"},
		{dir, "is a directory (write "},
		{"$GOTRAIN_UNSET/a", "environment variable GOTRAIN_UNSET is not set"},
		{"/dev/null", "not a regular file"},
	} {
		_, err := ExpandPaths([]string{test.pattern})
		wantError(t, err, test.want, test.pattern)
	}
}

// A file that is named letter by letter is that file, whatever its name means as a pattern.
func TestLiteralPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"my [v2] data.txt", "cost$5.txt", "a*b.txt", "axb.txt", "[x]/in.txt", "x/in.txt", "what?.txt"} {
		writeFile(t, filepath.Join(dir, name), nil)
	}
	for pattern, want := range map[string][]string{
		"my [v2] data.txt": {"my [v2] data.txt"}, "cost$5.txt": {"cost$5.txt"}, "cost$$5.txt": {"cost$5.txt"},
		"a*b.txt": {"a*b.txt"}, "a?b.txt": {"a*b.txt", "axb.txt"}, "what?.txt": {"what?.txt"},
		"[x]/*.txt": {"[x]/in.txt"}, "[[]x]/*": {"[x]/in.txt"}, "[xy]/*": {"x/in.txt"},
	} {
		for i := range want {
			want[i] = filepath.Join(dir, want[i])
		}
		if got, err := ExpandPaths([]string{dir + "/" + pattern}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", pattern, got, err, want)
		}
	}
	_, err := ExpandPaths([]string{dir + "/price$6.txt"})
	wantError(t, err, "environment variable 6", "write $$ for a dollar sign")
	_, err = ExpandPaths([]string{dir + "/none [v1].txt"})
	wantError(t, err, "matches no file", "write [[] for a bracket")
}

// So is a cache directory.
func TestLiteralCacheDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOTRAIN_TEST_DIR", dir)
	if err := os.Mkdir(filepath.Join(dir, "c [1] $z"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{dir + "/c [1] $z": dir + "/c [1] $z", "$GOTRAIN_TEST_DIR/a": dir + "/a", dir + "/d$$e": dir + "/d$e"} {
		if got, err := (Config{CacheDir: name}).cacheDir(); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	_, err := Config{CacheDir: dir + "/c $GOTRAIN_UNSET"}.cacheDir()
	wantError(t, err, "GOTRAIN_UNSET is not set", "write $$ for a dollar sign")
}

// TestHeldOutFiles: files that are held out by name are left out of what a pattern matches, and records of them that are in the
// training text too are counted.
func TestHeldOutFiles(t *testing.T) {
	dir := t.TempDir()
	a := writeFile(t, filepath.Join(dir, "a.jsonl"), []byte("{\"text\": \"one\"}\n{\"text\": \"two\"}\n"))
	held := writeFile(t, filepath.Join(dir, "held.jsonl"), []byte("{\"text\": \"two\"}\n{\"text\": \"three\"}\n"))
	cfg := Config{Paths: []string{dir + "/*.jsonl"}, ValidationPaths: []string{held}, Format: FormatJSONL, CacheDir: filepath.Join(dir, "cache")}
	if train, out, err := cfg.Files(); err != nil || !slices.Equal(train, []string{a}) || !slices.Equal(out, []string{held}) {
		t.Errorf("%q, %q, %v", train, out, err)
	}
	for range 2 { // made, and there already
		p := mustPrepare(t, cfg, byteEncoder{})
		if got := decode(p.Train, byteEncoder{}) + decode(p.Validation, byteEncoder{}); got != "one¶two¶two¶three¶" || p.Ledger.Both != 1 {
			t.Errorf("%q, %d texts on both sides", got, p.Ledger.Both)
		}
	}
	cfg.Paths = []string{dir + "/*.jsonl", held}
	_, _, err := cfg.Files()
	wantError(t, err, "held.jsonl is in train and in validation_paths")
	cfg.Paths = []string{dir + "/h*.jsonl"}
	_, _, err = cfg.Files()
	wantError(t, err, "all files of train are in validation_paths")
}

// TestNamed: the sources of files and directories, by what their names tell.
func TestNamed(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.jsonl.gz", "books/[1].txt", "books/deep/2.md", "records/a.csv", "records/b.csv", "records/.hidden",
		"nano/train.bin", "nano/val.bin", "nano/prepare.py", "fine/web_val_000.bin", "fine/web_train_001.bin", "only/val.bin", "valley.bin"} {
		writeFile(t, filepath.Join(dir, name), []byte("x"))
	}
	t.Chdir(dir)
	for _, test := range []struct {
		paths []string
		want  []SourceConfig
	}{
		{[]string{"a.txt", "books"}, []SourceConfig{{Format: FormatText, Paths: []string{"a.txt", "books/**"}}}},
		{[]string{"books/[1].txt"}, []SourceConfig{{Format: FormatText, Paths: []string{"books/[[]1].txt"}}}},
		{[]string{"records", "a.txt", "b.jsonl.gz"}, []SourceConfig{{Format: FormatCSV, Paths: []string{"records/**"}}, {Format: FormatText, Paths: []string{"a.txt"}}, {Format: FormatJSONL, Paths: []string{"b.jsonl.gz"}}}},
		{[]string{"nano"}, []SourceConfig{{Format: FormatBin, Paths: []string{"nano/train.bin"}, ValidationPaths: []string{"nano/val.bin"}}}},
		{[]string{"fine", "valley.bin"}, []SourceConfig{{Format: FormatBin, Paths: []string{"fine/web_train_001.bin", "valley.bin"}, ValidationPaths: []string{"fine/web_val_000.bin"}}}},
		{[]string{"only/val.bin"}, []SourceConfig{{Format: FormatBin, Paths: []string{"only/val.bin"}}}},
		{[]string{"."}, []SourceConfig{{Format: FormatText, Paths: []string{"**"}}}},
	} {
		got, err := Named(test.paths)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q are %+v, %v", test.paths, got, err)
		}
	}
	if _, err := Named([]string{"a.txt", "none"}); err == nil {
		t.Error("a path that leads nowhere is a source")
	}
}
