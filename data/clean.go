package data

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// Cached is a part of a cache of prepared data: the shards of a text, or what else lies beside them.
type Cached struct {
	Path  string    `json:"path"`
	Bytes int64     `json:"bytes"`
	Used  time.Time `json:"used"` // when it was opened last
	// Tokens and Documents are those of shards, of both sides.
	Tokens    int64       `json:"tokens,omitempty"`
	Documents int64       `json:"documents,omitempty"`
	State     CachedState `json:"state"`
}

// CachedState is what became of a part of a cache.
type CachedState string

const (
	CacheRemoved CachedState = "removed" // or would be, in a dry run
	CacheKept    CachedState = "kept"    // it was used lately
	CacheInUse   CachedState = "in use"  // a process has it open or makes it
)

// Names of what a cache has. Others are not touched.
var (
	shardsDir   = regexp.MustCompile(`^[0-9a-f]{32}$`)
	unfinished  = regexp.MustCompile(`^\.tmp-([0-9a-f]{32})-[0-9a-f]{16}$`)
	remembered  = regexp.MustCompile(`^(sources-[0-9a-f]{16}\.json|\.tmp-sources-.*)$`)
	inShardsDir = regexp.MustCompile(`^(manifest\.json|split|(train|validation)-[0-9]{5,}\.gtsh)$`)
)

// CleanCache removes what lies in a cache of prepared data and was not used since a time: shards that no process has open,
// what crashed preparations have left, and remembered hashes of files. In a dry run it removes nothing. It returns what there
// is, what was used longest ago first. Files of other names stay, as does a directory that holds one.
func CleanCache(dir string, before time.Time, dry bool) ([]Cached, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("data: cache: %w", err)
	}
	var all []Cached
	var errs []error
	for _, entry := range entries {
		c := Cached{Path: filepath.Join(dir, entry.Name())}
		var err error
		switch key := unfinished.FindStringSubmatch(entry.Name()); {
		case entry.IsDir() && shardsDir.MatchString(entry.Name()):
			err = c.cleanShards(before, dry)
		case entry.IsDir() && key != nil:
			err = c.cleanUnfinished(filepath.Join(dir, key[1]), before, dry)
		case entry.Type().IsRegular() && remembered.MatchString(entry.Name()):
			err = c.cleanFile(before, dry)
		default:
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process was faster
		}
		errs = append(errs, err)
		if c.State != "" {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Cached) int { return a.Used.Compare(b.Used) })
	return all, errors.Join(errs...)
}

// cleanShards removes a directory of shards.
func (c *Cached) cleanShards(before time.Time, dry bool) error {
	if own, err := c.measure(); err != nil || !own {
		return err
	}
	c.countTokens()
	unlock, free, err := c.lockShards()
	if err != nil {
		return err
	}
	defer unlock()
	return c.remove(before, free, dry)
}

// lockShards keeps others from opening and from making the shards. free is false where one has them.
func (c *Cached) lockShards() (unlock func(), free bool, err error) {
	unlockKey, free, _, err := lockKey(c.Path)
	if err != nil || !free {
		return unlockKey, free, err
	}
	release, free, err := tryLock(filepath.Join(c.Path, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return unlockKey, true, nil // damaged: nobody has it open
	}
	if err != nil {
		unlockKey()
		return nil, false, fmt.Errorf("data: cache: %w", err)
	}
	return func() { release(); unlockKey() }, free, nil
}

// errBusy ends the wait for a lock.
var errBusy = errors.New("busy")

// lockKey takes the lock with which shards are made; free is false while they are. known is false where there are no locks.
func lockKey(path string) (unlock func(), free, known bool, err error) {
	unlock, known, err = lockFile(path+".lock", func() error { return errBusy })
	if errors.Is(err, errBusy) {
		return func() {}, false, true, nil
	}
	if err != nil {
		return nil, false, false, fmt.Errorf("data: cache: %w", err)
	}
	return unlock, true, known, nil
}

// cleanUnfinished removes what a preparation of the shards at final has left that did not come to its end. Where no lock tells
// of one that goes on, what was written to within a day is taken for it.
func (c *Cached) cleanUnfinished(final string, before time.Time, dry bool) error {
	if own, err := c.measure(); err != nil || !own {
		return err
	}
	unlock, free, known, err := lockKey(final)
	if err != nil {
		return err
	}
	defer unlock()
	return c.remove(before, free && (known || time.Since(c.Used) > 24*time.Hour), dry)
}

func (c *Cached) cleanFile(before time.Time, dry bool) error {
	info, err := os.Stat(c.Path)
	if err != nil {
		return err
	}
	c.Bytes, c.Used = info.Size(), info.ModTime()
	return c.remove(before, true, dry)
}

// remove removes what is free and was not used since before; a directory first gets a name under which nobody looks for it.
func (c *Cached) remove(before time.Time, free, dry bool) error {
	switch {
	case !free:
		c.State = CacheInUse
		return nil
	case c.Used.After(before):
		c.State = CacheKept
		return nil
	}
	c.State = CacheRemoved
	if dry {
		return nil
	}
	path := c.Path
	if name := filepath.Base(path); shardsDir.MatchString(name) {
		path = filepath.Join(filepath.Dir(path), fmt.Sprintf(".tmp-%s-%016x", name, rand.Uint64()))
		if err := os.Rename(c.Path, path); err != nil {
			c.State = CacheKept
			return fmt.Errorf("data: cache: %w", err)
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("data: cache: %w", err)
	}
	return nil
}

// measure finds size and last use of a directory; own is false where it has files that this package does not write.
func (c *Cached) measure() (own bool, err error) {
	files, err := os.ReadDir(c.Path)
	if err != nil {
		return false, err
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			return false, err
		}
		if !info.Mode().IsRegular() || !inShardsDir.MatchString(file.Name()) {
			return false, nil
		}
		c.Bytes += info.Size()
		if info.ModTime().After(c.Used) {
			c.Used = info.ModTime()
		}
	}
	if len(files) == 0 {
		info, err := os.Stat(c.Path)
		if err != nil {
			return false, err
		}
		c.Used = info.ModTime()
	}
	return true, nil
}

// countTokens reads how much the shards hold from their headers, as far as they can be read.
func (c *Cached) countTokens() {
	entries, _ := os.ReadDir(c.Path) // what cannot be read counts as nothing
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".gtsh" {
			continue
		}
		if h, err := readHeader(filepath.Join(c.Path, e.Name())); err == nil {
			c.Tokens, c.Documents = c.Tokens+h.Tokens, c.Documents+h.Documents
		}
	}
}

// readHeader reads the header of a shard alone.
func readHeader(name string) (Header, error) {
	file, err := os.Open(name)
	if err != nil {
		return Header{}, err
	}
	defer file.Close()
	head := make([]byte, shardBody)
	if _, err := file.ReadAt(head, 0); err != nil {
		return Header{}, err
	}
	h, _, err := parseHeader(head)
	return h, err
}
