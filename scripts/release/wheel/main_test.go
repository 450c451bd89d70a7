package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPythonVersion(t *testing.T) {
	for v, want := range map[string]string{"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "0.0.1-dev": "0.0.1.dev0", "1.0.0-rc.2": "1.0.0rc2", "1.0.0-alpha": "1.0.0a0", "1.0.0-beta.11": "1.0.0b11"} {
		if got, err := pythonVersion(v); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", v, got, err, want)
		}
	}
	for _, v := range []string{"", "1.2", "1.2.3-next", "1.2.3+abc", "1.2.3-SNAPSHOT-abc", "x1.2.3"} {
		if got, err := pythonVersion(v); err == nil {
			t.Errorf("%q becomes %q", v, got)
		}
	}
}

// TestWheel: each file of a wheel but RECORD itself is in RECORD with its sum and size, and
// the binary may be executed.
func TestWheel(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"dist/artifacts.json": `[{"path": "dist/a/gotrain", "goos": "linux", "goarch": "arm64", "type": "Binary"},
			{"path": "dist/b/gotrain.exe", "goos": "windows", "goarch": "amd64", "type": "Binary"}, {"path": "dist/x.tar.gz", "type": "Archive"}]`,
		"dist/metadata.json": `{"version": "0.3.0-rc.1"}`, "dist/a/gotrain": "ELF", "dist/b/gotrain.exe": "MZ",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(filepath.Join(dir, "dist")); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]string{
		"gotrain-0.3.0rc1-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl": "gotrain",
		"gotrain-0.3.0rc1-py3-none-win_amd64.whl":                                                          "gotrain.exe",
	} {
		archive, err := zip.OpenReader(filepath.Join(dir, "dist/wheels", name))
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		texts := map[string]string{}
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			texts[f.Name] = string(text)
			if f.Name == "gotrain-0.3.0rc1.data/scripts/"+command && f.Mode()&0o111 != 0o111 {
				t.Errorf("%s: the binary's mode is %v", name, f.Mode())
			}
		}
		want := ""
		for _, f := range []string{"gotrain-0.3.0rc1.data/scripts/" + command, "gotrain-0.3.0rc1.dist-info/METADATA", "gotrain-0.3.0rc1.dist-info/WHEEL"} {
			sum := sha256.Sum256([]byte(texts[f]))
			want += fmt.Sprintf("%s,sha256=%s,%d\n", f, base64.RawURLEncoding.EncodeToString(sum[:]), len(texts[f]))
		}
		if got := texts["gotrain-0.3.0rc1.dist-info/RECORD"]; got != want+"gotrain-0.3.0rc1.dist-info/RECORD,,\n" || len(texts) != 4 {
			t.Errorf("%s: RECORD\n%s\nwant\n%s", name, got, want)
		}
		tag := strings.Split(strings.TrimSuffix(name, ".whl"), "-none-")[1]
		for part := range strings.SplitSeq(tag, ".") {
			if !strings.Contains(texts["gotrain-0.3.0rc1.dist-info/WHEEL"], "Tag: py3-none-"+part+"\n") {
				t.Errorf("%s: WHEEL lacks the tag %s", name, part)
			}
		}
	}
}
