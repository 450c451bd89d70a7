package forecast

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/runs"
)

// Past is what earlier runs took, as a multiple of what was forecast for them: 1.1 is ten
// per cent longer.
type Past struct {
	Runs   int     `json:"runs"`
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

// promiseFile is in a run's directory.
const promiseFile = "forecast.json"

// promise is what was forecast when a run began.
type promise struct {
	Machine string  `json:"machine"` // its kind, without what was measured
	Ranks   int     `json:"ranks"`
	StepMS  float64 `json:"step_ms"`
}

// Keep writes into the directory of cfg's run what was forecast for its steps on a kind of
// machine, for [PastOf] of later ones.
func Keep(fsys vfs.FS, cfg config.Config, machine string, stepMS float64) error {
	return vfs.WriteFile(fsys, filepath.Join(cfg.Run.Dir, promiseFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(promise{machine, cfg.Rank.Count(), stepMS})
	})
}

// fewest is the number of recorded steps from which on a run counts: the first ones wait
// for caches and files.
const fewest = 10

// PastOf compares the runs beside cfg's that trained on as many such machines with what was
// forecast for them; nil without any. Each counts by its median step.
func PastOf(cfg config.Config, machine string) *Past {
	parent := filepath.Dir(cfg.Run.Dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil // there is none yet
	}
	var ratios []float64
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		text, err := vfs.ReadFile(vfs.OS{}, filepath.Join(dir, promiseFile), 1<<12)
		var p promise
		if err != nil || json.Unmarshal(text, &p) != nil || p.Machine != machine || p.Ranks != cfg.Rank.Count() || p.StepMS <= 0 {
			continue
		}
		records, _, err := runs.Records(dir)
		if err != nil {
			continue
		}
		var steps []float64
		for _, rec := range records {
			if rec.Split == metrics.Train && rec.StepMS > 0 {
				steps = append(steps, rec.StepMS)
			}
		}
		if len(steps) >= fewest {
			slices.Sort(steps)
			ratios = append(ratios, steps[len(steps)/2]/p.StepMS)
		}
	}
	if len(ratios) == 0 {
		return nil
	}
	slices.Sort(ratios)
	return &Past{len(ratios), ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1]}
}
