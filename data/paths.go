package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ExpandPaths resolves patterns to regular files, sorted and without duplicates.
//
// A pattern that is the path of a file, letter by letter, is that file. In any other a leading ~ is the home directory;
// $NAME and ${NAME} are environment variables, and $GOROOT, when unset, is what `go env GOROOT` says; $$ is a dollar sign.
// The wildcards *, ? and [a-z] match inside one path element as in [path.Match], [[] a bracket; the element ** matches any
// number of directories, itself included. Directories that are there under the very name that the pattern begins with are
// entered as they are. Wildcards skip names that begin with a dot unless the pattern's element does too. A pattern without
// wildcards must name a file; one with wildcards must match at least one.
func ExpandPaths(patterns []string) ([]string, error) {
	var files []string
	for _, pattern := range patterns {
		matched, err := expandPattern(pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, matched...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// Files returns the files to train on and those that are held out as a whole, both sorted. What ValidationPaths name is left
// out of what a pattern with wildcards in Paths matches; a path that names a file of both sides is an error. It is for a
// configuration without Sources.
func (c Config) Files() (train, held []string, err error) {
	if held, err = ExpandPaths(c.ValidationPaths); err != nil {
		return nil, nil, err
	}
	if train, err = c.trainFiles(held); err != nil {
		return nil, nil, err
	}
	return train, held, nil
}

// trainFiles are the files of Paths without held, which are sorted.
func (c Config) trainFiles(held []string) ([]string, error) {
	var train []string
	for _, pattern := range c.Paths {
		files, err := expandPattern(pattern)
		if err != nil {
			return nil, err
		}
		wild := len(files) != 1 || !isFile(pattern) && strings.ContainsAny(pattern, wildcards)
		for _, name := range files {
			_, found := slices.BinarySearch(held, name)
			if found && !wild {
				return nil, settingf("data: %s is in train and in validation_paths (held-out text must not be trained on)", name)
			}
			if !found {
				train = append(train, name)
			}
		}
	}
	if len(train) == 0 && len(c.Paths) > 0 {
		return nil, settingf("data: all files of train are in validation_paths (name some to train on)")
	}
	slices.Sort(train)
	return slices.Compact(train), nil
}

func expandPattern(pattern string) ([]string, error) {
	if isFile(pattern) {
		return []string{filepath.Clean(pattern)}, nil
	}
	expanded, err := expandVariables(pattern)
	if err != nil {
		return nil, err
	}
	expanded = filepath.Clean(expanded)
	if strings.ContainsAny(expanded, wildcards) && !isFile(expanded) {
		files, err := glob(expanded)
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("data: pattern %q matches no file, nor is there one of this name (expanded to %s; write [[] for a bracket)", pattern, expanded)
		}
		return files, err
	}
	info, err := os.Stat(expanded)
	if err != nil {
		return nil, fmt.Errorf("data: path %q: %w", pattern, err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("data: path %q is a directory (write %s to read all files below it)", pattern, filepath.Join(pattern, "**"))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("data: path %q is not a regular file (write its content to a file first)", pattern)
	}
	return []string{expanded}, nil
}

// wildcards are the characters that make a path element a pattern.
const wildcards = "*?["

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// expandVariables expands a leading ~ and environment variables, and $$ to a dollar sign.
func expandVariables(s string) (string, error) {
	if s == "~" || strings.HasPrefix(s, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("data: path %q: %w", s, err)
		}
		s = home + s[1:]
	}
	var faults []error
	expanded := os.Expand(s, func(name string) string {
		value, err := variable(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("data: path %q: %w", s, err))
		}
		return value
	})
	return expanded, errors.Join(faults...)
}

func variable(name string) (string, error) {
	if value := os.Getenv(name); value != "" {
		return value, nil
	}
	switch name {
	case "$":
		return name, nil
	case "GOROOT":
	default:
		return "", fmt.Errorf("the environment variable %s is not set, nor is there a file of this very name (write $$ for a dollar sign)", name)
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("GOROOT is not set and `go env GOROOT` failed: %w (set GOROOT, or put go into PATH)", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// glob walks the tree below the pattern's fixed part, entering only directories that can hold a match.
func glob(pattern string) ([]string, error) {
	elements := strings.Split(filepath.ToSlash(pattern), "/")
	fixed := 0
	for fixed < len(elements)-1 && (!strings.ContainsAny(elements[fixed], wildcards) || isDir(strings.Join(elements[:fixed+1], "/"))) {
		fixed++
	}
	root := filepath.FromSlash(strings.Join(elements[:fixed], "/"))
	switch {
	case fixed == 0:
		root = "."
	case root == "":
		root = string(filepath.Separator)
	}
	elements = elements[fixed:]
	for _, element := range elements {
		if _, err := path.Match(element, ""); err != nil {
			return nil, fmt.Errorf("data: pattern %q: %w in %q", pattern, err, element)
		}
	}
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	// The trailing separator makes WalkDir follow a root that is a symbolic link.
	err := filepath.WalkDir(root+string(filepath.Separator), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("data: pattern %q: %w", pattern, err)
		}
		relative, err := filepath.Rel(root, name)
		if err != nil || relative == "." {
			return err
		}
		parts := strings.Split(filepath.ToSlash(relative), "/")
		if entry.IsDir() {
			if !matchElements(elements, parts, true) {
				return fs.SkipDir
			}
			return nil
		}
		if matchElements(elements, parts, false) && isRegular(name, entry) {
			files = append(files, filepath.Join(root, relative))
		}
		return nil
	})
	return files, err
}

func isDir(name string) bool {
	info, err := os.Stat(filepath.FromSlash(name))
	return err == nil && info.IsDir()
}

// isRegular says whether entry is a regular file or a symbolic link to one.
func isRegular(name string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// matchElements matches path elements against pattern elements; with prefix it asks whether a path that begins with
// parts and goes on can match.
func matchElements(pattern, parts []string, prefix bool) bool {
	if len(parts) == 0 {
		return prefix && len(pattern) > 0 || !prefix && len(pattern) == 0
	}
	if len(pattern) == 0 {
		return false
	}
	hidden := strings.HasPrefix(parts[0], ".") && !strings.HasPrefix(pattern[0], ".")
	if pattern[0] == "**" {
		if len(pattern) == 1 && !hidden && len(parts) == 1 {
			return true // A final ** matches files too.
		}
		return matchElements(pattern[1:], parts, prefix) || !hidden && matchElements(pattern, parts[1:], prefix)
	}
	ok, err := path.Match(pattern[0], parts[0])
	return err == nil && ok && !hidden && matchElements(pattern[1:], parts[1:], prefix)
}
