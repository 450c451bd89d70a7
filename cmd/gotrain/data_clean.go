package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/units"
)

func newDataClean() *cobra.Command {
	var dir, olderThan string
	var dry, asJSON bool
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove prepared token shards from the cache",
		Long: `Clean lists what the cache of prepared data holds, with its size and when it was used
last, and removes it: token shards, which a run makes again when it needs them, and
what preparations that crashed have left. What a process has open or makes stays, as
do files of other names.`,
		Example: `  gotrain data clean --dry-run
  gotrain data clean --older-than 30d
  gotrain data clean --cache-dir /scratch/shards`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			age, err := parseAge(olderThan)
			if err != nil {
				return usagef("--older-than: %w", err)
			}
			dir, err := (data.Config{CacheDir: dir}).Cache()
			if err != nil {
				return usageError{err}
			}
			now := time.Now()
			all, err := data.CleanCache(dir, now.Add(-age), dry)
			r := cleaned{Dir: dir, DryRun: dry, Entries: all}
			for _, e := range all {
				if e.State == data.CacheRemoved {
					r.Freed += e.Bytes
				}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), r)
			}
			return r.print(c.OutOrStdout(), now)
		},
	}
	c.Flags().StringVar(&olderThan, "older-than", "0", "only what was not used for this long, `AGE` in days (30d), weeks (2w) or hours (12h)")
	c.Flags().BoolVar(&dry, "dry-run", false, "list what would be removed, remove nothing")
	c.Flags().StringVar(&dir, "cache-dir", "", "data.cache_dir `DIR` (default: data in the folder gotrain of your cache)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	complete(c, "cache-dir", directories)
	return c
}

// cleaned is what became of a cache.
type cleaned struct {
	Dir     string        `json:"dir"`
	DryRun  bool          `json:"dry_run"`
	Freed   int64         `json:"freed"` // bytes, or what would be
	Entries []data.Cached `json:"entries"`
}

func (r cleaned) print(w io.Writer, now time.Time) error {
	if len(r.Entries) == 0 {
		_, err := fmt.Fprintf(w, "nothing is in %s\n", r.Dir)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "used\tsize\ttokens\tstate\tname")
	removed := 0
	for _, e := range r.Entries {
		tokens := "–"
		if e.Tokens > 0 {
			tokens = units.Count(e.Tokens)
		}
		state := string(e.State)
		if e.State == data.CacheRemoved {
			if removed++; r.DryRun {
				state = "would go"
			}
		}
		fmt.Fprintf(t, "%s ago\t%s\t%s\t%s\t%s\n", units.Seconds(max(1, math.Round(now.Sub(e.Used).Seconds()))), units.Bytes(e.Bytes), tokens, state, filepath.Base(e.Path))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	verb := "removed"
	if r.DryRun {
		verb = "would be removed"
	}
	_, err := fmt.Fprintf(w, "%d of %d %s, %s, in %s\n", removed, len(r.Entries), verb, units.Bytes(r.Freed), r.Dir)
	return err
}

// parseAge reads a duration, also in days and weeks.
func parseAge(s string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			n, err := strconv.ParseFloat(number, 64)
			if err != nil || !(n >= 0) || n > 1e5 {
				return 0, fmt.Errorf("%q is no age; write it as 30d, 2w or 12h", s)
			}
			return time.Duration(n * float64(unit)), nil
		}
	}
	age, err := time.ParseDuration(s)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("%q is no age; write it as 30d, 2w or 12h", s)
	}
	return age, nil
}
