package save

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/metrics"
)

// writing is a checkpoint in the making. What it needs of the run is copied or does
// not change, so that write can go on while steps are made.
type writing struct {
	fsys    vfs.FS
	runDir  string
	rank    mesh.Rank
	step    int
	keep    int
	best    int64
	files   []checkpoint.File // of this rank
	log     *metrics.Log      // of rank 0
	refused error             // what keeps this rank from saving
	ended   <-chan struct{}   // closed when it is not to go on; nil for never
}

// agreement tells the other ranks what this one has come to, a text or an error,
// and returns the texts of all, or an error on all of them.
type agreement func(text string, failed error) ([]string, error)

// prepare makes a checkpoint of where the run stands, with tensors from from. Its
// errors are those of the save, so that the other ranks learn of them.
func (s *Saver) prepare(p Point, from hub.States) *writing {
	share := s.cfg.Share
	w := &writing{fsys: s.cfg.FS, runDir: s.cfg.RunDir, rank: share.rank, step: p.State.Step, keep: s.cfg.Keep, best: p.Best}
	w.files = share.files(from)
	if !w.rank.First() {
		return w
	}
	beside, err := share.filesBeside(p.State, from)
	w.files, w.log = append(w.files, beside...), s.cfg.Log
	w.refused = err
	if w.log != nil {
		w.refused = errors.Join(err, w.log.Flush())
	}
	return w
}

// filesBeside are the files of a checkpoint other than its weights and the
// optimizers' states.
func (s Share) filesBeside(state State, from hub.States) ([]checkpoint.File, error) {
	files := []checkpoint.File{checkpoint.JSON(StateFile, state)}
	for _, m := range s.models {
		if m.adapted() {
			adapter, err := m.adapterFiles(from, state.Bases[m.role()])
			if err != nil {
				return nil, err
			}
			files = append(files, adapter...)
		}
		if m.Beside == nil {
			continue
		}
		beside, err := m.Beside()
		if err != nil {
			return nil, err
		}
		for _, f := range beside {
			if f.Name == hub.ConfigFile && !m.whole() {
				continue // transformers would look for the weights beside it, not in the base
			}
			if f.Name == hub.ConfigFile {
				if f, err = hub.WithDType(f, slices.Concat(m.weights...)); err != nil {
					return nil, err
				}
			}
			f.Name = m.file(f.Name)
			files = append(files, f)
		}
	}
	return files, nil
}

// write writes and syncs the files of this rank and, once all ranks have done so,
// has rank 0 commit the checkpoint. An error, on all ranks, leaves the older ones
// as they were. Every rank comes to the same agreements.
func (s *writing) write(agree agreement) (checkpoint.Saved, error) {
	w, err := s.begin()
	if _, err = agree("", err); err != nil {
		return s.abort(w, err)
	}
	mine, err := s.writeFiles(w)
	all, err := agree(mine, err)
	if err != nil {
		return s.abort(w, err)
	}
	saved, err := s.commit(w, all)
	all, err = agree(saved.Path, err)
	if err != nil {
		return checkpoint.Saved{}, err
	}
	saved.Path = all[0]
	return saved, nil
}

// begin has rank 0 make the directory, in which the others join it.
func (s *writing) begin() (*checkpoint.Writer, error) {
	if s.refused != nil || !s.rank.First() {
		return checkpoint.Join(s.fsys, s.runDir, int64(s.step)), s.refused
	}
	w, err := checkpoint.Begin(s.fsys, s.runDir, int64(s.step))
	if err == nil {
		w.NameBest(s.best)
	}
	return w, err
}

// abort has rank 0 delete what was written.
func (s *writing) abort(w *checkpoint.Writer, err error) (checkpoint.Saved, error) {
	if s.rank.First() && w != nil {
		err = errors.Join(err, w.Abort())
	}
	return checkpoint.Saved{}, err
}

// writeFiles returns the entries of the rank's files, as JSON.
func (s *writing) writeFiles(w *checkpoint.Writer) (string, error) {
	entries := []manifest.Entry{}
	for _, f := range s.files {
		content := f.Write
		f.Write = func(w io.Writer) error { return content(until{w, s.ended}) }
		e, err := w.Write(f)
		if err != nil {
			return "", err
		}
		entries = append(entries, e)
	}
	if s.log != nil {
		if err := s.log.Sync(); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(entries)
	return string(text), err
}

// until writes until ended is closed.
type until struct {
	io.Writer
	ended <-chan struct{}
}

func (u until) Write(p []byte) (int, error) {
	select {
	case <-u.ended:
		return 0, ErrRunEnds
	default:
		return u.Writer.Write(p)
	}
}

// commit has rank 0 make the checkpoint the newest, with the files of all ranks.
func (s *writing) commit(w *checkpoint.Writer, all []string) (checkpoint.Saved, error) {
	if !s.rank.First() {
		return checkpoint.Saved{}, nil
	}
	var others []manifest.Entry
	for rank, text := range all {
		if rank == s.rank.Index() {
			continue
		}
		var entries []manifest.Entry
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return s.abort(w, fmt.Errorf("entries of rank %d: %w", rank, err))
		}
		others = append(others, entries...)
	}
	return w.Commit(s.keep, others...)
}
