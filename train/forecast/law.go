package forecast

import (
	"path/filepath"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/scale"
)

// Law is what the laws that are fitted to the runs of a folder say of a run beside them.
type Law struct {
	File     string      `json:"file"`
	Runs     int         `json:"runs"` // that the laws are fitted to
	Count    scale.Count `json:"count"`
	Counted  string      `json:"counted"`
	Expected scale.Plan  `json:"expected"`
	Best     scale.Plan  `json:"best"` // for as many floating-point operations
}

// Parameters is the N of a job. The tables of tokens and positions and the head are the
// matrices outside of the blocks that are no hidden layers.
func Parameters(job *recipe.Job, count scale.Count) int64 {
	var n int64
	for _, p := range job.Params() {
		if count == scale.CountBody && p.Block < 0 && !p.Matrix && len(p.Shape) > 1 {
			continue
		}
		n += int64(p.Shape.Size())
	}
	return n
}

// LawOf asks the laws of the folder that cfg's run is in, of a run of so many tokens; nil
// where the folder has none, where the job counts in another unit, or where the run begins
// from a base, which has seen tokens before.
func LawOf(cfg config.Config, job *recipe.Job, tokens int64) (*Law, error) {
	if job.Unit.Name != "tokens" || cfg.Base != "" {
		return nil, nil
	}
	folder := filepath.Dir(filepath.Clean(cfg.Run.Dir))
	r, err := scale.OfFolder(vfs.OS{}, folder)
	if r == nil || err != nil {
		return nil, err
	}
	expected := r.Expect(float64(Parameters(job, r.Count)), float64(tokens))
	return &Law{
		File: filepath.Join(folder, scale.FileName), Runs: r.Points, Count: r.Count, Counted: r.Counted,
		Expected: expected, Best: r.Best(expected.C),
	}, nil
}
