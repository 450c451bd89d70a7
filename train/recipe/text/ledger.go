package text

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gotrain/data"
	"gotrain/data/vfs"
	"gotrain/train/recipe"
)

// LedgerPath is the file of a run that says which texts it trains on and which it holds
// out.
func LedgerPath(runDir string) string { return filepath.Join(runDir, "split") }

// Ledger is that of the run whose checkpoint env's run goes on from; nil for a run that
// begins, and for one that kept none.
func Ledger(env recipe.Env) (*data.Ledger, error) {
	if env.From == "" {
		return nil, nil
	}
	l, err := data.ReadLedger(LedgerPath(filepath.Dir(filepath.Dir(env.From))))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; without the file all texts are split as new ones", err)
	}
	return l, nil
}

// KeepLedger keeps which texts the run trains on and holds out, now, beside those that
// it knew, known, and tells where they are others.
func KeepLedger(env recipe.Env, known, now *data.Ledger) error {
	path := LedgerPath(env.Config.Run.Dir)
	if known != nil {
		if _, err := os.Stat(path); known.Plain == now.Plain && err == nil {
			return nil
		}
		tellSplit(env, known, now)
		known.Merge(now)
		known.Plain, known.Key = now.Plain, now.Key
		now = known
	}
	if env.Dry || env.Config.Run.Dir == "" || !env.Config.Rank.First() {
		return nil
	}
	return vfs.WriteFile(env.FS, path, func(w io.Writer) error {
		_, err := now.WriteTo(w)
		return err
	})
}

// tellSplit tells in what the texts of a run that goes on are others.
func tellSplit(env recipe.Env, known, now *data.Ledger) {
	k := now.Kept
	switch {
	case known.Plain == now.Plain:
		return
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
