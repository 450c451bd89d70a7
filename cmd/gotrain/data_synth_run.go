package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/console"
)

func (f *synthFlags) run(c *cobra.Command) (err error) {
	if err := f.complete(c); err != nil {
		return err
	}
	seeds, err := bootstrap.ReadSeeds(f.seeds)
	if err != nil {
		return usagef("--seeds: %w", err)
	}
	if len(seeds) == 0 && f.method != (bootstrap.Magpie{}).Name() {
		return usagef("--method %s begins with seeds: name a file with --seeds", f.method)
	}
	author, prefix, closing, err := f.author()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	if f.Method, err = bootstrap.Open(f.method, f.maxTokens, prefix); err != nil {
		return usagef("--method: %w", err)
	}
	if f.rewardModel != "" {
		judge, closing, err := f.rewarder()
		if err != nil {
			return err
		}
		defer closing()
		f.Reward = judge
	}
	if err := f.Validate(seeds); err != nil {
		return usageError{err}
	}
	lines := console.New(c.ErrOrStderr())
	said := synthProgress{lines: lines, begin: time.Now()}
	p, err := bootstrap.Run(c.Context(), vfs.OS{}, f.Config, seeds, author, said.tell)
	lines.Clear()
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted with %d records; the same command goes on", p.Kept)
	}
	if err != nil {
		return err
	}
	return f.print(c.OutOrStdout(), p)
}

// print writes what became of all drafts.
func (f *synthFlags) print(w io.Writer, p bootstrap.Progress) error {
	if f.json {
		return writeJSON(w, struct {
			Records  string                   `json:"records"`
			Kept     int                      `json:"kept"`
			Rejected map[bootstrap.Reason]int `json:"rejected"`
		}{f.path(), p.Kept, p.Rejected})
	}
	_, err := fmt.Fprintf(w, "%d records in %s, of %d candidates; %s\n", p.Kept, f.path(), p.Candidates(), rejections(p.Rejected))
	return err
}

// complete gives the flags what follows from others.
func (f *synthFlags) complete(c *cobra.Command) error {
	if err := f.resolve(); err != nil {
		return err
	}
	switch {
	case f.maxTokens == 0:
		return usagef("--max-tokens is 0; use 1 or more")
	case f.rows < 1 || f.rows > maxBatch:
		return usagef("--batch %d is outside [1, %d]", f.rows, maxBatch)
	}
	if f.method != (bootstrap.Textbook{}).Name() && !c.Flags().Changed("max-words") {
		f.Filter.MaxWords = 150
	}
	f.Filter.Rules = !f.noRules
	f.Seed = f.asked.Seed
	if c.Flags().Changed("min-reward") {
		f.Filter.MinReward = &f.minReward
	}
	return nil
}

// path is where the records are.
func (f *synthFlags) path() string { return filepath.Join(f.Dir, bootstrap.RecordsFile) }

// synthProgress tells how far it is.
type synthProgress struct {
	lines       *console.Progress
	begin, last time.Time
}

func (s *synthProgress) tell(p bootstrap.Progress) {
	now := time.Now()
	if pause := 5 * time.Second; p.Kept < p.Count && now.Sub(s.last) < pause {
		return
	}
	s.last = now
	asked := ""
	if p.Asked > 0 {
		asked = fmt.Sprintf(", %s %d of %d", p.Stage, p.Answered, p.Asked)
	}
	s.lines.Status("round %d%s: %d of %d records, %d candidates (%s), %s", p.Round+1, asked, p.Kept, p.Count, p.Candidates(), rejections(p.Rejected), now.Sub(s.begin).Round(time.Second))
}

// rejections lists reasons, the commonest first.
func rejections(counts map[bootstrap.Reason]int) string {
	if len(counts) == 0 {
		return "none rejected"
	}
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b bootstrap.Reason) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(string(a), string(b))
	})
	var list []string
	for _, r := range reasons {
		list = append(list, fmt.Sprintf("%s %d", r, counts[r]))
	}
	return "rejected: " + strings.Join(list, ", ")
}
