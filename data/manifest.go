package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// manifest says how many shards a prepared directory has; it is written last.
type manifest struct {
	Version    int `json:"version"`
	Train      int `json:"train"`
	Validation int `json:"validation"`
}

const manifestName = "manifest.json"

// errNotPrepared says that there is no prepared directory.
var errNotPrepared = errors.New("data: not prepared")

// errManifest says that a prepared directory has no usable manifest or lacks a shard.
var errManifest = errors.New("prepared directory is damaged")

func writeManifest(dir string, m manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("data: manifest: %w", err)
	}
	file, err := os.Create(filepath.Join(dir, manifestName))
	if err != nil {
		return fmt.Errorf("data: manifest: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("data: manifest: %w", err)
	}
	return nil
}

func parseManifest(text []byte) (m manifest, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", errManifest, manifestName, err)
	}
	if m.Version != shardVersion || m.Train < 1 || m.Validation < 0 {
		return m, fmt.Errorf("%w: %s: version %d, %d train and %d validation shards", errManifest, manifestName, m.Version, m.Train, m.Validation)
	}
	return m, nil
}

// openPrepared opens the shards in dir, all of which must carry the fingerprint source. Until they are closed CleanCache leaves
// them where they are.
func openPrepared(dir, source string) (*Prepared, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, errNotPrepared
	}
	name := filepath.Join(dir, manifestName)
	release, ok, err := holdLock(name)
	if err == nil && !ok {
		return nil, errNotPrepared // it is being removed
	}
	var text []byte
	if err == nil {
		if text, err = os.ReadFile(name); err != nil {
			release()
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", errManifest, err)
	}
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", dir, err)
	}
	p := &Prepared{Dir: dir, Reused: true, release: release}
	m, err := parseManifest(text)
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("data: %s: %w", dir, err)
	}
	if p.Train, err = openSplit(dir, Train, m.Train, source); err == nil && m.Validation > 0 {
		p.Validation, err = openSplit(dir, Validation, m.Validation, source)
	}
	if err == nil {
		p.Ledger, err = ReadLedger(filepath.Join(dir, ledgerName))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("data: %w: %w", errManifest, err)
		}
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // when it was used last; a cache that cannot be written does not tell
	return p, nil
}

func openSplit(dir string, split Split, shards int, source string) (*Set, error) {
	var paths []string
	for i := range shards {
		path := filepath.Join(dir, shardName(split.String(), i))
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("data: %w: %w", errManifest, err)
		}
		paths = append(paths, path)
	}
	set, err := OpenSet(paths...)
	if err != nil {
		return nil, err
	}
	for i, shard := range set.shards {
		if shard.Source != source || shard.Index != i || shard.Split != split.String() {
			set.Close()
			return nil, fmt.Errorf("data: %w: %s is shard %d of %s from %s", errManifest, shard.path, shard.Index, shard.Split, shard.Source)
		}
	}
	return set, nil
}

// repairable says whether making the shards again cures err.
func repairable(err error) bool {
	for _, cause := range []error{errManifest, ErrLedger, ErrNotShard, ErrVersion, ErrTruncated, ErrChecksum, ErrHeader} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
