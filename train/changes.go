package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/train/config"
	"example.com/gotrain/train/save"
)

// earlier is the configuration that a run under cfg goes on from: that of the
// checkpoint from or, where it has none, of an earlier try in its directory; nil for a
// new run. It refuses a cfg under which the weights, or the frozen tokenizer, would not
// fit or would win silently.
func earlier(cfg Config, from string, t config.Tables) (*Config, error) {
	var was Config
	var err error
	own := true
	if from != "" {
		var state *save.State
		if was, state, err = save.ConfigOf(from, t); state == nil && err == nil {
			return nil, nil
		}
		own = sameDir(runOf(from), cfg.Run.Dir)
	} else if was, err = config.Load(config.Path(cfg.Run.Dir), nil, t); errors.Is(err, os.ErrNotExist) {
		return nil, nil // a run that never came to its first step
	}
	if err != nil {
		return nil, err
	}
	fixed, err := was.Fixed(cfg, own)
	if err != nil {
		return nil, err
	}
	if len(fixed) == 0 {
		return &was, baseThere(cfg, from, t)
	}
	var b strings.Builder
	run := cfg.Run.Dir
	if from != "" {
		run = from
	}
	fmt.Fprintf(&b, "%s was trained with other settings, which cannot change:\n", run)
	for _, c := range fixed {
		fmt.Fprintf(&b, "  %s is %s, the run has %s\n", c.Key, c.Is, c.Was)
	}
	b.WriteString("leave them as they were; or train another run, with --run DIR, or in place of this one, which --resume none sets aside")
	return nil, &config.Fault{Err: errors.New(b.String())}
}

// baseThere wants the base of a run that goes on with an adapter from a checkpoint.
func baseThere(cfg Config, from string, t config.Tables) error {
	if from == "" || cfg.LoRA.Rank == 0 {
		return nil
	}
	if _, err := config.FindBase(cfg.Base, cfg.Recipe.Name(), t); err != nil {
		return &config.Fault{Err: fmt.Errorf("the base of the adapter is gone: %w; put it back, or name where it lies, with --base DIR for finetune, or --set base=DIR for resume", err)}
	}
	return nil
}

// runOf is the directory of the run that a checkpoint is of.
func runOf(checkpoint string) string { return filepath.Dir(filepath.Dir(filepath.Clean(checkpoint))) }

func sameDir(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// changes lists what the run goes on with otherwise than it was trained until now.
func (r *run) changes() ([]config.Change, error) {
	if r.was == nil || r.state.Step == 0 {
		return nil, nil
	}
	return changesAt(*r.was, r.cfg, r.state.Step)
}

// changesAt lists the keys that differ between was and now and, where it follows from
// them, the learning rate of the step after step.
func changesAt(was, now Config, step int) ([]config.Change, error) {
	changes, err := was.Changes(now)
	if a, b := was.LR(step), now.LR(step); err == nil && a != b {
		changes = append(changes, config.Change{Key: fmt.Sprintf("learning rate of step %d", step+1), Was: fmt.Sprintf("%.4g", a), Is: fmt.Sprintf("%.4g", b)})
	}
	return changes, err
}
