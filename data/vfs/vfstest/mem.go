package vfstest

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/gotrain/data/vfs"
)

// Mem is a filesystem in memory that knows what a power loss would leave, in the
// manner of pebble's vfs.MemFS. A file keeps the bytes of its last Sync. A
// directory keeps the names of its last SyncDir. PowerLoss gives what is left.
type Mem struct {
	mu    sync.Mutex
	root  *node
	locks map[string]bool
}

var _ vfs.FS = (*Mem)(nil)

// NewMem gives an empty filesystem.
func NewMem() *Mem { return &Mem{root: newDir(), locks: map[string]bool{}} }

// node is a file, a directory or a symbolic link. Fields with "durable" are what
// a power loss keeps for certain.
type node struct {
	mode fs.FileMode // type bits only

	data        []byte // file
	durableData []byte
	stable      int // leading bytes of data that are synced and were not cut since

	target string // link

	names        map[string]*node // directory
	durableNames map[string]*node
	pending      []change // from durableNames to names, in order
}

// change is one step in a directory that is not synced: name del goes, name add
// comes. A rename within a directory has both and is never torn.
type change struct {
	del, add string
	node     *node
}

func newDir() *node {
	return &node{mode: fs.ModeDir, names: map[string]*node{}, durableNames: map[string]*node{}}
}

func (n *node) apply(c change) {
	c.applyTo(n.names)
	n.pending = append(n.pending, c)
}

func (c change) applyTo(names map[string]*node) {
	if c.del != "" {
		delete(names, c.del)
	}
	if c.add != "" {
		names[c.add] = c.node
	}
}

// PowerLoss gives a new filesystem with what a power loss now would leave. With
// rng nil nothing unsynced survives. With an rng, each directory also keeps a
// random number of its next unsynced changes, in order, as a journal does, and
// each file either its synced bytes or the first part of its newer ones, the
// rest missing or zero. Bytes synced and left alone always stay.
func (m *Mem) PowerLoss(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mem{root: m.root.survivor(rng, map[*node]*node{}), locks: map[string]bool{}}
}

func (n *node) survivor(rng *rand.Rand, done map[*node]*node) *node {
	if s, ok := done[n]; ok {
		return s
	}
	s := &node{mode: n.mode, target: n.target}
	done[n] = s
	switch n.mode {
	case fs.ModeDir:
		names := maps.Clone(n.durableNames)
		if rng != nil {
			for _, c := range n.pending[:rng.IntN(len(n.pending)+1)] {
				c.applyTo(names)
			}
		}
		s.names = map[string]*node{}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			s.names[name] = names[name].survivor(rng, done)
		}
		s.durableNames = maps.Clone(s.names)
	case 0:
		s.data = slices.Clone(n.durableData)
		if rng != nil && rng.IntN(2) == 0 && !slices.Equal(n.data, n.durableData) {
			s.data = slices.Clone(n.data)
			kept := n.stable + rng.IntN(len(n.data)-n.stable+1)
			clear(s.data[kept:])
			if rng.IntN(2) == 0 {
				s.data = s.data[:kept]
			}
		}
		s.durableData, s.stable = slices.Clone(s.data), len(s.data)
	}
	return s
}

// split gives the parts of a path from the root; relative paths start there too.
func split(name string) []string {
	name = strings.Trim(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// walk finds the node of a path, following links on the way and, if follow, at
// its end.
func (m *Mem) walk(parts []string, follow bool) (*node, error) {
	n, at := m.root, "/"
	for hops, i := 0, 0; i < len(parts); i++ {
		if n.mode != fs.ModeDir {
			return nil, syscall.ENOTDIR
		}
		child := n.names[parts[i]]
		if child == nil {
			return nil, syscall.ENOENT
		}
		if child.mode == fs.ModeSymlink && (follow || i < len(parts)-1) {
			if hops++; hops > 8 {
				return nil, syscall.ELOOP
			}
			target := child.target
			if !path.IsAbs(target) {
				target = path.Join(at, target)
			}
			parts = append(split(target), parts[i+1:]...)
			n, at, i = m.root, "/", -1
			continue
		}
		n, at = child, path.Join(at, parts[i])
	}
	return n, nil
}

// parent finds the directory that holds name, and name's last part.
func (m *Mem) parent(name string) (*node, string, error) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", syscall.EINVAL
	}
	dir, err := m.walk(parts[:len(parts)-1], true)
	if err != nil {
		return nil, "", err
	}
	if dir.mode != fs.ModeDir {
		return nil, "", syscall.ENOTDIR
	}
	return dir, parts[len(parts)-1], nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Create implements vfs.FS.
func (m *Mem) Create(name string) (vfs.File, error) { return m.openWrite("create", name, true) }

// OpenAppend implements vfs.FS.
func (m *Mem) OpenAppend(name string) (vfs.File, error) { return m.openWrite("append", name, false) }

func (m *Mem) openWrite(op, name string, cut bool) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	n := dir.names[base]
	switch {
	case n == nil:
		n = &node{}
		dir.apply(change{add: base, node: n})
	case n.mode != 0:
		return nil, pathError(op, name, syscall.EISDIR)
	case cut:
		n.data, n.stable = nil, 0
	}
	return &memFile{m: m, n: n, name: name, write: true}, nil
}

// Open implements vfs.FS.
func (m *Mem) Open(name string) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk(split(name), true)
	if err == nil && n.mode != 0 {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{m: m, n: n, name: name}, nil
}

// Rename implements vfs.FS.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := func() error {
		from, oldbase, err := m.parent(oldname)
		if err != nil {
			return err
		}
		to, newbase, err := m.parent(newname)
		if err != nil {
			return err
		}
		n := from.names[oldbase]
		if n == nil {
			return syscall.ENOENT
		}
		if over := to.names[newbase]; over != nil && over != n {
			switch {
			case over.mode == fs.ModeDir:
				return syscall.EEXIST
			case n.mode == fs.ModeDir:
				return syscall.ENOTDIR
			}
		}
		if from == to {
			from.apply(change{del: oldbase, add: newbase, node: n})
			return nil
		}
		to.apply(change{add: newbase, node: n})
		from.apply(change{del: oldbase})
		return nil
	}()
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

// Remove implements vfs.FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil {
		switch n := dir.names[base]; {
		case n == nil:
			err = syscall.ENOENT
		case len(n.names) > 0:
			err = syscall.ENOTEMPTY
		default:
			dir.apply(change{del: base})
		}
	}
	return pathError("remove", name, err)
}

// add puts a new node at name.
func (m *Mem) add(op, name string, n *node) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil && dir.names[base] != nil {
		err = syscall.EEXIST
	}
	if err == nil {
		dir.apply(change{add: base, node: n})
	}
	return pathError(op, name, err)
}

// Mkdir implements vfs.FS.
func (m *Mem) Mkdir(name string) error { return m.add("mkdir", name, newDir()) }

// Symlink implements vfs.FS.
func (m *Mem) Symlink(target, name string) error {
	return m.add("symlink", name, &node{mode: fs.ModeSymlink, target: target})
}

// Readlink implements vfs.FS.
func (m *Mem) Readlink(name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk(split(name), false)
	if err == nil && n.mode != fs.ModeSymlink {
		err = syscall.EINVAL
	}
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return n.target, nil
}

// dir finds the directory name.
func (m *Mem) dir(op, name string) (*node, error) {
	n, err := m.walk(split(name), true)
	if err == nil && n.mode != fs.ModeDir {
		err = syscall.ENOTDIR
	}
	return n, pathError(op, name, err)
}

// ReadDir implements vfs.FS.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.dir("readdir", name)
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(n.names)) {
		entries = append(entries, fs.FileInfoToDirEntry(describe(base, n.names[base])))
	}
	return entries, nil
}

// Stat implements vfs.FS.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walk(split(name), true)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return describe(path.Base(filepath.ToSlash(name)), n), nil
}

// SyncDir implements vfs.FS.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.dir("syncdir", name)
	if err != nil {
		return err
	}
	n.durableNames, n.pending = maps.Clone(n.names), nil
	return nil
}

// Lock implements vfs.FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := path.Join(split(name)...)
	if m.locks[key] {
		return nil, &vfs.LockedError{Path: name, PID: os.Getpid(), Host: "memory"}
	}
	m.locks[key] = true
	return &memLock{m, key}, nil
}

type memLock struct {
	m   *Mem
	key string
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.key)
	return nil
}

// info describes a node.
type info struct {
	name string
	size int64
	mode fs.FileMode
}

func describe(name string, n *node) info { return info{name, int64(len(n.data)), n.mode} }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode == fs.ModeDir }
func (i info) Sys() any           { return nil }
