// Package source reads the sources of the kernels: what they declare, for
// signatures.go, and what they are compiled from, to tell whether the compiled
// images are up to date.
package source

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kernel is a declaration KERNEL(name, threads)(parameters).
type Kernel struct {
	Name    string
	File    string // of NAME.cu: NAME
	Params  string // letters: see kernels.Signature
	Threads int
}

var (
	comment     = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/`)
	occurrence  = regexp.MustCompile(`\bKERNEL\s*\(`)
	declaration = regexp.MustCompile(`^KERNEL\s*\(\s*(\w+)\s*,\s*(\d+)\s*\)\s*\(([^()]*)\)`)
	include     = regexp.MustCompile(`(?m)^\s*#\s*include\s+"([^"]+)"`)
)

// Names lists the sources NAME.cu of a folder, without .cu, sorted.
func Names(dir fs.FS) ([]string, error) {
	files, err := fs.Glob(dir, "*.cu")
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i] = strings.TrimSuffix(files[i], ".cu")
	}
	slices.Sort(files)
	return files, nil
}

// Kernels returns what all sources of a folder declare, by name.
func Kernels(dir fs.FS) ([]Kernel, error) {
	names, err := Names(dir)
	if err != nil {
		return nil, err
	}
	var all []Kernel
	for _, name := range names {
		text, err := fs.ReadFile(dir, name+".cu")
		if err != nil {
			return nil, err
		}
		kernels, err := parse(name, string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, kernels...)
	}
	slices.SortFunc(all, func(a, b Kernel) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(all); i++ {
		if all[i].Name == all[i-1].Name {
			return nil, fmt.Errorf("kernel %s is in %s.cu and in %s.cu", all[i].Name, all[i-1].File, all[i].File)
		}
	}
	return all, nil
}

func parse(file, text string) ([]Kernel, error) {
	// Comments become spaces, so that positions still count lines.
	text = comment.ReplaceAllStringFunc(text, func(c string) string {
		return strings.Repeat(" ", len(c)-strings.Count(c, "\n")) + strings.Repeat("\n", strings.Count(c, "\n"))
	})
	var kernels []Kernel
	for _, at := range occurrence.FindAllStringIndex(text, -1) {
		where := fmt.Sprintf("%s.cu:%d", file, 1+strings.Count(text[:at[0]], "\n"))
		m := declaration.FindStringSubmatch(text[at[0]:])
		if m == nil {
			return nil, fmt.Errorf("%s: a kernel is declared as KERNEL(name, 256)(parameters), with plain words for all three", where)
		}
		threads, err := strconv.Atoi(m[2])
		if err != nil || threads < 1 || threads > 1024 {
			return nil, fmt.Errorf("%s: kernel %s: a block has 1 to 1024 threads, not %s", where, m[1], m[2])
		}
		params, err := letters(m[3])
		if err != nil {
			return nil, fmt.Errorf("%s: kernel %s: %w", where, m[1], err)
		}
		kernels = append(kernels, Kernel{Name: m[1], File: file, Params: params, Threads: threads})
	}
	return kernels, nil
}

// letters encodes a list of parameters: see kernels.Signature.
func letters(params string) (string, error) {
	if strings.TrimSpace(params) == "" {
		return "", nil
	}
	var b strings.Builder
	for param := range strings.SplitSeq(params, ",") {
		if strings.Contains(param, "*") {
			b.WriteByte('p')
			continue
		}
		words := slices.DeleteFunc(strings.Fields(param), func(w string) bool { return w == "const" })
		if len(words) < 2 {
			return "", fmt.Errorf("parameter %q has no name or no type", strings.TrimSpace(param))
		}
		switch kind := strings.Join(words[:len(words)-1], " "); kind {
		case "int":
			b.WriteByte('i')
		case "long long":
			b.WriteByte('l')
		case "float":
			b.WriteByte('f')
		default:
			return "", fmt.Errorf("parameter %q: the types are pointers, int, long long and float", strings.TrimSpace(param))
		}
	}
	return b.String(), nil
}

// Options is the file of nvcc's options, which the digests cover too.
const Options = "nvcc.options"

// Digest is the SHA-256 of all that NAME.cu is compiled from: itself, the files
// of its folder that it includes, and the options.
func Digest(dir fs.FS, name string) (string, error) {
	files := []string{Options, name + ".cu"}
	for i := 1; i < len(files); i++ { // grows while it runs
		text, err := fs.ReadFile(dir, files[i])
		if err != nil {
			return "", err
		}
		for _, m := range include.FindAllStringSubmatch(string(text), -1) {
			file := path.Clean(m[1])
			// Files outside the folder belong to the simulator, not to nvcc.
			if fs.ValidPath(file) && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	slices.Sort(files)
	h := sha256.New()
	for _, file := range files {
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", file, len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Recorded is the name of the file of digests, in the folder of the images.
const Recorded = "sources.sha256"

// ParseRecord reads a file of digests: a line for each source, digest and NAME.
func ParseRecord(text string) map[string]string {
	digests := map[string]string{}
	for line := range strings.Lines(text) {
		if digest, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			digests[name] = digest
		}
	}
	return digests
}
