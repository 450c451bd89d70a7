package data

import (
	"errors"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// SourceConfig is an element of data.sources: texts of their own kind. What it leaves out it has from the section data.
type SourceConfig struct {
	// Name is that of the source in logs and metrics; by default it follows from the first of its paths.
	Name string `yaml:"name,omitempty"`
	// Paths, the key train, are files or glob patterns, as in Config.
	Paths []string `yaml:"train"`
	// Format is by default that of the section, and where that is text what the name of the first path says.
	Format   Format `yaml:"format,omitempty"`
	TextKey  string `yaml:"text_key,omitempty"`
	Encoding string `yaml:"encoding,omitempty"`
	// Validation and ValidationPaths are those of Config; either replaces the fraction of the section.
	Validation      *float64 `yaml:"validation,omitempty"`
	ValidationPaths []string `yaml:"validation_paths,omitempty"`
	// Weight is how many sequences of training come from this source beside the weights of the others. All sources have
	// one, or none: then each is as much as it is long.
	Weight *float64 `yaml:"weight,omitempty"`
}

// part is a source with all that holds for it.
type part struct {
	Config
	name   string
	weight float64 // 0 for none
}

// parts are the sources of a configuration, which is its own where it has none.
func (c Config) parts() []part {
	if len(c.Sources) == 0 {
		return []part{{Config: c}}
	}
	var parts []part
	names := map[string]bool{}
	for i, s := range c.Sources {
		p := part{Config: c, name: s.Name}
		p.Sources, p.Paths, p.ValidationPaths = nil, s.Paths, s.ValidationPaths
		if p.name == "" {
			p.name = sourceName(s.Paths, i, names)
		}
		names[p.name] = true
		p.Format = s.format(c.Format)
		if s.TextKey != "" {
			p.TextKey = s.TextKey
		}
		if s.Encoding != "" {
			p.Encoding = s.Encoding
		}
		switch {
		case s.Validation != nil:
			p.Validation = *s.Validation
		case len(s.ValidationPaths) > 0 || p.Format.tokens():
			p.Validation = 0
		}
		if s.Weight != nil {
			p.weight = *s.Weight
		}
		parts = append(parts, p)
	}
	return parts
}

func (s SourceConfig) format(section Format) Format {
	switch {
	case s.Format != "":
		return s.Format
	case section != "" && section != FormatText || len(s.Paths) == 0:
		return section
	}
	return FormatOf(s.Paths[0])
}

// sourceName is the name of a source that has none: the last element of its first path that is no pattern, without what
// names a format.
func sourceName(paths []string, i int, taken map[string]bool) string {
	name := ""
	if len(paths) > 0 {
		elements := strings.Split(filepath.ToSlash(paths[0]), "/")
		for len(elements) > 1 && strings.ContainsAny(elements[len(elements)-1], wildcards) {
			elements = elements[:len(elements)-1]
		}
		name = strings.Map(func(r rune) rune {
			if nameRune(r) {
				return r
			}
			return -1
		}, elements[len(elements)-1])
		name = TrimCompression(name)
		name = strings.Trim(strings.TrimSuffix(name, path.Ext(name)), ".")
	}
	if name == "" {
		name = fmt.Sprintf("source-%d", i+1)
	}
	first := name
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	return name
}

func nameRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.", r)
}

// validateSources reports every fault of the sources.
func (c Config) validateSources() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("data: "+format, args...)) }
	if len(c.Paths) > 0 {
		fault("train and sources are both set (a source has its files in its own key train)")
	}
	if len(c.ValidationPaths) > 0 {
		fault("validation_paths and sources are both set (a source names its held-out files in its own key validation_paths)")
	}
	weighted := 0
	names := map[string]int{}
	for i, p := range c.parts() {
		at := fmt.Sprintf("sources[%d]", i)
		s := c.Sources[i]
		if first, taken := names[p.name]; taken {
			fault("%s and sources[%d] are both called %q (give each a name of its own)", at, first, p.name)
		}
		names[p.name] = i
		if strings.IndexFunc(p.name, func(r rune) bool { return !nameRune(r) }) >= 0 {
			fault("%s: the name %q (use letters, digits, hyphens, dots and underscores: columns of metrics have it)", at, p.name)
		}
		if s.Weight != nil {
			weighted++
			if w := *s.Weight; !(w > 0) || math.IsInf(w, 0) {
				fault("%s: weight %v is not a positive number (leave a source out that is not to be read)", at, w)
			}
		}
		if err := p.Config.Validate(); err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				faults = append(faults, fmt.Errorf("data: %s: %s", at, strings.TrimPrefix(line, "data: ")))
			}
		}
	}
	if weighted > 0 && weighted < len(c.Sources) {
		fault("sources: %d of %d have a weight (give one to each, or to none for as much of each as it is long)", weighted, len(c.Sources))
	}
	return errors.Join(faults...)
}

// Find reports paths of the configuration that lead to no file.
func (c Config) Find() error {
	for _, p := range c.parts() {
		for _, paths := range [][]string{p.Paths, p.ValidationPaths} {
			if _, err := ExpandPaths(paths); err != nil {
				return err
			}
		}
	}
	return nil
}

// Prepared tells whether all files have tokens, so that preparing them leaves nothing behind.
func (c Config) Prepared() bool {
	return !slices.ContainsFunc(c.parts(), func(p part) bool { return !p.Format.tokens() })
}

// Share is a source's part of the sequences of training.
type Share struct {
	Name   string
	Weight float64 // of all, from 0 to 1; 0 where it follows from the lengths
}

// Shares are those of the sources of a configuration; nil without sources.
func (c Config) Shares() []Share {
	if len(c.Sources) == 0 {
		return nil
	}
	var shares []Share
	sum := 0.0
	for _, p := range c.parts() {
		shares = append(shares, Share{p.name, p.weight})
		sum += p.weight
	}
	for i := range shares {
		if sum > 0 {
			shares[i].Weight /= sum
		}
	}
	return shares
}

// checkApart reports a file that two sources have.
func checkApart(parts []*Corpus) error {
	seen := map[string]string{}
	for _, c := range parts {
		for _, name := range append(slices.Clone(c.train), c.validation...) {
			if first, ok := seen[name]; ok {
				return settingf("data: %s is in the sources %s and %s (name it in one; its weight says how often it is read)", name, first, c.name)
			}
			seen[name] = c.name
		}
	}
	return nil
}

// tokens says whether files of the format have tokens, not text.
func (f Format) tokens() bool { return f == FormatShards || f == FormatBin }
