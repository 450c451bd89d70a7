package vfstest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// memFile is an open file: reads from its own offset, writes at the end.
type memFile struct {
	m      *Mem
	n      *node
	name   string
	off    int64
	write  bool
	closed bool
}

// use locks the filesystem for one operation on an open file.
func (f *memFile) use(op string, write bool) (unlock func(), err error) {
	f.m.mu.Lock()
	switch {
	case f.closed:
		err = fs.ErrClosed
	case write && !f.write:
		err = syscall.EBADF
	}
	if err != nil {
		f.m.mu.Unlock()
		return nil, pathError(op, f.name, err)
	}
	return f.m.mu.Unlock, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	unlock, err := f.use("write", true)
	if err != nil {
		return 0, err
	}
	defer unlock()
	f.n.data = append(f.n.data, p...)
	return len(p), nil
}

func (f *memFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	unlock, err := f.use("read", false)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if off < 0 {
		return 0, fmt.Errorf("read %s: negative offset %d", f.name, off)
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Sync() error {
	unlock, err := f.use("sync", false)
	if err != nil {
		return err
	}
	defer unlock()
	f.n.durableData, f.n.stable = slices.Clone(f.n.data), len(f.n.data)
	return nil
}

func (f *memFile) Truncate(size int64) error {
	unlock, err := f.use("truncate", true)
	if err != nil {
		return err
	}
	defer unlock()
	if size < 0 {
		return pathError("truncate", f.name, syscall.EINVAL)
	}
	if grow := size - int64(len(f.n.data)); grow > 0 {
		f.n.data = append(f.n.data, make([]byte, grow)...)
	}
	f.n.data, f.n.stable = f.n.data[:size:size], min(f.n.stable, int(size))
	return nil
}

func (f *memFile) Close() error {
	unlock, err := f.use("close", false)
	if err != nil {
		return err
	}
	f.closed = true
	unlock()
	return nil
}
