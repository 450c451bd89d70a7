package data

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Format says how documents lie in their files.
type Format string

const (
	// FormatText: a file is one document, or several around its held-out pieces (see the package documentation).
	FormatText Format = "text"
	// FormatJSONL: a line is a JSON object with the document's text at Config.TextKey. Blank lines are skipped.
	FormatJSONL Format = "jsonl"
	// FormatParquet: a row is a document with its text in the string column Config.TextKey ("a.b" for a nested one).
	FormatParquet Format = "parquet"
	// FormatCSV: a row is a document with its text in the column Config.TextKey, which the first row names; see [ReadTable].
	FormatCSV Format = "csv"
	// FormatTSV is FormatCSV with tabs between the values.
	FormatTSV Format = "tsv"
	// FormatShards: token shards written by Prepare earlier; they are opened as they are, without a cache.
	FormatShards Format = "shards"
	// FormatBin: token ids of nanoGPT (uint16 and nothing else) or llm.c (behind a header); they are read in place.
	FormatBin Format = "bin"
)

// Formats are the ways in which text is stored that shards are made of.
func Formats() []Format {
	return []Format{FormatText, FormatJSONL, FormatParquet, FormatCSV, FormatTSV, FormatShards, FormatBin}
}

func formatNames() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// Sharded tells whether a data.format is one of Formats.
func Sharded(format string) bool { return slices.Contains(Formats(), Format(format)) }

// Config says where the text is, how it is stored and how it is split and prepared.
// Text, JSONL and tables may be compressed with gzip or zstd, which is recognized by content, not by name.
type Config struct {
	// Paths, the key train of a configuration file, are files or glob patterns; see [ExpandPaths]. Files are read in
	// sorted order. Where Validation is set, a part of them is held out.
	Paths []string `yaml:"train"`
	// Sources are texts of several kinds in place of Paths, mixed by weight; see [Mixture].
	Sources []SourceConfig `yaml:"sources,omitempty"`
	// Format is the name of the section, by default text.
	Format Format `yaml:"-"`
	// TextKey is the JSONL key or the column of the text; defaults to "text".
	TextKey string `yaml:"text_key"`
	// BOS has each document begin with what the tokenizer puts before a text, as transformers does when it is called; a
	// tokenizer that puts nothing there is not concerned. Conversations have what their chat template writes.
	BOS bool `yaml:"bos"`
	// Encoding is what texts without a byte-order mark are written in, such as gbk, shift_jis, windows-1252 or utf-16le; empty is
	// UTF-8. Parquet has UTF-8 always.
	Encoding string `yaml:"encoding"`
	// Validation is the fraction of the text to hold out, in [0, 0.5]; 0 holds out none.
	Validation float64 `yaml:"validation"`
	// ValidationPaths name held-out files of their own, instead of Validation.
	ValidationPaths []string `yaml:"validation_paths"`
	// CacheDir receives prepared shards; defaults to a folder of the user's cache directory.
	CacheDir string `yaml:"cache_dir"`
	// ShardTokens bounds the tokens of one shard; defaults to 100 million.
	ShardTokens int `yaml:"shard_tokens"`
	// Workers is the number of goroutines that tokenize; defaults to GOMAXPROCS. The result does not depend on it.
	Workers int `yaml:"workers"`

	// Known is what the run that goes on has trained on and holds out already, nil for nothing. Where Validation is set, what
	// it knows stays on its side.
	Known *Ledger `yaml:"-"`
}

// Validate reports every fault of the configuration at once. It looks at no files.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("data: "+format, args...)) }
	if len(c.Sources) > 0 {
		return c.validateSources()
	}
	if len(c.Paths) == 0 {
		fault("train: no paths (name at least one file or pattern, for example $GOROOT/src/**/*.go)")
	}
	if c.Format != "" && !Sharded(string(c.Format)) {
		fault("format: unknown %q (one of %s)", c.Format, formatNames())
	}
	if _, err := findCharset(c.Encoding); err != nil {
		faults = append(faults, fmt.Errorf("data: %w", err))
	}
	if math.IsNaN(c.Validation) || c.Validation < 0 || c.Validation > 0.5 {
		fault("validation: %v is outside [0, 0.5] (0.1 holds out a tenth of the text)", c.Validation)
	}
	if c.Validation > 0 && len(c.ValidationPaths) > 0 {
		fault("validation and validation_paths are both set (keep the one that you mean)")
	}
	if c.Validation > 0 && c.Format.tokens() {
		fault("validation: tokens are already split (name the files of held-out ones in validation_paths)")
	}
	if c.ShardTokens < 0 || int64(c.ShardTokens) > maxShardTokens {
		fault("shard_tokens: %d is outside [0, %d] (0 means the default, %d)", c.ShardTokens, int64(maxShardTokens), defaultShardTokens)
	}
	if c.Workers < 0 {
		fault("workers: %d is negative (0 means one for each processor)", c.Workers)
	}
	return errors.Join(faults...)
}

const defaultShardTokens = 100_000_000

// Texts returns the configuration: it is that of a section of any kind of data which
// has texts in files.
func (c *Config) Texts() Config { return *c }

// withDefaults replaces zero fields by their defaults; CacheDir is left to cacheDir, since it can fail.
func (c Config) withDefaults() Config {
	if c.Format == "" {
		c.Format = FormatText
	}
	if c.TextKey == "" {
		c.TextKey = "text"
	}
	if c.ShardTokens == 0 {
		c.ShardTokens = defaultShardTokens
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return c
}

// Cache is the directory of prepared shards: CacheDir, or the one in the user's cache directory.
func (c Config) Cache() (string, error) { return c.cacheDir() }

func (c Config) cacheDir() (string, error) {
	if c.CacheDir != "" && isDir(c.CacheDir) {
		return c.CacheDir, nil // letter by letter, as files are
	}
	if c.CacheDir != "" {
		dir, err := expandVariables(c.CacheDir)
		if err != nil {
			return "", &SettingError{err}
		}
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("data: no place for prepared shards: %w (set cache_dir)", err)
	}
	return filepath.Join(dir, "gotrain", "data"), nil
}
