package metrics

import (
	"errors"
	"fmt"

	"example.com/gotrain/data/vfs"
)

// appender writes whole pieces at the end of a file. A piece that could not be
// written whole is cut off again and waits, with those after it, for the next try.
type appender struct {
	f       vfs.File
	size    int64  // of the whole pieces in the file
	pending []byte // pieces not yet in the file
	torn    bool   // the file may hold a part of pending
}

func openAppender(fsys vfs.FS, name string) (appender, error) {
	f, err := fsys.OpenAppend(name)
	if err != nil {
		return appender{}, err
	}
	info, err := fsys.Stat(name)
	if err != nil {
		return appender{}, errors.Join(err, f.Close())
	}
	return appender{f: f, size: info.Size()}, nil
}

// keep has a piece wait for the next write.
func (a *appender) keep(piece []byte) { a.pending = append(a.pending, piece...) }

func (a *appender) write(piece []byte) error {
	a.keep(piece)
	return a.flush()
}

func (a *appender) flush() error {
	if len(a.pending) == 0 {
		return nil
	}
	if a.torn {
		if err := a.f.Truncate(a.size); err != nil {
			return fmt.Errorf("metrics wait in memory: %w", err)
		}
		a.torn = false
	}
	if _, err := a.f.Write(a.pending); err != nil {
		a.torn = true
		return fmt.Errorf("metrics wait in memory: %w", err)
	}
	a.size += int64(len(a.pending))
	a.pending = a.pending[:0]
	return nil
}

func (a *appender) sync() error {
	if err := a.flush(); err != nil {
		return err
	}
	return a.f.Sync()
}

func (a *appender) close() error { return errors.Join(a.sync(), a.f.Close()) }
