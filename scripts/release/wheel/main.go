// Command wheel writes a Python wheel for each binary that goreleaser has built, so that
// pip puts gotrain on the path: a ZIP archive by PEP 427 with nothing in it but the binary.
//
//	go run ./scripts/release/wheel DIST
//
// It reads DIST/artifacts.json and DIST/metadata.json and writes DIST/wheels.
package main

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: wheel DIST")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "wheel:", err)
		os.Exit(1)
	}
}

// platforms are the tags of wheels by GOOS/GOARCH. The binaries are static, so that any
// Linux will do; Go 1.26 wants macOS 12.
var platforms = map[string]string{
	"linux/amd64":   "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
	"linux/arm64":   "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
	"darwin/amd64":  "macosx_12_0_x86_64",
	"darwin/arm64":  "macosx_12_0_arm64",
	"windows/amd64": "win_amd64",
	"windows/arm64": "win_arm64",
}

// artifact is one of artifacts.json.
type artifact struct {
	Path, GOOS, GOARCH, Type string
}

func run(dist string) error {
	var all []artifact
	var meta struct{ Version string }
	if err := errors.Join(read(filepath.Join(dist, "artifacts.json"), &all), read(filepath.Join(dist, "metadata.json"), &meta)); err != nil {
		return err
	}
	version, err := pythonVersion(meta.Version)
	if err != nil {
		return err
	}
	out := filepath.Join(dist, "wheels")
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o777)); err != nil {
		return err
	}
	written := 0
	for _, a := range all {
		if a.Type != "Binary" {
			continue
		}
		platform, ok := platforms[a.GOOS+"/"+a.GOARCH]
		if !ok {
			return fmt.Errorf("%s: no platform of wheels is known for %s/%s", a.Path, a.GOOS, a.GOARCH)
		}
		binary, err := os.ReadFile(filepath.Join(filepath.Dir(dist), a.Path))
		if err != nil {
			return err
		}
		name := filepath.Join(out, fmt.Sprintf("gotrain-%s-py3-none-%s.whl", version, platform))
		if err := writeWheel(name, version, platform, filepath.Base(a.Path), binary); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println(name)
		written++
	}
	if written == 0 {
		return fmt.Errorf("%s: no binaries", dist)
	}
	return nil
}

func read(name string, into any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

var semantic = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:-(dev|alpha|beta|rc)(?:\.(\d+))?)?$`)

// pythonVersion is a semantic version by PEP 440.
func pythonVersion(v string) (string, error) {
	m := semantic.FindStringSubmatch(v)
	if m == nil {
		return "", fmt.Errorf("version %s: use 1.2.3, or 1.2.3-rc.1 (dev, alpha, beta, rc)", v)
	}
	if m[2] == "" {
		return m[1], nil
	}
	n := m[3]
	if n == "" {
		n = "0"
	}
	return m[1] + map[string]string{"dev": ".dev", "alpha": "a", "beta": "b", "rc": "rc"}[m[2]] + n, nil
}

const description = `Metadata-Version: 2.1
Name: gotrain
Version: %s
Summary: Train generative models from one binary: no Python, nothing to install
License: see LICENSE in the source
Requires-Python: >=3.8
`

// writeWheel writes a wheel, whole or not at all. The same binary gives the same bytes.
func writeWheel(name, version, platform, command string, binary []byte) error {
	tags := ""
	for tag := range strings.SplitSeq(platform, ".") {
		tags += "Tag: py3-none-" + tag + "\n"
	}
	info := "gotrain-" + version + ".dist-info/"
	files := []struct {
		name string
		mode os.FileMode
		text []byte
	}{
		{"gotrain-" + version + ".data/scripts/" + command, 0o755, binary},
		{info + "METADATA", 0o644, fmt.Appendf(nil, description, version)},
		{info + "WHEEL", 0o644, []byte("Wheel-Version: 1.0\nGenerator: gotrain\nRoot-Is-Purelib: false\n" + tags)},
	}
	file, err := os.Create(name + ".tmp")
	if err != nil {
		return err
	}
	defer os.Remove(name + ".tmp")
	archive := zip.NewWriter(file)
	record := ""
	for _, f := range files {
		sum := sha256.Sum256(f.text)
		record += fmt.Sprintf("%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.text))
		err = errors.Join(err, add(archive, f.name, f.mode, f.text))
	}
	err = errors.Join(err, add(archive, info+"RECORD", 0o644, []byte(record+info+"RECORD,,\n")), archive.Close(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}

func add(archive *zip.Writer, name string, mode os.FileMode, text []byte) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(mode)
	w, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, strings.NewReader(string(text)))
	return err
}
