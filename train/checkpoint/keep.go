package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"example.com/gotrain/data/vfs"
)

// basePrefix begins the names of links to checkpoints that other runs need.
const basePrefix = "base-of-"

// KeepBase has the run that the checkpoint in dir is of never retire it, for another run
// whose checkpoints are adapters to it: by a link base-of-NAME beside it, which whoever
// has deleted that other run may delete. Dir may be the folder of one of its models. A dir that is no
// checkpoint of a run stays as it is.
func KeepBase(fsys vfs.FS, dir, name string) []Event {
	step, ok := parseStep(filepath.Base(dir))
	if !ok {
		dir = filepath.Dir(dir)
		step, ok = parseStep(filepath.Base(dir))
	}
	if !ok || filepath.Base(filepath.Dir(dir)) != folder {
		return nil
	}
	const most = 100 // runs of one name
	link := basePrefix + name
	for i := 2; i < most; i++ {
		target, err := fsys.Readlink(filepath.Join(filepath.Dir(dir), link))
		if errors.Is(err, fs.ErrNotExist) || err == nil && target == stepName(step) {
			break
		}
		link = fmt.Sprintf("%s%s-%d", basePrefix, name, i)
	}
	return setLink(fsys, filepath.Dir(filepath.Dir(dir)), link, step)
}

// kept are the steps whose checkpoints KeepBase keeps.
func (w *Writer) kept(l listing) map[int64]bool {
	steps := map[int64]bool{}
	for _, name := range slices.Sorted(maps.Keys(l.names)) {
		if !strings.HasPrefix(name, basePrefix) {
			continue
		}
		if target, err := w.fsys.Readlink(filepath.Join(w.dir(), name)); err == nil {
			if step, ok := parseStep(target); ok {
				steps[step] = true
			}
		}
	}
	return steps
}
