package text

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// SplitsDir has the records of which texts a run trains on and which it holds out. A
// checkpoint names the one of the texts that it was trained on.
func SplitsDir(runDir string) string { return filepath.Join(runDir, "splits") }

// Ledger is that of the checkpoint that env's run goes on from; nil for a run that
// begins, and for one that kept none.
func Ledger(env recipe.Env) (*data.Ledger, error) {
	if env.From == "" {
		return nil, nil
	}
	state, err := save.ReadState(env.From)
	if errors.Is(err, os.ErrNotExist) || err == nil && state.Split == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(SplitsDir(filepath.Dir(filepath.Dir(env.From))), state.Split)
	l, err := data.ReadLedger(path)
	if errors.Is(err, os.ErrNotExist) {
		env.Telling("warning", "%s is gone: all texts are split as new ones, and some that were trained on may be held out", path)
		return nil, nil
	}
	return l, err
}

// KeepLedger keeps which texts the run trains on and holds out, now, beside those that
// it knew, known, tells where they are others, and returns the name for Job.Split.
func KeepLedger(env recipe.Env, known, now *data.Ledger) (string, error) {
	switch {
	case known != nil && known.Plain == now.Plain:
		now = known
	case known != nil:
		tellSplit(env, known, now)
		known.Merge(now)
		known.Plain, known.Key = now.Plain, now.Key
		now = known
	}
	dir, name := SplitsDir(env.Config.Run.Dir), now.Name()
	path := filepath.Join(dir, name)
	if env.Dry || env.Config.Run.Dir == "" || !env.Config.Rank.First() {
		return name, nil
	}
	if _, err := os.Stat(path); err == nil {
		return name, nil
	}
	if err := vfs.MkdirAll(env.FS, dir); err != nil {
		return "", err
	}
	return name, vfs.WriteFile(env.FS, path, func(w io.Writer) error {
		_, err := now.WriteTo(w)
		return err
	})
}

// tellSplit tells in what the texts of a run that goes on are others.
func tellSplit(env recipe.Env, known, now *data.Ledger) {
	k := now.Kept
	switch {
	case known.Len() == 0 && now.Len() == 0:
		env.Telling("data", "other shards than the run was trained on; which of their text was trained on is not known")
		return
	case !known.Same(now):
		env.Telling("data", "other texts than the run was trained on: %d that it knows, each of which stays in training or held out, and %d new", k.Known, k.New)
	}
	if k.Trained > 0 {
		env.Telling("split", "%d trained on that data.validation would hold out: kept in training", k.Trained)
	}
	if k.HeldOut > 0 {
		env.Telling("split", "%d held out that data.validation would train on: kept held out", k.HeldOut)
	}
	if k.Leaked > 0 {
		env.Telling("warning", "%d texts of data.validation_paths were trained on: their loss is not that of unseen text", k.Leaked)
	}
	for _, file := range k.Edited {
		env.Telling("warning", "%s has changed before its end: text of it that was trained on may be held out", file)
	}
}
