package metrics

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"example.com/gotrain/data/vfs"
)

// maxLine bounds a line of metrics.jsonl, in bytes. Longer ones are not ours.
const maxLine = 1 << 16

// Log appends to metrics.jsonl.
type Log struct {
	fsys vfs.FS
	name string
	a    appender
}

// Resumed tells what OpenLog did to the lines that were there.
type Resumed struct {
	Kept  int // lines up to the last step
	Later int // lines dropped: their steps will be computed again
	Torn  int // lines dropped: no whole record, as a crash leaves them
}

// OpenLog opens the file name for a run that goes on after lastStep: lines of
// later steps and torn lines are dropped, by rewriting the file in one step if
// there are any. A run that starts anew passes -1.
func OpenLog(fsys vfs.FS, name string, lastStep int64) (*Log, Resumed, error) {
	resumed, err := rewind(fsys, name, lastStep)
	if err != nil {
		return nil, resumed, fmt.Errorf("%s: %w", name, err)
	}
	a, err := openAppender(fsys, name)
	if err != nil {
		return nil, resumed, err
	}
	return &Log{fsys: fsys, name: name, a: a}, resumed, nil
}

// Append adds the record's line. After an error the line waits for the next
// Append, Sync or Close, so that no step is lost when the disk has room again.
func (l *Log) Append(r Record) error {
	data, err := r.MarshalJSON()
	if err != nil {
		return fmt.Errorf("%s: step %d: %w", l.name, r.Step, err)
	}
	return l.a.write(append(data, '\n'))
}

// Flush tries again to write the lines that wait. Call it, then Sync, before a
// checkpoint is saved: the run resumes after the checkpoint's step and will not
// write the lines up to it again.
func (l *Log) Flush() error { return l.a.flush() }

// Sync makes the lines that do not wait survive a power loss. It may run concurrently with
// Append, which goes on with a file of its own.
func (l *Log) Sync() error {
	f, err := l.fsys.OpenAppend(l.name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close syncs and closes the file.
func (l *Log) Close() error { return l.a.close() }

// rewind drops the lines that do not belong to a run up to lastStep.
func rewind(fsys vfs.FS, name string, lastStep int64) (Resumed, error) {
	resumed, changed, err := copyUpTo(fsys, name, io.Discard, lastStep)
	if errors.Is(err, fs.ErrNotExist) {
		return Resumed{}, nil
	}
	if err != nil || !changed {
		return resumed, err
	}
	return resumed, vfs.WriteFile(fsys, name, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		if _, _, err := copyUpTo(fsys, name, b, lastStep); err != nil {
			return err
		}
		return b.Flush()
	})
}

// copyUpTo copies the whole records up to lastStep from the file name to w, in
// their order, and reports whether that differs from the file.
func copyUpTo(fsys vfs.FS, name string, w io.Writer, lastStep int64) (n Resumed, changed bool, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return n, false, err
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, maxLine)
	for {
		text, readErr := lines.ReadSlice('\n')
		for errors.Is(readErr, bufio.ErrBufferFull) { // too long: skip to its end
			text = nil
			_, readErr = lines.ReadSlice('\n')
			if !errors.Is(readErr, bufio.ErrBufferFull) {
				n.Torn++
				changed = true
			}
		}
		if readErr != nil && readErr != io.EOF {
			return n, changed, readErr
		}
		if len(text) > 0 {
			step, whole := stepOf(text)
			switch {
			case !whole:
				n.Torn++
			case step > lastStep:
				n.Later++
			default:
				n.Kept++
				if readErr == io.EOF { // whole but for its newline
					changed = true
					text = append(text, '\n')
				}
				if _, err := w.Write(text); err != nil {
					return n, changed, err
				}
			}
		}
		if readErr == io.EOF {
			return n, changed || n.Later+n.Torn > 0, nil
		}
	}
}

// ReadLog returns the records of the file name, in their order, and how many lines are
// none, as a crash leaves the last one. The run may be writing it.
func ReadLog(fsys vfs.FS, name string) (records []Record, torn int, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		text, err := lines.ReadBytes('\n')
		var r Record
		switch {
		case len(bytes.TrimSpace(text)) == 0:
		case r.UnmarshalJSON(text) != nil:
			torn++
		default:
			records = append(records, r)
		}
		if err == io.EOF {
			return records, torn, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", name, err)
		}
	}
}

// stepOf reads the step of a line; whole is false if it is no whole record.
func stepOf(text []byte) (step int64, whole bool) {
	var r struct {
		Step *int64 `json:"step"`
	}
	if json.Unmarshal(text, &r) != nil || r.Step == nil {
		return 0, false
	}
	return *r.Step, true
}
