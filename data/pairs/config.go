package pairs

import (
	"errors"
	"fmt"
	"strconv"
)

// Format is the data.format of pairs.
const Format = "pairs"

// Config is the section data.pairs.
type Config struct {
	// Source and Target are the keys of a JSON object or the columns of a table that hold
	// the two texts; a.b is a key inside an object. A number is a column of a table that
	// has no row of names: "1" the first.
	Source string `yaml:"source"`
	Target string `yaml:"target"`
	// Targets are files with the targets of the files of data.train, which then hold a
	// source on each line: line by line, the files of both in the order of their names.
	// ValidationTargets are those of data.validation_paths.
	Targets           []string `yaml:"targets"`
	ValidationTargets []string `yaml:"validation_targets"`
	// Packing puts several pairs into a row. Without it each row holds one.
	Packing bool `yaml:"packing"`
	// Cipher makes so many pairs of the text in data.train, in place of reading them: phrases
	// and their translations into a made language; see synth.Cipher. 0 reads pairs.
	Cipher int `yaml:"cipher"`
	// MaxPairs bounds the pairs that are read, 0 for all.
	MaxPairs int `yaml:"max_pairs"`
}

// Default returns the values of keys that a file leaves out.
func Default() Config { return Config{Source: "source", Target: "target", Packing: true} }

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("data.pairs."+format, args...)) }
	if c.Source == "" || c.Target == "" {
		fault("source is %q and target %q: name the key or the column of each", c.Source, c.Target)
	}
	if c.Source == c.Target {
		fault("target is %q, as source: a text is not its own target", c.Target)
	}
	if _, a := column(c.Source); a != isNumber(c.Target) {
		fault("source is %q and target %q: give both by name or both by number", c.Source, c.Target)
	}
	if c.Cipher < 0 {
		fault("cipher is %d; use a number of pairs, such as 20000, or 0 to read pairs", c.Cipher)
	}
	if c.Cipher > 0 && len(c.Targets) > 0 {
		fault("cipher and targets are both set: keep the one that you mean")
	}
	if c.MaxPairs < 0 {
		fault("max_pairs is %d; use 0 for all", c.MaxPairs)
	}
	return errors.Join(faults...)
}

// column is the number of a column, from 0, that a name like "1" gives.
func column(name string) (int, bool) {
	n, err := strconv.Atoi(name)
	return n - 1, err == nil && n > 0
}

func isNumber(name string) bool { _, ok := column(name); return ok }
