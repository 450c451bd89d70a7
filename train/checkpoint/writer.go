package checkpoint

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
)

// Writer is one save in progress. A process that is alone uses Begin, Write and
// Commit. When the ranks of a distributed run write one checkpoint, rank 0 uses
// Begin and the others, after it has returned, Join. Each writes its own files, the
// entries are gathered on rank 0, and it commits them once all ranks report success:
//
//	rank 0:  w := Begin(…); barrier; w.Write(…); gather; w.Commit(entries…)
//	others:  barrier; w := Join(…); w.Write(…); gather
//
// After a failure of Write on any rank, rank 0 calls Abort.
type Writer struct {
	fsys    vfs.FS
	runDir  string
	step    int64
	best    int64           // step that the link best names, 0 for none
	folders map[string]bool // made in the temporary directory
	entries []manifest.Entry
	events  []Event
	buf     *bufio.Writer // gathers small writes, for one file after the other
}

// Begin makes the temporary directory of a save and deletes what crashed saves
// left. Errors are *SaveError.
func Begin(fsys vfs.FS, runDir string, step int64) (*Writer, error) {
	w := Join(fsys, runDir, step)
	if step < 0 {
		return nil, w.failed("begin", fmt.Errorf("step %d is negative", step))
	}
	if err := vfs.MkdirAll(fsys, filepath.Join(runDir, folder)); err != nil {
		return nil, w.failed("make the directory", err)
	}
	l, err := list(fsys, runDir)
	if err != nil {
		return nil, w.failed("list the directory", err)
	}
	for _, name := range l.junk {
		path := filepath.Join(runDir, folder, name)
		if err := vfs.RemoveAll(fsys, path); err != nil {
			w.note(NotTidied, path, err)
			continue
		}
		w.note(StaleTemp, path, nil)
	}
	if err := fsys.Mkdir(w.temp()); err != nil {
		return nil, w.failed("make the temporary directory", err)
	}
	return w, nil
}

// Join gives a Writer into the directory that another process's Begin made.
func Join(fsys vfs.FS, runDir string, step int64) *Writer {
	return &Writer{fsys: fsys, runDir: runDir, step: step, folders: map[string]bool{}, buf: bufio.NewWriterSize(nil, chunk)}
}

func (w *Writer) final() string { return Dir(w.runDir, w.step) }
func (w *Writer) temp() string  { return w.final() + vfs.TempSuffix }
func (w *Writer) old() string   { return w.final() + oldSuffix }
func (w *Writer) dir() string   { return filepath.Join(w.runDir, folder) }

func (w *Writer) failed(op string, err error) error {
	return &SaveError{Path: w.final(), Op: op, Err: err}
}

func (w *Writer) note(kind Kind, path string, err error) {
	w.events = append(w.events, Event{Kind: kind, Step: w.step, Path: path, Err: err})
}

// Write writes and syncs one file and computes its checksum on the way.
// Errors are *SaveError.
func (w *Writer) Write(f File) (manifest.Entry, error) {
	if err := manifest.CheckName(f.Name); err != nil {
		return manifest.Entry{}, w.failed("write", err)
	}
	for _, e := range w.entries {
		if e.Name == f.Name {
			return manifest.Entry{}, w.failed("write "+f.Name, errors.New("there are two files of this name"))
		}
	}
	e, err := w.writeFile(f.Name, f.Write)
	if err != nil {
		return manifest.Entry{}, w.failed("write "+f.Name, err)
	}
	w.entries = append(w.entries, e)
	return e, nil
}

// chunk is the size in bytes of a write to the disk: a file is hashed chunk by
// chunk just before, while the chunk is in the processor's cache.
const chunk = 256 << 10

func (w *Writer) writeFile(name string, write func(io.Writer) error) (manifest.Entry, error) {
	if err := w.makeFolder(path.Dir(name)); err != nil {
		return manifest.Entry{}, err
	}
	f, err := w.fsys.Create(filepath.Join(w.temp(), name))
	if err != nil {
		return manifest.Entry{}, err
	}
	h := &hashed{f: f, h: xxh3.New()}
	w.buf.Reset(h)
	err = write(w.buf)
	if err == nil {
		err = w.buf.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return manifest.Entry{Name: name, Size: h.size, XXH3: manifest.Sum(h.h.Sum64())}, err
}

// makeFolder makes a folder of the checkpoint, unless another file or process
// has done so. "." is the checkpoint itself.
func (w *Writer) makeFolder(name string) error {
	if name == "." || w.folders[name] {
		return nil
	}
	if err := w.fsys.Mkdir(filepath.Join(w.temp(), name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	w.folders[name] = true
	return nil
}

// syncFolders makes the names of all files survive a power loss.
func (w *Writer) syncFolders(m manifest.Manifest) error {
	folders := []string{"."}
	for _, f := range m.Files {
		folders = append(folders, path.Dir(f.Name))
	}
	slices.Sort(folders)
	for _, name := range slices.Compact(folders) {
		if err := w.fsys.SyncDir(filepath.Join(w.temp(), name)); err != nil {
			return err
		}
	}
	return nil
}

// hashed writes to f and keeps size and checksum of what it wrote.
type hashed struct {
	f    io.Writer
	h    *xxh3.Hasher
	size int64
}

func (w *hashed) Write(p []byte) (int, error) {
	written := 0
	for part := range slices.Chunk(p, chunk) {
		w.h.Write(part)
		n, err := w.f.Write(part)
		written += n
		w.size += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Commit writes the manifest over the files written here and others, the entries
// of the files that other processes wrote, and makes the checkpoint the newest.
// An existing checkpoint of the same step is replaced. Then the link latest is
// set and all but the newest keep checkpoints are deleted (0 keeps all); failures
// of this last part are events, since the checkpoint stands. Errors are
// *SaveError, and nothing is left of the save.
func (w *Writer) Commit(keep int, others ...manifest.Entry) (Saved, error) {
	m := manifest.Manifest{Format: manifest.Version, Step: w.step, Files: slices.Concat(w.entries, others)}
	slices.SortFunc(m.Files, func(a, b manifest.Entry) int { return cmp.Compare(a.Name, b.Name) })
	if err := w.publish(m); err != nil {
		return Saved{}, w.abandon(err)
	}
	s := Saved{Path: w.final(), Step: w.step}
	for _, f := range m.Files {
		s.Bytes += f.Size
	}
	w.events = append(w.events, setLink(w.fsys, w.runDir, latestName, w.step)...)
	w.tidy(keep)
	s.Events = w.events
	return s, nil
}

// NameBest has Commit point the link best at the checkpoint of a step, and keep it;
// 0 is no step.
func (w *Writer) NameBest(step int64) { w.best = step }

// Abort deletes what was written. The Writer is used up.
func (w *Writer) Abort() error {
	if err := vfs.RemoveAll(w.fsys, w.temp()); err != nil {
		return fmt.Errorf("delete %s: %w", w.temp(), err)
	}
	return nil
}

// abandon deletes what was written because of err.
func (w *Writer) abandon(err error) error {
	return also(err, "the next save will try again", w.Abort())
}

// also adds to an error what went wrong in coping with it.
func also(err error, doing string, second error) error {
	if second == nil {
		return err
	}
	return fmt.Errorf("%w (besides, %s: %w)", err, doing, second)
}

// publish turns the temporary directory into the checkpoint.
func (w *Writer) publish(m manifest.Manifest) error {
	data, err := m.Encode()
	if err != nil {
		return w.failed("encode the manifest", err)
	}
	if _, err := manifest.Parse(data); err != nil {
		return w.failed("encode the manifest", err)
	}
	_, err = w.writeFile(manifest.Name, func(f io.Writer) error {
		_, err := f.Write(data)
		return err
	})
	if err != nil {
		return w.failed("write "+manifest.Name, err)
	}
	if err := w.syncFolders(m); err != nil {
		return w.failed("sync "+w.temp(), err)
	}
	l, err := list(w.fsys, w.runDir)
	if err != nil {
		return w.failed("list the directory", err)
	}
	// A directory cannot be renamed over another: the one there steps aside and
	// stays in Latest's sight until the new one is safe. If only an aside one is
	// there, from a crash between the two renames, it is the one to protect.
	replaces := slices.Contains(l.steps, w.step)
	if replaces {
		// What is visible must be durable before the one aside goes.
		if err := w.fsys.SyncDir(w.dir()); err != nil {
			return w.failed("sync "+w.dir(), err)
		}
		if err := vfs.RemoveAll(w.fsys, w.old()); err != nil {
			return w.failed("delete "+w.old(), err)
		}
		if err := w.fsys.Rename(w.final(), w.old()); err != nil {
			return w.failed("rename", err)
		}
	}
	err = w.fsys.Rename(w.temp(), w.final())
	if err == nil {
		if err = w.fsys.SyncDir(w.dir()); err == nil {
			return nil
		}
		err = also(err, "undoing the rename", w.fsys.Rename(w.final(), w.temp()))
	}
	if replaces {
		err = also(err, "putting back the one replaced", w.fsys.Rename(w.old(), w.final()))
	}
	return w.failed("rename", err)
}

// tidy points the link best at its step, and deletes the replaced checkpoint of
// this step and those that are not among the newest keep. It never deletes the
// one just saved, the best, or one that KeepBase keeps.
func (w *Writer) tidy(keep int) {
	l, err := list(w.fsys, w.runDir)
	if err != nil {
		w.note(NotTidied, w.dir(), err)
		return
	}
	if w.best > 0 && slices.Contains(l.steps, w.best) {
		w.events = append(w.events, setLink(w.fsys, w.runDir, bestName, w.best)...)
	}
	for _, step := range l.olds {
		if old := Dir(w.runDir, step) + oldSuffix; slices.Contains(l.steps, step) {
			if err := w.discard(old); err != nil {
				w.note(NotTidied, old, err)
			}
		}
	}
	if keep <= 0 || len(l.steps) <= keep {
		return
	}
	kept := w.kept(l)
	for _, step := range l.steps[keep:] {
		if step == w.step || step == w.best || kept[step] {
			continue
		}
		kind, path := Retired, Dir(w.runDir, step)
		err := w.discard(path)
		if err != nil {
			kind = NotTidied
		}
		w.events = append(w.events, Event{Kind: kind, Step: step, Path: path, Err: err})
	}
}

// discard deletes a checkpoint, renaming it first so that a crash on the way
// leaves no half of one under a name that counts.
func (w *Writer) discard(path string) error {
	trash := path
	if filepath.Ext(path) == oldSuffix {
		trash = path[:len(path)-len(oldSuffix)]
	}
	trash += trashSuffix
	if err := vfs.RemoveAll(w.fsys, trash); err != nil {
		return err
	}
	if err := w.fsys.Rename(path, trash); err != nil {
		return err
	}
	return vfs.RemoveAll(w.fsys, trash)
}
