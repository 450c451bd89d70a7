package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Named are the sources that files and directories are, one for each format that their names tell, in the order of the paths. A
// directory of several formats is one of text; of a directory with token files (.bin) called train or val it is those, which lie
// beside what made them. Token files called val, as val.bin of nanoGPT and fineweb_val_000000.bin of llm.c, are held out.
func Named(paths []string) ([]SourceConfig, error) {
	var all []SourceConfig
	for _, p := range paths {
		patterns, format, err := patternsOf(p)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(s SourceConfig) bool { return s.Format == format })
		if i < 0 {
			i, all = len(all), append(all, SourceConfig{Format: format})
		}
		all[i].Paths = append(all[i].Paths, patterns...)
	}
	for i := range all {
		if all[i].Format == FormatBin {
			all[i].holdOut()
		}
	}
	return all, nil
}

// holdOut moves files called val from Paths to ValidationPaths, unless there are no others.
func (s *SourceConfig) holdOut() {
	var train, held []string
	for _, pattern := range s.Paths {
		if called(pattern, "val") {
			held = append(held, pattern)
		} else {
			train = append(train, pattern)
		}
	}
	if len(train) > 0 {
		s.Paths, s.ValidationPaths = train, held
	}
}

// called tells whether a word is in a file's name, between dots, hyphens and underscores.
func called(name, word string) bool {
	return slices.Contains(strings.FieldsFunc(filepath.Base(name), func(r rune) bool { return strings.ContainsRune("_-.", r) }), word)
}

// patternsOf are the patterns of what a path names, and their format.
func patternsOf(name string) (patterns []string, format Format, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", err
	}
	pattern := literal.Replace(name)
	if !info.IsDir() {
		return []string{pattern}, FormatOf(name), nil
	}
	split := func(bin string) bool { return called(bin, "train") || called(bin, "val") }
	if bins, err := ExpandPaths([]string{filepath.Join(pattern, "*.bin")}); err == nil && slices.ContainsFunc(bins, split) {
		for i, b := range bins {
			bins[i] = literal.Replace(b)
		}
		return bins, FormatBin, nil
	}
	pattern = filepath.Join(pattern, "**")
	files, err := ExpandPaths([]string{pattern})
	if err != nil {
		return nil, "", err
	}
	format = FormatOf(files[0])
	for _, f := range files[1:] {
		if FormatOf(f) != format {
			return []string{pattern}, FormatText, nil
		}
	}
	return []string{pattern}, format, nil
}

// literal writes a path as a pattern that only it matches.
var literal = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")
