package device

import (
	"os"
	"path/filepath"
	"time"
)

// DiskSpeed writes and syncs a file of 32 MiB in dir, and removes it. The speed is in
// MB/s.
func DiskSpeed(dir string) (float64, error) {
	f, err := os.CreateTemp(dir, ".gotrain-doctor-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	buf := make([]byte, 1<<20)
	for i := range buf {
		buf[i] = byte(i * 2654435761 >> 7) // not zeros, which some disks do not store
	}
	start := time.Now()
	for range probeBytes / len(buf) {
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return probeBytes / 1e6 / time.Since(start).Seconds(), nil
}

// NearestDir is dir, or the nearest parent of it that exists.
func NearestDir(dir string) string {
	at, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	for !isThere(at) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
	}
	return at
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
